"""A mass that was outlined in a mammogram, from which every output of a prediction is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from custom.findings.measurements import Measurements
from custom.findings.quality import Quality
from custom.transforms.crop import Box


@dataclass(frozen=True)
class Finding:
    """One box and what the network outlined in it.

    Attributes:
        name: Name of the lesion, unique in its mammogram; begins the names of its files.
        box: `(x0, y0, x1, y1)`, half-open, in pixels of the full mammogram.
        mask: Bool `(X, Y)`, full frame.
        probability: Float32 `(X, Y)`, full frame; 0 outside the crop.
        measurements: None where the mask is empty.
        quality: What speaks for or against the outline.
    """

    name: str
    box: Box
    mask: np.ndarray
    probability: np.ndarray
    measurements: Measurements | None
    quality: Quality
