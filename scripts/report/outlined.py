"""Mammograms with outlines, as drawings."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from scripts.common.drawing import BLUE, ORANGE, show_detail

COLOURS = "Blue: true outline; orange: predicted."
# Longer sides of an image that still has something to show on a page.
LONGEST = 700


def shrunk(pixels: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """An image `(X, Y)` whose longer side is at most `longest`, each pixel the mean of those that it replaces."""
    scale = longest / max(pixels.shape)
    if scale >= 1:
        return pixels
    columns, rows = (max(round(side * scale), 1) for side in pixels.shape)
    return cv2.resize(pixels.astype(np.float32), (rows, columns), interpolation=cv2.INTER_AREA)


def show_outlined(
    axes: Axes,
    image: np.ndarray,
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    limits: tuple[float, float] | None = None,
) -> None:
    """Show an image with outlines of the masks over it, at most `LONGEST` pixels long.

    Args:
        axes: to draw in.
        image: `(X, Y)`.
        truths: masks of the same shape, drawn in blue.
        predictions: likewise, in orange.
        limits: what is black and what is white; the image's own minimum and maximum where None.
    """
    show_detail(axes, shrunk(image), limits or (float(image.min()), float(image.max())))
    for masks, colour in ((truths, BLUE), (predictions, ORANGE)):
        for mask in masks:
            # A lesion that fills the crop, or a prediction of nothing, has no outline to draw.
            if mask.any() and not mask.all():
                axes.contour(shrunk(mask.astype(np.float32)).T, [0.5], colors=colour, linewidths=1.2)


def show_box(axes: Axes, box: Sequence[float], scale: float, colour: str) -> None:
    """Draw `(x0, y0, x1, y1)`, in pixels of the frame, over the frame shown at `scale`."""
    # The centre of the first pixel is at 0, its edge half a pixel before.
    x0, y0, x1, y1 = (edge * scale - 0.5 for edge in box)
    axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=0.8))
