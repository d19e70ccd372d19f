from __future__ import annotations

import numpy as np

from custom.metrics.pixels import count_pixels, precision_recall

# In single precision, as networks give them: 0.7 is less there, 0.1 more.
PROBABILITY = np.array([[0.0, 0.05, 0.1], [0.69, 0.7, 1.0]], np.float32)
TRUTH = np.array([[0, 1, 0], [1, 0, 1]])


def test_a_bin_holds_its_lower_edge_and_the_last_one_its_end():
    pixels, lesion, total = count_pixels(PROBABILITY, TRUTH, np.arange(10) / 10)
    assert pixels.tolist() == [2, 1, 0, 0, 0, 0, 1, 1, 0, 1]
    assert lesion.tolist() == [1, 0, 0, 0, 0, 0, 1, 0, 0, 1]
    np.testing.assert_allclose(total, [0.05, 0.1, 0, 0, 0, 0, 0.69, 0.7, 0, 1], atol=1e-6)


def test_the_curve_is_that_of_each_threshold_alone():
    rng = np.random.default_rng(0)
    probability, truth = rng.random((3, 40, 30), np.float32) ** 2, rng.random((3, 40, 30)) < 0.3
    thresholds = np.linspace(0, 1, 101)
    counts = sum(count_pixels(*batch, thresholds) for batch in zip(probability, truth, strict=True))
    curve = precision_recall(counts[0], counts[1])
    for threshold, point in zip(thresholds.astype(np.float32), curve.T, strict=True):
        predicted = probability >= threshold
        tp, fp = (predicted & truth).sum(), (predicted & ~truth).sum()
        tn, fn = (~predicted & ~truth).sum(), (~predicted & truth).sum()
        assert point[:4].tolist() == [tp, fp, tn, fn]
        np.testing.assert_allclose(point[4:], [tp / (tp + fp) if tp + fp else 0, tp / (tp + fn)])
