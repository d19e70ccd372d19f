"""Reasons to look at an outline with care. None of the thresholds was fitted to any data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from custom.metrics.lesion import dice
from custom.transforms.crop import Box, Window

EMPTY = "empty"
TOUCHES_BORDER = "touches_border"
SEVERAL_PIECES = "several_pieces"
LOW_CONFIDENCE = "low_confidence"
DISAGREEMENT = "disagreement"
OUTSIDE_BREAST = "outside_breast"
UNUSUAL_SIZE = "unusual_size"

SENTENCES = {
    EMPTY: "The network outlined nothing in the box.",
    TOUCHES_BORDER: "The outline touches the border of the crop: the mass may go on outside it.",
    SEVERAL_PIECES: "The outline has several pieces.",
    LOW_CONFIDENCE: "The probabilities inside the outline are low.",
    DISAGREEMENT: "The outline changes when the crop is turned or mirrored.",
    OUTSIDE_BREAST: "The given box lies mostly outside the breast.",
    UNUSUAL_SIZE: "The given box is far smaller or larger than a mass.",
}

# Mean probability over the mask, as a part of the way from the threshold, where it must lie above, to 1.
LEAST_CONFIDENCE = 0.5
# Mean Dice of the outlines of the turned and mirrored crop with the plain one.
LEAST_AGREEMENT = 0.8
# Of the box, the part that lies in the breast.
LEAST_IN_BREAST = 0.5
# Area of the box as a part of that of the breast.
LEAST_OF_BREAST, MOST_OF_BREAST = 0.0002, 0.5


@dataclass(frozen=True)
class Quality:
    """What speaks for or against an outline.

    Attributes:
        flags: what should be looked at; empty where nothing speaks against the outline.
        border_pixels: of the mask in the outermost rows and columns of the crop.
        pieces: of the mask, that do not touch even at a corner.
        confidence: mean probability over the mask; None where it is empty.
        agreement: mean Dice under test-time augmentation.
        box_in_breast: the part of the given box that lies in the breast.
        box_of_breast: area of the given box, as a part of that of the breast.
    """

    flags: tuple[str, ...]
    border_pixels: int
    pieces: int
    confidence: float | None
    agreement: float
    box_in_breast: float
    box_of_breast: float


def assess(
    mask: np.ndarray,
    probability: np.ndarray,
    window: Window,
    threshold: float,
    agreement: float,
    box: Box,
    breast: np.ndarray,
) -> Quality:
    """The quality of one mask.

    Args:
        mask: bool `(X, Y)`, full frame.
        probability: of the same shape.
        window: of the crop, `(x0, y0, x1, y1)`; it may leave the frame, whose own edge is no border of the crop.
        threshold: of the probabilities.
        agreement: as `agreement_of` gives it.
        box: that was given, `(x0, y0, x1, y1)`, within the frame.
        breast: bool `(X, Y)`, as `breast_mask` gives it.
    """
    border = np.zeros_like(mask)
    x0, y0, x1, y1 = window
    for x in (x0, x1 - 1):
        if 0 <= x < mask.shape[0]:
            border[x, max(y0, 0) : y1] = True
    for y in (y0, y1 - 1):
        if 0 <= y < mask.shape[1]:
            border[max(x0, 0) : x1, y] = True
    border_pixels = int((mask & border).sum())
    _, pieces = ndimage.label(mask, structure=np.ones((3, 3)))
    confidence = float(probability[mask].mean(dtype=np.float64)) if pieces else None
    in_breast, of_breast = box_and_breast(box, breast)
    found = {
        EMPTY: pieces == 0,
        TOUCHES_BORDER: border_pixels > 0,
        SEVERAL_PIECES: pieces > 1,
        LOW_CONFIDENCE: confidence is not None and confidence < threshold + LEAST_CONFIDENCE * (1 - threshold),
        DISAGREEMENT: agreement < LEAST_AGREEMENT,
        OUTSIDE_BREAST: in_breast < LEAST_IN_BREAST,
        UNUSUAL_SIZE: not LEAST_OF_BREAST <= of_breast <= MOST_OF_BREAST,
    }
    flags = tuple(flag for flag, is_so in found.items() if is_so)
    return Quality(flags, border_pixels, pieces, confidence, agreement, in_breast, of_breast)


def box_and_breast(box: Box, breast: np.ndarray) -> tuple[float, float]:
    """The part of a box that lies in the breast, and its area as a part of the breast's; see `assess`."""
    x0, y0, x1, y1 = box
    inside = breast[math.floor(x0) : math.ceil(x1), math.floor(y0) : math.ceil(y1)].mean()
    return float(inside), float((x1 - x0) * (y1 - y0) / breast.sum())


def agreement_of(outlines: Sequence[np.ndarray]) -> float:
    """Mean Dice of the outlines of a turned and mirrored crop, put back, with that of the crop as it is.

    Test-time augmentation as in Wang et al., "Aleatoric uncertainty estimation with test-time augmentation for medical
    image segmentation with convolutional neural networks", Neurocomputing 338 (2019), doi 10.1016/j.neucom.2019.01.103.

    Args:
        outlines: bool `(X, Y)`, in the crop; the first is of the crop as it is.

    Returns:
        1 where all are equal, empty ones as well.
    """
    plain, *others = outlines
    return float(np.mean([dice(one, plain) if one.any() or plain.any() else 1.0 for one in others]))
