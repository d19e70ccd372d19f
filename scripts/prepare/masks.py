"""From what a mask file holds to a mask that fits its mammogram."""

from __future__ import annotations

import cv2
import numpy as np

# Two films of one breast differ in scale by their pitch alone; beyond this the mask belongs to something else.
RATIO_TOLERANCE = 0.005
# A mask that went through JPEG is no longer two-valued, but nearly all of it is still near black or white.
JPEG_SPREAD = 8
JPEG_SHARE = 0.99


def binarise(values: np.ndarray) -> tuple[np.ndarray | None, str]:
    """The mask in `values` as bool, or None and the reason why there is none.

    Args:
        values: `(X, Y)`, two-valued with the background lower, or 8-bit black and white blurred by JPEG.
    """
    low, high = values.min(), values.max()
    if low == high:
        return None, "the mask is empty" if low == 0 else "the mask covers the whole frame"
    if not np.isin(values, (low, high)).all():
        sharp = ((values <= JPEG_SPREAD) | (values >= 255 - JPEG_SPREAD)).mean()
        if high > 255 or sharp < JPEG_SHARE:
            return None, "the mask has many grey values, expected two"
        mask = values > 127
        return (mask, "") if mask.any() else (None, "the mask is empty")
    return values > low, ""


def fit(mask: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray | None, str]:
    """`mask` in the frame of `shape`; with a note if it had to be resized, or None and the reason why it cannot be.

    A mask whose two sides differ from the frame by the same factor was drawn on the film at another pitch.

    Args:
        mask: bool `(X, Y)`.
        shape: `(X, Y)` of the mammogram.
    """
    if mask.shape == shape:
        return mask, ""
    sizes = f"mask {mask.shape[0]} x {mask.shape[1]}, image {shape[0]} x {shape[1]} (columns x rows)"
    across, down = shape[0] / mask.shape[0], shape[1] / mask.shape[1]
    if abs(across / down - 1) > RATIO_TOLERANCE:
        return None, f"{sizes}: the sides differ by {across:.3f} and {down:.3f}, so the mask is of another image"
    resized = cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
    return (resized, f"{sizes}: resized by {across:.3f}") if resized.any() else (None, f"{sizes}: empty once resized")
