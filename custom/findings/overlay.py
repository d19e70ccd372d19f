"""Pictures of an image with outlines of masks, for people to look at."""

from __future__ import annotations

import cv2
import numpy as np

from custom.transforms.crop import Box, CropLesion, lesion_window

# Blue, orange and green of the Okabe-Ito palette, which colour-blind readers can tell apart.
TRUTH_COLOUR = (0, 114, 178)
PREDICTION_COLOUR = (230, 159, 0)
BOX_COLOUR = (0, 158, 115)


def draw_outlines(
    image: np.ndarray, truth: np.ndarray | None, prediction: np.ndarray | None, thickness: int = 1
) -> np.ndarray:
    """Draw the outline of the truth in blue and that of the prediction in orange on an image.

    Args:
        image: Image `(X, Y)` of any range; its minimum becomes black and its maximum white.
        truth: Mask of the same shape, non-zero inside, or None.
        prediction: Mask of the same shape, or None.
        thickness: Thickness of the outlines in pixels.

    Returns:
        RGB picture `(Y, X, 3)`, 8 bit: rows first, as files and viewers want it.
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
    """Draw a whole mammogram as `draw_outlines` does, scaled to a height, with the lesion's box in green.

    Args:
        image: Mammogram `(X, Y)`.
        truth: Mask of the same shape, non-zero inside, or None.
        prediction: Mask of the same shape.
        box: `(x0, y0, x1, y1)` in pixels of the image.
        height: Height of the picture in pixels.
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


def draw_overlay(image: np.ndarray, mask: np.ndarray, box: Box, context: float, height: int) -> np.ndarray:
    """Draw a whole mammogram with box and outline, and beside it the enlarged surroundings of the box.

    Args:
        image: Mammogram `(X, Y)`.
        mask: Predicted mask of the same shape.
        box: `(x0, y0, x1, y1)` in pixels of the image.
        context: What the enlarged part shows on every side of the box, as a part of its longer side.
        height: Height of the picture, and width of the enlarged part, in pixels.

    Returns:
        RGB picture, 8 bit, rows first.
    """
    window, cut = lesion_window(box, context, square=True), CropLesion(context)
    part, outlined = (cut(pixels[None], box)[0].numpy() for pixels in (image, mask))
    size = (height, height)
    crop = draw_outlines(scaled(part, size), None, scaled(outlined, size) >= 0.5, 2)
    x0, y0, x1, y1 = (round((edge - window[n % 2]) * height / part.shape[n % 2]) for n, edge in enumerate(box))
    cv2.rectangle(crop, (x0, y0), (x1, y1), BOX_COLOUR, 1)
    return np.hstack([draw_in_frame(image, None, mask, box, height), crop])


def scaled(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image or mask, `(X, Y)`, to float32; where it shrinks, a pixel is the mean of its area."""
    smaller = size[0] < image.shape[0]
    # OpenCV takes the array for rows of columns, so the size is given in that order.
    return cv2.resize(
        np.asarray(image, np.float32), size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
