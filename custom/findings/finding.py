"""A mass that was outlined in a mammogram: what every output of a prediction is written from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from custom.transforms.crop import Box


@dataclass(frozen=True)
class Measurements:
    """What is measured of a predicted mask; lengths in pixels of the mammogram, and in mm where its spacing is known.

    Attributes:
        area: pixels.
        longest_diameter: pixels.
        longest_ends: its two ends `((x, y), (x, y))`, pixels.
        perpendicular_diameter: the longest one at right angles to it, pixels.
        perpendicular_ends: likewise.
        circularity: 4 pi area / perimeter squared; 1 is a disc.
        mean_probability: over the mask.
        mean_entropy: of the probabilities over the mask, in bits.
        area_mm2: None without spacing, as the two that follow.
        longest_diameter_mm: likewise.
        perpendicular_diameter_mm: likewise.
    """

    area: int
    longest_diameter: float
    longest_ends: tuple[tuple[float, float], tuple[float, float]]
    perpendicular_diameter: float
    perpendicular_ends: tuple[tuple[float, float], tuple[float, float]]
    circularity: float
    mean_probability: float
    mean_entropy: float
    area_mm2: float | None
    longest_diameter_mm: float | None
    perpendicular_diameter_mm: float | None


@dataclass(frozen=True)
class Finding:
    """One box and what the network outlined in it.

    Attributes:
        name: of the lesion, unlike the others of the mammogram; begins its files' names.
        box: `(x0, y0, x1, y1)`, half-open, pixels of the full mammogram.
        mask: bool `(X, Y)`, full frame.
        probability: float32 `(X, Y)`, full frame; 0 outside the crop.
        measurements: None where the mask is empty.
        quality: why the outline should be looked at with care; empty where nothing speaks against it.
    """

    name: str
    box: Box
    mask: np.ndarray
    probability: np.ndarray
    measurements: Measurements | None
    quality: tuple[str, ...]
