"""From attenuation to the digitised film: characteristic curve, exposure, blur, noise, fog and artefacts.

Artefacts are in the air around the breast and at the film's edge: marker, border, tape, dust.
"""

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
# No artefact reaches further into the frame than this share of the columns, except in the air.
BORDER_LIMIT = 0.03


def develop(attenuation: Field, exposure: float) -> Field:
    """Turn attenuation into grey levels 0 to 4095: the S-shaped characteristic curve of film, bright = dense.

    `exposure` shifts the curve along the attenuation axis; a positive one gives a darker film.
    """
    return BRIGHTEST / (1 + np.exp(-STEEPNESS * (attenuation - (MIDDLE + exposure))))


def automatic_exposure(rng: np.random.Generator, attenuation: Field, thickness: Field) -> float:
    """Find the shift of the characteristic curve that keeps a dense breast from being too bright, with some scatter."""
    flat = attenuation[::4, ::4][thickness[::4, ::4] > 0.8]
    mean = float(flat.mean()) if flat.size else 1.0
    return 0.92 * (mean - 1.04) + float(rng.normal(0, 0.06))


def attenuation_step(attenuation: float, contrast: float, exposure: float) -> float:
    """Find what to add to an attenuation to raise its grey level by `contrast`, a share of the grey range.

    Less is added where the film would come near its brightest level.
    """
    middle = MIDDLE + exposure
    start = BRIGHTEST / (1 + math.exp(-STEEPNESS * (attenuation - middle)))
    end = min(start + contrast * MAXIMUM, 0.88 * BRIGHTEST)
    return max(0.0, middle - math.log(BRIGHTEST / end - 1) / STEEPNESS - attenuation)


def expose(rng: np.random.Generator, attenuation: Field, exposure: float, noise: bool = True) -> Field:
    """Develop the film, grey levels 0 to 4095, with blur, fog, stray light at the chest wall, and noise if asked.

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
    """Scan a film into 12 bits: grain if noise is asked for, rounding, clipping to 1 to 4095."""
    grain = rng.standard_normal(grey.shape, dtype=np.float32)
    return np.clip(np.round(grey + GRAIN * noise * grain), 1, MAXIMUM).astype(np.uint16)


def add_artefacts(rng: np.random.Generator, grey: Field, air: Field, laterality: str, view: str) -> Field:
    """Add a side marker, white borders, a strip of tape and dust to grey levels 0 to 4095.

    `air` is the distance in pixels to the breast, 0 inside it; laterality and view are written on the marker.
    """
    if rng.random() < 0.6:
        grey = _add_tape(rng, grey, air)
    text = f"{laterality[0]}{view}" if rng.random() < 0.5 else f"{laterality[0]} {view}"
    return _add_dust(rng, _add_border(rng, _add_marker(rng, grey, air, text)))


def _paste(grey: Field, patch: Field, opacity: Field, centre: tuple[int, int], angle: float) -> Field:
    """Lay a patch turned by `angle` degrees around `centre` (x, y) over the film, brighter parts winning."""
    rows, columns = grey.shape
    turn = cv2.getRotationMatrix2D((patch.shape[1] / 2, patch.shape[0] / 2), angle, 1.0)
    turn[:, 2] += (centre[0] - patch.shape[1] / 2, centre[1] - patch.shape[0] / 2)
    level = cv2.warpAffine(patch, turn, (columns, rows), flags=cv2.INTER_LINEAR)
    share = cv2.warpAffine(opacity, turn, (columns, rows), flags=cv2.INTER_LINEAR)
    return np.asarray(grey * (1 - share) + level * share)


def _place_in_air(rng: np.random.Generator, air: Field, room: float) -> tuple[int, int] | None:
    """Find a random point (x, y) with at least `room` pixels to the breast, in the upper half if possible."""
    rows, columns = air.shape
    y, x = rng.integers(0, rows, 400), rng.integers(round(0.06 * columns), round(0.94 * columns), 400)
    fits = air[y, x] > room
    upper = fits & (y > 0.05 * rows) & (y < 0.45 * rows)
    chosen = np.flatnonzero(upper if upper.any() else fits)
    return (int(x[chosen[0]]), int(y[chosen[0]])) if chosen.size else None


def _add_marker(rng: np.random.Generator, grey: Field, air: Field, text: str) -> Field:
    columns = grey.shape[1]
    scale = columns / 800 * rng.uniform(1.1, 1.9)
    thick = max(1, round(3.2 * scale))
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, thick)
    place = _place_in_air(rng, air, 0.6 * width)
    if place is None:
        return grey
    patch = np.zeros((2 * height + 8, width + 8), np.uint8)
    cv2.putText(patch, text, (4, round(1.5 * height) + 4), cv2.FONT_HERSHEY_DUPLEX, scale, 255, thick, cv2.LINE_AA)
    letters = cv2.GaussianBlur(patch.astype(np.float32) / 255, (0, 0), max(0.4, 0.7 * scale))
    level = np.full_like(letters, MAXIMUM * rng.uniform(0.35, 0.98))
    return _paste(grey, level, letters, place, float(rng.choice([0, 35, -40, 60, -65, 90]) + rng.normal(0, 5)))


def _add_tape(rng: np.random.Generator, grey: Field, air: Field) -> Field:
    """Add a strip with a few written lines, as the patient's flash label leaves it, half out of the frame."""
    rows, columns = grey.shape
    height, width = round(rng.uniform(0.05, 0.09) * columns), round(rng.uniform(0.25, 0.4) * columns)
    side = columns - 1 if air[:, -1].mean() > air[:, 0].mean() else 0
    corners = [(side, 0), (side, rows - 1)]
    free = [c for c in corners if air[c[1], c[0]] > 0.75 * width]
    if not free:
        return grey
    patch = np.full((height, width), MAXIMUM * rng.uniform(0.45, 0.85), np.float32)
    patch[[0, -1]] = patch[:, [0, -1]] = MAXIMUM * 0.97
    for y in range(height // 5, height - height // 5, max(3, height // 6)):
        dashes = np.repeat(rng.random(width // 3 + 1) < 0.6, 3)[:width]
        patch[y : y + max(1, height // 12), dashes] *= 0.45
    opacity = np.full_like(patch, rng.uniform(0.75, 1.0))
    corner = free[int(rng.integers(len(free)))]
    inward = 0.1 * columns
    centre = (round(abs(corner[0] - inward)), round(abs(corner[1] - inward)))
    return _paste(grey, cv2.GaussianBlur(patch, (0, 0), 0.7), opacity, centre, float(rng.choice([-45, 45, 0, 90])))


def _add_border(rng: np.random.Generator, grey: Field) -> Field:
    """Add unexposed film beside the cassette: white strips with a rounded inner corner, none on some sides."""
    rows, columns = grey.shape
    widths = [round(columns * rng.uniform(0.004, BORDER_LIMIT)) * int(rng.random() < 0.7) for _ in range(4)]
    left, top, right, bottom = widths
    exposed = np.zeros((rows, columns), np.uint8)
    radius = max(1, round(columns * rng.uniform(0.005, 0.03)))
    cv2.rectangle(exposed, (left, top), (columns - 1 - right, rows - 1 - bottom), 1, -1)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    framed = cv2.copyMakeBorder(exposed, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    rounded = cv2.morphologyEx(framed, cv2.MORPH_OPEN, element)[radius:-radius, radius:-radius]
    edge = cv2.GaussianBlur(rounded.astype(np.float32), (0, 0), max(0.5, columns / 900))
    level = MAXIMUM * rng.uniform(0.86, 0.99)
    return np.asarray(grey * edge + level * (1 - edge))


def _add_dust(rng: np.random.Generator, grey: Field) -> Field:
    rows, columns = grey.shape
    dust = np.zeros(grey.shape, np.float32)
    for _ in range(int(rng.integers(3, 14))):
        centre = (int(rng.integers(columns)), int(rng.integers(rows)))
        cv2.circle(dust, centre, int(rng.integers(0, max(1, columns // 500) + 1)), float(rng.uniform(0.2, 0.9)), -1)
    dust = cv2.GaussianBlur(dust, (0, 0), 0.6)
    return np.asarray(grey + (MAXIMUM - grey) * dust)
