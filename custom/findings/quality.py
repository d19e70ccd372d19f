"""Reasons to look at an outline with care. No threshold was fitted to any data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from custom.metrics.lesion import dice
from custom.transforms.crop import Box, Window

# The flags, and what a report says for each.
REASONS = {
    "empty": "The network outlined nothing in the box.",
    "touches_border": "The outline touches the border of the crop: the mass may go on outside it.",
    "several_pieces": "The outline has several pieces.",
    "low_confidence": "The probabilities inside the outline are low.",
    "disagreement": "The outline changes when the crop is turned or mirrored.",
    "outside_breast": "The given box lies mostly outside the breast.",
    "unusual_size": "The given box is far smaller or larger than a mass.",
}

# Mean probability over the mask, as a share of the way from the threshold to 1.
LEAST_CONFIDENCE = 0.5
LEAST_AGREEMENT = 0.8
# Share of the box that is in the breast.
LEAST_IN_BREAST = 0.5
# Area of the box as a share of that of the breast.
LEAST_OF_BREAST, MOST_OF_BREAST = 0.0002, 0.5


@dataclass(frozen=True)
class Quality:
    """What speaks for or against an outline.

    Attributes:
        flags: Keys of `REASONS` that apply; empty where nothing speaks against the outline.
        border_pixels: Pixels of the mask in the outermost rows and columns of the crop.
        pieces: Pieces of the mask; pixels that touch at a corner belong together.
        confidence: Mean probability over the mask; None where it is empty.
        agreement: Mean Dice of the outlines in the other orientations of the crop with that in the given one.
        box_in_breast: Share of the given box that is in the breast.
        box_of_breast: Area of the given box as a share of that of the breast.
    """

    flags: tuple[str, ...]
    border_pixels: int
    pieces: int
    confidence: float | None
    agreement: float
    box_in_breast: float
    box_of_breast: float

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each flag."""
        return tuple(REASONS[flag] for flag in self.flags)


def assess(
    mask: np.ndarray,
    probability: np.ndarray,
    window: Window,
    threshold: float,
    agreement: float,
    box: Box,
    breast: np.ndarray,
) -> Quality:
    """Assess one mask.

    Args:
        mask: Bool `(X, Y)`, full frame; false outside the crop.
        probability: Array of the same shape.
        window: Window of the crop, `(x0, y0, x1, y1)`; it may leave the frame, whose edge is no border of the crop.
        threshold: Threshold of the probabilities.
        agreement: Result of `agreement_of`.
        box: The given box, `(x0, y0, x1, y1)`, within the frame.
        breast: Bool `(X, Y)`, from `breast_mask`.
    """
    x0, y0, x1, y1 = window
    inside = mask[max(x0 + 1, 0) : x1 - 1, max(y0 + 1, 0) : y1 - 1]
    border_pixels = int(mask.sum() - inside.sum())
    _, pieces = ndimage.label(mask, structure=np.ones((3, 3)))
    confidence = float(probability[mask].mean(dtype=np.float64)) if pieces else None
    in_breast, of_breast = box_and_breast(box, breast)
    found = {
        "empty": pieces == 0,
        "touches_border": border_pixels > 0,
        "several_pieces": pieces > 1,
        "low_confidence": confidence is not None and confidence < threshold + LEAST_CONFIDENCE * (1 - threshold),
        "disagreement": agreement < LEAST_AGREEMENT,
        "outside_breast": in_breast < LEAST_IN_BREAST,
        "unusual_size": not LEAST_OF_BREAST <= of_breast <= MOST_OF_BREAST,
    }
    flags = tuple(flag for flag, applies in found.items() if applies)
    return Quality(flags, border_pixels, pieces, confidence, agreement, in_breast, of_breast)


def box_and_breast(box: Box, breast: np.ndarray) -> tuple[float, float]:
    """The share of a box that is in the breast, and its area as a share of the breast's; see `assess`."""
    x0, y0, x1, y1 = box
    inside = breast[math.floor(x0) : math.ceil(x1), math.floor(y0) : math.ceil(y1)].mean()
    return float(inside), float((x1 - x0) * (y1 - y0) / breast.sum())


def agreement_of(outlines: Sequence[np.ndarray]) -> float:
    """Mean Dice of the outlines in the other orientations of a crop, transformed back, with that in the given one.

    Test-time augmentation as in Wang et al., "Aleatoric uncertainty estimation with test-time augmentation for medical
    image segmentation with convolutional neural networks", Neurocomputing 338 (2019), doi 10.1016/j.neucom.2019.01.103.

    Args:
        outlines: Bool `(X, Y)`, in the crop; the first is that of the crop as given.

    Returns:
        1 where all are equal, also where all are empty.
    """
    given, *others = outlines
    return float(np.mean([dice(one, given) if one.any() or given.any() else 1.0 for one in others]))
