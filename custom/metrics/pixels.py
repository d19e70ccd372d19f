"""Pixels counted by their probability, which curves and calibrations are made of."""

from __future__ import annotations

import numpy as np


def count_pixels(probability: np.ndarray, truth: np.ndarray, lows: np.ndarray) -> np.ndarray:
    """Count the pixels whose probability is from each of `lows` up to the next; the last one has no end.

    Args:
        probability: Probabilities of any shape, none below `lows[0]`.
        truth: Array of the same shape, 1 in the lesion and 0 elsewhere.
        lows: Lower edges of the bins `(N,)`, rising.

    Returns:
        `(3, N)`: pixels, pixels of the lesion, and the sum of the probabilities.
    """
    values = probability.ravel()
    # Compared in one type, so that a single precision 0.7 is in the bin that begins at 0.7.
    index = np.searchsorted(lows.astype(values.dtype), values, side="right") - 1
    return np.stack([np.bincount(index, weights, len(lows)) for weights in (None, truth.ravel(), values)])


def precision_recall(pixels: np.ndarray, lesion: np.ndarray) -> np.ndarray:
    """Return the precision-recall curve of counts by probability: a pixel is predicted from the bin's lower edge on.

    Args:
        pixels: Pixels in each bin `(N,)`.
        lesion: Pixels of the lesion among them `(N,)`.

    Returns:
        `(6, N)`: at each lower edge tp, fp, tn, fn, precision (0 where nothing is predicted) and recall.
    """
    tp, fp = (np.cumsum(counts[::-1])[::-1] for counts in (lesion, pixels - lesion))
    precision, recall = tp / np.maximum(tp + fp, 1), tp / np.maximum(tp[0], 1)
    return np.stack([tp, fp, fp[0] - fp, tp[0] - tp, precision, recall])
