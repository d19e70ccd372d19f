"""From attenuation to the digitised film: characteristic curve, exposure, blur, quantum noise, grain, fog."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.common.phantom.noise import Field, smooth_noise

MAXIMUM = 4095
BRIGHTEST = 0.98 * MAXIMUM
STEEPNESS = 4.2
MIDDLE = 1.06
# Standard deviations: of the quanta in attenuation, of the grain in grey levels.
QUANTUM_NOISE, GRAIN = 0.008, 6


def develop(attenuation: Field, exposure: float) -> Field:
    """Grey level 0 to 4095 of an attenuation: the S-shaped characteristic curve of film, bright = dense.

    Args:
        attenuation: relative to the full thickness of fat.
        exposure: shift of the curve along the attenuation axis; a positive one gives a darker film.
    """
    return BRIGHTEST / (1 + np.exp(-STEEPNESS * (attenuation - (MIDDLE + exposure))))


def automatic_exposure(rng: np.random.Generator, attenuation: Field, thickness: Field) -> float:
    """Shift of the characteristic curve that keeps a dense breast from being too bright, with some scatter."""
    flat = attenuation[::4, ::4][thickness[::4, ::4] > 0.8]
    mean = float(flat.mean()) if flat.size else 1.0
    return 0.92 * (mean - 1.04) + float(rng.normal(0, 0.06))


def attenuation_step(attenuation: float, contrast: float, exposure: float) -> float:
    """What must be added to an attenuation to raise its grey level by `contrast`, a share of the grey range.

    Less is added where the film would come near its brightest level.
    """
    middle = MIDDLE + exposure
    start = BRIGHTEST / (1 + math.exp(-STEEPNESS * (attenuation - middle)))
    end = min(start + contrast * MAXIMUM, 0.88 * BRIGHTEST)
    return max(0.0, middle - math.log(BRIGHTEST / end - 1) / STEEPNESS - attenuation)


def expose(rng: np.random.Generator, attenuation: Field, exposure: float, noise: bool = True) -> Field:
    """Grey levels of the developed film, 0 to 4095, with blur, fog, stray light at the chest wall, and noise if asked.

    The same random numbers are drawn with and without noise, so that all else stays the same.
    """
    rows, columns = attenuation.shape
    blurred = cv2.GaussianBlur(attenuation, (0, 0), max(0.4, 0.9 * columns / 800))
    quanta = cv2.GaussianBlur(rng.standard_normal(attenuation.shape, dtype=np.float32), (0, 0), 0.6)
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    fog = 14 + 14 * (x * x + y * y) + 2 * smooth_noise(rng, attenuation.shape, 0.5 * columns)
    fog = fog + MAXIMUM * max(0.0, rng.normal(0, 0.04)) * np.exp(-(1 + x) * rng.uniform(20, 80))
    return develop(blurred + QUANTUM_NOISE * noise * quanta, exposure) + fog


def digitise(rng: np.random.Generator, grey: Field, noise: bool = True) -> NDArray[np.uint16]:
    """The scanner's 12-bit grey levels of a film: grain if noise is asked for, rounding, clipping to 1 to 4095."""
    grain = rng.standard_normal(grey.shape, dtype=np.float32)
    return np.clip(np.round(grey + GRAIN * noise * grain), 1, MAXIMUM).astype(np.uint16)
