"""The grey levels of a frame on one scale."""

from __future__ import annotations

import numpy as np
from monai.config import KeysCollection

from custom.transforms.compiled import compiled
from custom.transforms.filters import Filter, Filterd


class ScaleFrame(Filter):
    """Scale an image to 0 to `white`: MONAI's `ScaleIntensity(0, white)` to the bit, with one new image and not five.

    A constant image becomes 0. A whole mammogram has 15 million pixels, and memory for one more of it costs more than
    the arithmetic.

    Args:
        white: Value that the largest one becomes.
    """

    def __init__(self, white: float = 255.0) -> None:
        self.white = white

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        # numpy asks for memory in large pages, which takes a fifth of the time that torch's takes to appear.
        result = np.empty_like(pixels)
        _scale(pixels.ravel(), pixels.min(), pixels.max(), self.white, result.ravel())
        return result


@compiled("void(float32[::1], float32, float32, float32, float32[::1])")
def _scale(values: np.ndarray, low: float, high: float, white: float, out: np.ndarray) -> None:
    """Put the values from `low` to `high` into `out` as those from 0 to `white`."""
    span = high - low if high > low else np.float32(1)
    for place in range(len(values)):
        out[place] = (values[place] - low) / span * white


class ScaleFramed(Filterd):
    """Dictionary-based wrapper of :py:class:`ScaleFrame`."""

    def __init__(self, keys: KeysCollection, white: float = 255.0, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, ScaleFrame(white), allow_missing_keys)
