"""Image statistics by which phantoms are compared with real mammograms; the same code measures both.

Grey levels are 0 to 255 here (12-bit images are divided by 16), arrays are `(rows, columns)`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

GreyImage = NDArray[np.float32]

PATCH = 128
# Cycles per patch between which the exponent is fitted: below lies the patch's window, above the blur of the scan.
FIT = (3, 25)


def breast_interior(grey: GreyImage) -> NDArray[np.bool_]:
    """Find the flat part of the breast: brighter than its thin edge, darker than film borders, away from both."""
    blurred = cv2.GaussianBlur(grey, (0, 0), 3)
    inside = ((blurred > 60) & (grey < 250)).astype(np.uint8)
    count, labels, table, _ = cv2.connectedComponentsWithStats(inside)
    if count > 1:
        inside = (labels == 1 + int(table[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    size = round(0.04 * grey.shape[1])
    return cv2.erode(inside, np.ones((size, size), np.uint8), borderValue=0) > 0


def power_spectrum(grey: GreyImage, inside: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return the radial mean of the power spectrum over all patches that lie inside, or None where fewer than four fit.

    Every patch is freed from its plane trend and weighted with a Hann window.

    Returns:
        Power per cycles-per-patch 0 to `PATCH // 2 - 1`.
    """
    hann = np.hanning(PATCH)
    window = np.outer(hann, hann)
    frequency = np.hypot(np.fft.fftfreq(PATCH)[:, None], np.fft.rfftfreq(PATCH)[None, :]) * PATCH
    ring = np.round(frequency).astype(int).ravel()
    step = PATCH // 2
    spectra = []
    for y in range(0, grey.shape[0] - PATCH, step):
        for x in range(0, grey.shape[1] - PATCH, step):
            if inside[y : y + PATCH, x : x + PATCH].all():
                patch = _without_plane(grey[y : y + PATCH, x : x + PATCH])
                power = np.abs(np.fft.rfft2(patch * window)) ** 2 / np.square(window).sum()
                spectra.append(np.bincount(ring, power.ravel()) / np.bincount(ring))
    return np.mean(spectra, axis=0)[: PATCH // 2] if len(spectra) >= 4 else None


def _without_plane(patch: GreyImage) -> NDArray[np.float64]:
    steps = np.linspace(-1, 1, PATCH)
    norm = PATCH * np.square(steps).sum()
    x_slope, y_slope = (patch * steps[None, :]).sum() / norm, (patch * steps[:, None]).sum() / norm
    return np.asarray(patch - patch.mean() - x_slope * steps[None, :] - y_slope * steps[:, None])


def fit_exponent(spectrum: NDArray[np.float64]) -> float:
    """Find the exponent `b` of the power law `1 / f ** b` that fits a radial spectrum best on logarithmic axes."""
    frequency = np.arange(*FIT)
    return -float(np.polyfit(np.log(frequency), np.log(spectrum[FIT[0] : FIT[1]]), 1)[0])


def lesion_ring(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Draw the ring around a lesion, as wide as half the radius of the disc of the lesion's area, at least 2 pixels."""
    y, x = np.nonzero(mask)
    width = max(2, round(math.sqrt(len(x) / math.pi) / 2))
    frame = (slice(max(0, y.min() - width), y.max() + width + 1), slice(max(0, x.min() - width), x.max() + width + 1))
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    ring = np.zeros_like(mask)
    ring[frame] = (cv2.dilate(mask[frame].astype(np.uint8), element) > 0) & ~mask[frame]
    return ring


def lesion_statistics(grey: GreyImage, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Measure size and contrast of a lesion against the ring around it, see `lesion_ring`.

    Returns:
        `size`: longer side of the box over the image's columns; `fill`: area over the box's area; `contrast`: mean
        inside minus mean of the ring, in grey levels; `ring_sd`: standard deviation in the ring; `cnr`: their ratio.
    """
    y, x = np.nonzero(mask)
    box = (np.ptp(x) + 1, np.ptp(y) + 1)
    ring = lesion_ring(mask)
    contrast, spread = float(grey[mask].mean() - grey[ring].mean()), float(grey[ring].std())
    return {
        "size": float(max(box) / mask.shape[1]),
        "fill": float(len(x) / (box[0] * box[1])),
        "contrast": contrast,
        "ring_sd": spread,
        "cnr": contrast / max(spread, 1e-6),
    }
