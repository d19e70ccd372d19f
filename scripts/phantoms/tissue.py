"""Tissue inside the breast: fat, fibroglandular parenchyma, connective-tissue strands, skin.

Everything is expressed as X-ray attenuation relative to the same thickness of fat.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from scripts.phantoms.breast import Breast
from scripts.phantoms.noise import Field, level_lines, power_law_noise, smooth_noise

EXPONENT = 3.0
# Share of the breast that is dense, by ACR density class: the middle of each quarter that the classes stand for.
DENSE_SHARE = {1: (0.03, 0.1), 2: (0.16, 0.34), 3: (0.42, 0.62), 4: (0.68, 0.84)}
# What varies slowly is drawn at a quarter of the resolution.
COARSE = 4


def draw_tissue(rng: np.random.Generator, breast: Breast, density: int) -> Field:
    """Attenuation of the breast without a lesion, relative to fat of full thickness, `(rows, columns)`.

    Args:
        rng: source of the random numbers.
        breast: shape of the breast.
        density: ACR class, 1 (fatty) to 4 (extremely dense).
    """
    shape = breast.depth.shape
    columns = shape[1]
    isotropic = power_law_noise(rng, shape, EXPONENT, longest_wave=0.3 * columns)
    sheets, fibres = _fibres(rng, breast)
    texture = 0.7 * isotropic + 0.7 * sheets
    gland = _glandular_share(rng, breast, texture, density)
    patchy = np.clip(0.6 + 0.4 * smooth_noise(rng, shape, 0.2 * columns), 0.1, 1.5)
    strands = _strands(rng, breast)
    contrast = rng.uniform(0.17, 0.25)
    inner = gland * (contrast + 0.04 * texture) + 0.012 * texture
    inner += fibres * patchy * (0.02 + 0.05 * gland) + 0.07 * strands
    skin = 0.08 * np.exp(-np.square(breast.depth / (0.006 * columns) - 1))
    attenuation = breast.thickness * (1 + inner) + skin * (breast.depth > 0)
    return _add_pectoral(rng, breast, attenuation)


def _fibres(rng: np.random.Generator, breast: Breast) -> tuple[Field, Field]:
    """Tissue drawn out along the lines that run from the chest wall and draw together at the nipple.

    Returns:
        Layered texture with the parenchyma's spectrum, standard deviation about 1; and thin bright fibres, 0 upwards.
    """
    rows, columns = shape = breast.depth.shape
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    toward = np.clip(x / breast.reach, 0, 1.2)
    across = (y - breast.nipple[1]) * (1 + 1.2 * toward * toward)
    sheets = np.zeros(shape, np.float32)
    fibres = np.zeros(shape, np.float32)
    for slant in (-1.0, 1.0):
        slope = slant * rng.uniform(0.15, 0.45)
        bend = smooth_noise(rng, shape, 0.25 * columns) * (0.02 * columns)
        along_bent, across_bent = x + bend, across + slope * x - bend
        tile = (rows // 2, columns)
        layered = power_law_noise(rng, tile, EXPONENT, longest_wave=0.2 * columns, elongation=2.2)
        fine = power_law_noise(rng, tile, 2.2, longest_wave=0.03 * columns, elongation=5.0)
        sheets += cv2.remap(layered, along_bent, across_bent, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        strand = cv2.remap(fine, along_bent, across_bent, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        fibres = np.maximum(fibres, strand)
    return sheets * math.sqrt(0.5), np.square(np.maximum(fibres, 0)) * 0.5


def _glandular_share(rng: np.random.Generator, breast: Breast, texture: Field, density: int) -> Field:
    """Share of fibroglandular tissue, 0 to 1: around the axis behind the nipple, away from the skin, with a ragged rim."""
    rows, columns = breast.depth.shape
    x = np.arange(0, columns, COARSE, dtype=np.float32)[None, :]
    y = np.arange(0, rows, COARSE, dtype=np.float32)[:, None]
    nipple_x, nipple_y = breast.nipple
    centre_x = nipple_x - breast.reach * rng.uniform(0.3, 0.5)
    centre_y = nipple_y - breast.reach * rng.uniform(-0.05, 0.25)
    # Turned towards the upper outer quadrant, where most glandular tissue lies.
    angle = rng.uniform(0.0, 0.5)
    dx, dy = (x - centre_x) / breast.reach, (y - centre_y) / breast.reach
    long = dx * math.cos(angle) + dy * math.sin(angle)
    short = dy * math.cos(angle) - dx * math.sin(angle)
    depth, pectoral = breast.depth[::COARSE, ::COARSE], breast.pectoral[::COARSE, ::COARSE]
    away_from_skin = np.clip(depth / (0.09 * columns), 0, 1)
    near_nipple = np.exp(-(np.square(x - nipple_x) + np.square(y - nipple_y)) / (0.1 * columns) ** 2)
    plan = -2.0 * np.hypot(long / 0.62, short / 0.55)
    plan += 0.8 * smooth_noise(rng, depth.shape, 0.3 * columns / COARSE)
    plan += 3.0 * (np.maximum(away_from_skin, near_nipple) - 1) - 3.0 * pectoral
    share = rng.uniform(*DENSE_SHARE[density])
    threshold = np.quantile((plan + 0.75 * texture[::COARSE, ::COARSE])[depth > 0], 1 - share)
    plan = cv2.resize(plan - float(threshold), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 / (1 + np.exp(-(plan + 0.75 * texture) / rng.uniform(0.4, 0.7))))


def _strands(rng: np.random.Generator, breast: Breast) -> Field:
    """Single ligaments and vessels: thin curves that run roughly towards the nipple, brightest in their middle."""
    rows, columns = breast.depth.shape
    count, steps = int(rng.integers(90, 200)), 24
    scale = columns / 800
    x = rng.uniform(-0.1, 1.0, count) * breast.reach
    y = rng.uniform(0, rows, count)
    length = rng.uniform(40, 260, count) * scale / steps
    wander = np.cumsum(rng.normal(0, 0.09, (steps, count)), axis=0) + rng.normal(0, 0.35, count)
    path = np.empty((steps, count, 2))
    for step in range(steps):
        path[step] = np.c_[x, y]
        aim = np.arctan2(breast.nipple[1] - y, breast.nipple[0] + 0.5 * breast.reach - x) + wander[step]
        x, y = x + length * np.cos(aim), y + length * np.sin(aim)
    canvas = np.zeros((rows, columns), np.uint8)
    brightness = rng.beta(1.6, 3.0, count)
    width = np.where(rng.random(count) < 0.12, 3, 1) * max(1.0, scale)
    corners = np.ascontiguousarray(np.round(path * 2**4).astype(np.int32).transpose(1, 0, 2))
    for i in np.argsort(brightness):
        for first, share in ((0, 0.35), (4, 0.7), (8, 1.0), (16, 0.6)):
            part = corners[i, first : first + 9]
            cv2.polylines(
                canvas, [part], False, int(255 * brightness[i] * share), int(max(1, width[i])), cv2.LINE_AA, shift=4
            )
    return cv2.GaussianBlur(canvas, (0, 0), max(0.5, 0.7 * scale)).astype(np.float32) / 255


def _add_pectoral(rng: np.random.Generator, breast: Breast, attenuation: Field) -> Field:
    if not breast.pectoral.any():
        return attenuation
    rows, columns = attenuation.shape
    fibres = power_law_noise(rng, (rows // 2, columns // 2), 2.6, longest_wave=0.2 * columns, elongation=5.0)
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    # The muscle's fibres run along its front edge.
    turn = math.radians(rng.uniform(55, 75))
    cos, sin = math.cos(turn), math.sin(turn)
    grain = cv2.remap(fibres, y * sin - x * cos, x * sin + y * cos, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return attenuation + breast.pectoral * rng.uniform(0.2, 0.34) * (1 + 0.05 * grain)
