"""Tissue inside the breast: fat, fibroglandular parenchyma, connective-tissue strands, skin.

Everything is expressed as X-ray attenuation relative to the same thickness of fat.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.common.phantom.breast import Breast
from scripts.common.phantom.noise import Field, level_lines, power_law_noise, smooth_noise

EXPONENT = 3.0
# Share of the breast that is dense, by ACR density class: the middle of each quarter that the classes stand for.
DENSE_SHARE = {1: (0.03, 0.1), 2: (0.14, 0.28), 3: (0.28, 0.42), 4: (0.42, 0.58)}
# Attenuation of glandular tissue above that of fat.
GLAND_CONTRAST = {1: (0.1, 0.18), 2: (0.2, 0.32), 3: (0.27, 0.41), 4: (0.31, 0.45)}
# Mean and inverse standard deviation of the absolute value of a standard normal variable.
CREST_MEAN, CREST_SCALE = math.sqrt(2 / math.pi), 1 / math.sqrt(1 - 2 / math.pi)
# What varies slowly is drawn at a quarter of the resolution.
COARSE = 4


def draw_tissue(rng: np.random.Generator, breast: Breast, density: int) -> Field:
    """Draw the attenuation of the breast without a lesion, relative to fat of full thickness, `(rows, columns)`.

    `density` is the ACR class, 1 (fatty) to 4 (extremely dense).
    """
    attenuation = np.zeros(breast.depth.shape, np.float32)
    box = _box_at_chest_wall(breast.inside)
    attenuation[box] = _draw_inner_tissue(rng, breast.cut(box), density)
    return attenuation


def _box_at_chest_wall(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the box of rows and columns of a mask, widened to the chest wall."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(0, int(columns[-1]) + 1)


def _draw_inner_tissue(rng: np.random.Generator, breast: Breast, density: int) -> Field:
    shape, columns = breast.depth.shape, breast.frame_columns
    isotropic = power_law_noise(rng, shape, EXPONENT, longest_wave=0.3 * columns)
    sheets, web = _fibres(rng, breast)
    texture = 0.6 * isotropic + 0.8 * sheets
    gland = _glandular_share(rng, breast, texture, density)
    patchy = np.clip(0.6 + 0.5 * smooth_noise(rng, shape, 0.12 * columns), 0, 1.8)
    strands = _strands(rng, breast)
    contrast = rng.uniform(*GLAND_CONTRAST[density])
    inner = gland * (contrast + 0.03 * texture) + 0.016 * texture
    inner += web * patchy * (0.022 + 0.022 * gland) + strands * (0.11 + 0.13 * gland)
    skin = 0.08 * np.exp(-np.square(breast.depth / (0.006 * columns) - 1))
    attenuation = breast.thickness * (1 + inner) + skin * (breast.depth > 0)
    return _add_pectoral(rng, breast, attenuation)


def _fibres(rng: np.random.Generator, breast: Breast) -> tuple[Field, Field]:
    """Draw tissue along the lines that run from the chest wall and draw together at the nipple.

    Returns:
        Layered texture with the parenchyma's spectrum, standard deviation about 1; and thin bright fibres, 0 upwards.
    """
    rows, width = shape = breast.depth.shape
    columns = breast.frame_columns
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    toward = np.clip(x / breast.reach, 0, 1.2)
    across = (y - breast.nipple[1]) * (1 + 1.2 * toward * toward)
    sheets = np.zeros(shape, np.float32)
    fibres = np.zeros(shape, np.float32)
    for slant in (-1.0, 1.0):
        slope = slant * rng.uniform(0.15, 0.45)
        bend = smooth_noise(rng, shape, 0.3 * columns) * (0.01 * columns)
        along_bent, across_bent = x + bend, across + slope * x - bend
        tile = (rows // 2, width)
        layered = power_law_noise(rng, tile, EXPONENT + 0.4, longest_wave=0.25 * columns, elongation=2.5)
        lobules = power_law_noise(rng, tile, 4.0, longest_wave=0.08 * columns, elongation=2.0)
        warped = cv2.remap(
            cv2.merge([layered, lobules]), along_bent, across_bent, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        # Folded at zero, the field has sharp bright crests, as sheets of tissue seen edge on.
        sheets += CREST_SCALE * (CREST_MEAN - np.abs(warped[..., 0]))
        fibres += level_lines(warped[..., 1], 0.0016 * columns)
    return sheets * math.sqrt(0.5), fibres


def _glandular_share(rng: np.random.Generator, breast: Breast, texture: Field, density: int) -> Field:
    """Draw the glandular share of the tissue, 0 to 1: a fan behind the nipple with a ragged rim, away from the skin."""
    rows, width = breast.depth.shape
    columns = breast.frame_columns
    x = np.arange(0, width, COARSE, dtype=np.float32)[None, :]
    y = np.arange(0, rows, COARSE, dtype=np.float32)[:, None]
    nipple_x, nipple_y = breast.nipple
    away_x, away_y = (nipple_x - x) / breast.reach, (nipple_y - y) / breast.reach
    away = np.hypot(away_x, away_y)
    # A fan that opens from the nipple, turned towards the upper outer quadrant, where most glandular tissue lies.
    turn, opening = rng.uniform(-0.05, 0.35), rng.uniform(0.5, 0.75)
    aside = (np.arctan2(away_y, away_x + 0.12) - turn) / opening
    behind = np.maximum(away - rng.uniform(0.45, 0.75), 0)
    depth, pectoral = breast.depth[::COARSE, ::COARSE], breast.pectoral[::COARSE, ::COARSE]
    subcutaneous = columns * rng.uniform(0.07, 0.13)
    away_from_skin = np.clip(depth / subcutaneous, 0, 1)
    near_nipple = np.exp(-np.square(away / 0.15))
    plan = -1.2 * np.square(aside) - 4.0 * np.square(behind) + 0.8 * near_nipple
    plan += 0.7 * smooth_noise(rng, depth.shape, 0.45 * columns / COARSE)
    plan += 0.12 * smooth_noise(rng, depth.shape, 0.12 * columns / COARSE)
    plan += 2.5 * (np.maximum(away_from_skin, near_nipple) - 1) - 1.5 * cv2.GaussianBlur(
        pectoral, (0, 0), 0.02 * columns / COARSE
    )
    share = rng.uniform(*DENSE_SHARE[density])
    threshold = np.quantile((plan + 0.22 * texture[::COARSE, ::COARSE])[depth > 0], 1 - share)
    plan = cv2.resize(plan - float(threshold), (width, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(0.5 + 0.5 * np.tanh((plan + 0.22 * texture) / rng.uniform(1.2, 1.9)))


def _strands(rng: np.random.Generator, breast: Breast) -> Field:
    """Draw single ligaments and vessels: thin curves that run roughly towards the nipple, brightest in their middle."""
    rows, width = breast.depth.shape
    count, steps = int(rng.integers(300, 600)), 24
    scale = breast.frame_columns / 800
    x = rng.uniform(-0.1, 1.0, count) * breast.reach
    y = rng.uniform(0, rows, count)
    length = rng.uniform(40, 260, count) * scale / steps
    wander = np.cumsum(rng.normal(0, 0.1, (steps, count)), axis=0) + rng.normal(0, 0.35, count)
    path = np.empty((steps, count, 2))
    # Near the skin they run along it, deeper they run towards the nipple.
    depth = cv2.GaussianBlur(breast.depth[::COARSE, ::COARSE], (0, 0), 0.02 * breast.frame_columns / COARSE)
    slope_y, slope_x = np.gradient(depth)
    superficial = np.exp(-depth / (0.12 * breast.frame_columns))
    for step in range(steps):
        path[step] = np.c_[x, y]
        at = (
            np.clip(y / COARSE, 0, depth.shape[0] - 1).astype(int),
            np.clip(x / COARSE, 0, depth.shape[1] - 1).astype(int),
        )
        to_x, to_y = breast.nipple[0] + 0.5 * breast.reach - x, breast.nipple[1] - y
        along = np.sign(to_y * slope_x[at] - to_x * slope_y[at])
        norm = np.hypot(to_x, to_y) + 1e-6
        aim_x = to_x / norm * (1 - superficial[at]) - 1.5 * along * slope_y[at] / COARSE * superficial[at]
        aim_y = to_y / norm * (1 - superficial[at]) + 1.5 * along * slope_x[at] / COARSE * superficial[at]
        aim = np.arctan2(aim_y, aim_x) + wander[step]
        x, y = x + length * np.cos(aim), y + length * np.sin(aim)
    canvas = np.zeros((rows, width), np.uint8)
    brightness = rng.beta(1.0, 3.5, count)
    vessel = rng.random(count) < 0.06
    brightness[vessel] *= 0.6
    corners = np.ascontiguousarray(np.round(path * 2**4).astype(np.int32).transpose(1, 0, 2))
    for i in np.argsort(brightness):
        for first, last, share in ((0, 24, 0.3), (3, 20, 0.65), (6, 16, 1.0)):
            wide = 3 if vessel[i] and first else 1
            level, thick = int(255 * brightness[i] * share), max(1, round(wide * scale))
            cv2.polylines(canvas, [corners[i, first:last]], False, level, thick, cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(canvas, (0, 0), max(0.4, 0.5 * scale)).astype(np.float32) / 255


def _add_pectoral(rng: np.random.Generator, breast: Breast, attenuation: Field) -> Field:
    if not breast.pectoral.any():
        return attenuation
    rows, columns = _box_at_chest_wall(breast.pectoral > 0)
    box = (slice(0, rows.stop), columns)
    muscle = breast.pectoral[box]
    fibres = power_law_noise(
        rng, (rows.stop, columns.stop), 2.6, longest_wave=0.2 * breast.frame_columns, elongation=5.0
    )
    x = np.arange(columns.stop, dtype=np.float32)[None, :]
    y = np.arange(rows.stop, dtype=np.float32)[:, None]
    # The muscle's fibres run along its front edge; it is thickest towards the shoulder.
    turn = math.radians(rng.uniform(55, 75))
    cos, sin = math.cos(turn), math.sin(turn)
    grain = cv2.remap(fibres, y * sin - x * cos, x * sin + y * cos, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    strength = rng.uniform(0.28, 0.42) * (1 - rng.uniform(0.0, 0.4) * y / rows.stop)
    attenuation[box] += muscle * strength * (1 + 0.05 * grain)
    return attenuation
