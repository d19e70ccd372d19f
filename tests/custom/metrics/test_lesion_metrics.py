from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from custom.metrics.lesion import dice, hausdorff95, inscribed_ellipse, lesion_scores
from custom.transforms.crop import filled_box

SHAPE = (40, 60)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[x0:x1, y0:y1] = True
    return mask


def test_scores_of_a_shifted_rectangle():
    # 10 x 10 truth, prediction shifted by 5 columns: 50 pixels agree.
    truth, prediction = rectangle(10, 20, 20, 30), rectangle(15, 20, 25, 30)
    scores = lesion_scores(prediction, truth, np.zeros(SHAPE, bool), (8, 18, 26, 36), (10, 20, 20, 30))
    assert scores["dice"] == pytest.approx(0.5)
    assert scores["jaccard"] == pytest.approx(1 / 3)
    assert scores["precision"] == pytest.approx(0.5)
    assert scores["recall"] == pytest.approx(0.5)
    assert scores["hausdorff95"] == pytest.approx(5)
    assert (scores["tp"], scores["fp"], scores["fn"]) == (50, 50, 50)
    assert scores["tn"] == 18 * 18 - 150
    assert scores["dice_all_foreground"] == pytest.approx(1)
    assert scores["lesion_pixels"] == 100


def test_what_lies_outside_the_crop_counts_as_missed():
    truth, prediction = rectangle(10, 20, 20, 30), rectangle(10, 20, 15, 30)
    scores = lesion_scores(prediction, truth, np.zeros(SHAPE, bool), (5, 15, 15, 35), (10, 20, 15, 30))
    assert scores["recall"] == pytest.approx(0.5)
    assert scores["dice"] == pytest.approx(2 * 50 / 150)
    assert scores["fn"] == 0  # inside the crop nothing is missed


def test_pixels_of_another_lesion_are_ignored():
    truth, other = rectangle(10, 20, 20, 30), rectangle(18, 20, 28, 30)
    prediction = rectangle(10, 20, 28, 30)
    scores = lesion_scores(prediction, truth, other, (0, 0, 40, 60), (10, 20, 20, 30))
    assert scores["dice"] == 1
    assert scores["tn"] == 40 * 60 - 180
    # The part that belongs to both lesions is this lesion's.
    assert scores["tp"] == 100


def test_a_window_that_leaves_the_frame_counts_only_the_frame():
    truth = rectangle(0, 0, 4, 4)
    scores = lesion_scores(truth, truth, np.zeros(SHAPE, bool), (-3, -3, 7, 7), (0, 0, 4, 4))
    assert scores["tn"] == 7 * 7 - 16


def test_an_empty_prediction():
    truth = rectangle(10, 20, 20, 30)
    scores = lesion_scores(np.zeros(SHAPE, bool), truth, np.zeros(SHAPE, bool), (0, 0, 40, 60), (10, 20, 20, 30))
    assert (scores["dice"], scores["jaccard"], scores["precision"], scores["recall"]) == (0, 0, 0, 0)
    assert scores["hausdorff95"] == pytest.approx(np.hypot(*SHAPE))


def test_baselines_of_a_disc():
    # Area of an ellipse over its box is pi / 4: Dice of the box is 2 (pi/4) / (1 + pi/4).
    disc = inscribed_ellipse((0, 0, 400, 400), (400, 400))
    assert disc.mean() == pytest.approx(np.pi / 4, abs=1e-3)
    assert dice(filled_box((0, 0, 400, 400), (0, 0, 400, 400)), disc) == pytest.approx(
        2 * np.pi / 4 / (1 + np.pi / 4), abs=1e-3
    )


def test_ellipse_has_x_first():
    ellipse = inscribed_ellipse((5, 10, 15, 50), SHAPE)
    columns, rows = np.nonzero(ellipse)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (5, 14, 10, 49)


def outline(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(mask & ~inside)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_hausdorff_distance_against_all_pairs(seed: int):
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 20, size=(2, 2))
    size = rng.integers(1, 20, size=(2, 2))
    a, b = (rectangle(x, y, x + w, y + h) for (x, y), (w, h) in zip(corner, size, strict=True))
    a &= rng.random(SHAPE) < 0.9
    a[tuple(corner[0])] = True
    distances = cdist(outline(a), outline(b))
    expected = max(np.percentile(distances.min(axis=1), 95), np.percentile(distances.min(axis=0), 95))
    assert hausdorff95(a, b) == pytest.approx(expected, abs=1e-4)
