"""Outlines of masks drawn over an image, for people to look at."""

from __future__ import annotations

import cv2
import numpy as np

from custom.transforms.crop import Box

# Blue, orange and green of the Okabe-Ito palette: told apart by colour-blind readers as well.
TRUTH_COLOUR = (0, 114, 178)
PREDICTION_COLOUR = (230, 159, 0)
BOX_COLOUR = (0, 158, 115)


def draw_outlines(
    image: np.ndarray, truth: np.ndarray | None, prediction: np.ndarray | None, thickness: int = 1
) -> np.ndarray:
    """An RGB picture of `image` with the outline of the truth in blue and of the prediction in orange.

    Args:
        image: `(X, Y)`, any range; its own minimum becomes black and its maximum white.
        truth: mask of the same shape, non-zero inside, or None.
        prediction: likewise.
        thickness: of the outlines in pixels.

    Returns:
        `(Y, X, 3)`, 8 bit: rows first, as files and viewers want it.
    """
    grey = cv2.normalize(np.asarray(image, np.float32).T, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    for mask, colour in ((truth, TRUTH_COLOUR), (prediction, PREDICTION_COLOUR)):
        if mask is not None:
            rows_first = np.ascontiguousarray(np.asarray(mask).T > 0).astype(np.uint8)
            contours, _ = cv2.findContours(rows_first, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, contours, -1, colour, thickness)
    return picture


def draw_in_frame(
    image: np.ndarray, truth: np.ndarray | None, prediction: np.ndarray, box: Box, height: int = 512
) -> np.ndarray:
    """`draw_outlines` of a whole mammogram, scaled to a height in pixels, with the lesion's box in green.

    Args:
        image: `(X, Y)`, as in `draw_outlines`.
        truth: mask of the same shape, non-zero inside, or None.
        prediction: likewise, but never None.
        box: `(x0, y0, x1, y1)` in pixels of the image.
        height: of the picture.
    """
    scale = height / image.shape[1]
    size = (round(image.shape[0] * scale), height)
    outlined = None if truth is None else scaled(truth, size) >= 0.5
    picture = draw_outlines(scaled(image, size), outlined, scaled(prediction, size) >= 0.5)
    x0, y0, x1, y1 = (round(edge * scale) for edge in box)
    # Three pixels wide, so that it is still there where TensorBoard shows every second or third pixel; outside the box.
    for gap in (1, 2, 3):
        cv2.rectangle(picture, (x0 - gap, y0 - gap), (x1 + gap - 1, y1 + gap - 1), BOX_COLOUR, 1)
    return picture


def scaled(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`image`, `(X, Y)`, or a mask, in another size, float32: its area's mean where it becomes smaller."""
    smaller = size[0] < image.shape[0]
    # OpenCV takes an array for rows of columns, so it is told the size the other way round.
    return cv2.resize(
        np.asarray(image, np.float32), size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
