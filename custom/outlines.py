"""Outlines of masks drawn over an image, for people to look at."""

from __future__ import annotations

import cv2
import numpy as np

# Blue and orange of the Okabe-Ito palette: told apart by colour-blind readers as well.
TRUTH_COLOUR = (0, 114, 178)
PREDICTION_COLOUR = (230, 159, 0)


def draw_outlines(image: np.ndarray, truth: np.ndarray | None, prediction: np.ndarray | None) -> np.ndarray:
    """An RGB picture of `image` with the outline of the truth in blue and of the prediction in orange.

    Args:
        image: `(X, Y)`, any range; its own minimum becomes black and its maximum white.
        truth: mask of the same shape, non-zero inside, or None.
        prediction: likewise.

    Returns:
        `(Y, X, 3)`, 8 bit: rows first, as files and viewers want it.
    """
    grey = cv2.normalize(np.asarray(image, np.float32).T, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    for mask, colour in ((truth, TRUTH_COLOUR), (prediction, PREDICTION_COLOUR)):
        if mask is not None:
            rows_first = np.ascontiguousarray(np.asarray(mask).T > 0).astype(np.uint8)
            contours, _ = cv2.findContours(rows_first, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, contours, -1, colour, 1)
    return picture
