"""Shape of the compressed breast: outline, thickness, pectoral muscle, nipple.

The breast is drawn with its chest wall on the left edge of the frame; lengths are in pixels, arrays are
`(rows, columns)` as in the files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from scripts.common.phantom.noise import Field

SUBPIXEL_BITS = 4

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Breast:
    """The shape of one breast in one view.

    Attributes:
        depth: Distance to the skin in pixels, 0 outside the breast, `(rows, columns)`.
        thickness: Compressed thickness relative to the flat middle of the breast, 0 outside, `(rows, columns)`.
        pectoral: Share of pectoral muscle, 0 to 1, `(rows, columns)`; 0 everywhere in the CC view.
        nipple: x and y of the nipple.
        reach: Distance from the chest wall to the nipple.
        frame_columns: Columns of the whole frame, the measure of all sizes.
    """

    depth: Field
    thickness: Field
    pectoral: Field
    nipple: tuple[float, float]
    reach: float
    frame_columns: int

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Whether a pixel is in the breast, `(rows, columns)`."""
        return self.depth > 0

    def cut(self, box: tuple[slice, slice]) -> Breast:
        """Cut out a box of rows and columns that starts at the chest wall."""
        return replace(
            self,
            depth=self.depth[box],
            thickness=self.thickness[box],
            pectoral=self.pectoral[box],
            nipple=(self.nipple[0], self.nipple[1] - box[0].start),
        )


def draw_breast(rng: np.random.Generator, shape: tuple[int, int], view: str, size: float) -> Breast:
    """Draw a breast in the CC or MLO view, in a frame of `shape` (rows, columns).

    `size` is the distance from the chest wall to the nipple as a share of the columns.
    """
    rows, columns = shape
    reach = size * columns
    corners, nipple = (_corners_cc if view == "CC" else _corners_mlo)(rng, rows, columns, reach)
    curve, edge = _spline(corners), -0.3 * columns
    outline = np.vstack([[edge, curve[0, 1]], curve, [edge, curve[-1, 1]]])
    # The frame cuts the breast at the chest wall: the distance to the skin must not see that cut.
    pad = round(0.25 * columns)
    inside = np.zeros((rows + 2 * pad, columns + pad), np.uint8)
    _fill(inside, outline + pad)
    _add_nipple(rng, inside, (nipple[0] + pad, nipple[1] + pad), columns)
    if view == "MLO" and rng.random() < 0.4:
        _add_abdomen(rng, inside, pad)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    depth = cv2.GaussianBlur(depth, (0, 0), 0.004 * columns) * inside
    depth = np.ascontiguousarray(depth[pad : pad + rows, pad:])
    pectoral = np.zeros(shape, np.float32) if view == "CC" else _pectoral(rng, depth)
    return Breast(depth, _thickness(rng, depth, view), pectoral, nipple, reach, columns)


def _corners_cc(rng: np.random.Generator, rows: int, columns: int, reach: float) -> tuple[Points, tuple[float, float]]:
    """Draw points of the skin line, `(n, 2)` as x and y, and the nipple."""
    half = np.minimum(reach * rng.uniform(0.72, 0.98, 2), 0.47 * rows)
    centre = rows * 0.5 + rng.uniform(-0.5, 0.5) * max(0.0, 0.94 * rows - half.sum())
    centre = float(np.clip(centre, half[0] + 0.02 * rows, rows * 0.98 - half[1]))
    nipple = (reach, centre)
    angles = np.deg2rad([22.0, 45.0, 66.0])
    sides = []
    for extent in (-half[0], half[1]):
        blunt = rng.uniform(0.8, 1.3)
        side = [(reach * np.cos(a) ** blunt, centre + extent * np.sin(a)) for a in angles]
        flare = rng.uniform(1.0, 1.22)
        sides.append([*side, (-0.08 * columns, centre + extent * flare)])
    return np.array([*sides[0][::-1], nipple, *sides[1]]), nipple


def _corners_mlo(rng: np.random.Generator, rows: int, columns: int, reach: float) -> tuple[Points, tuple[float, float]]:
    nipple_y = rows * rng.uniform(0.54, 0.66)
    below = min(reach * rng.uniform(0.62, 0.85), 0.95 * rows - nipple_y)
    nipple = (reach, nipple_y)
    top = min(columns * rng.uniform(0.3, 0.66), 0.9 * reach)
    waist = columns * rng.uniform(0.0, 0.07)
    shares = np.array([0.0, 0.22, 0.45, 0.68, 0.86])
    rise = np.sin(0.5 * np.pi * shares) ** rng.uniform(1.2, 1.8)
    upper_x = top + (reach - top) * rise - waist * np.sin(np.pi * np.minimum(shares / 0.7, 1)) ** 2
    upper_y = -0.1 * rows + shares * (nipple_y + 0.1 * rows)
    blunt = rng.uniform(0.62, 0.95)
    angles = np.deg2rad([24.0, 46.0, 66.0])
    lower = np.c_[reach * np.cos(angles) ** blunt, nipple_y + below * np.sin(angles)]
    end = (-0.1 * columns, nipple_y + below * rng.uniform(0.86, 1.0))
    return np.vstack([np.c_[upper_x, upper_y], nipple, lower, end]), nipple


def _spline(points: Points) -> Points:
    steps = np.sqrt(np.hypot(*np.diff(points, axis=0).T))
    position = np.concatenate([[0.0], np.cumsum(steps)])
    return np.asarray(CubicSpline(position, points)(np.linspace(0, position[-1], 200)))


def _fill(image: NDArray[np.uint8], outline: Points) -> None:
    corners = np.round(outline * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(image, [corners], 1, lineType=cv2.LINE_8, shift=SUBPIXEL_BITS)


def _add_nipple(rng: np.random.Generator, inside: NDArray[np.uint8], nipple: tuple[float, float], columns: int) -> None:
    """Let the nipple stand out of the skin line in about half of the breasts, as in a profile view."""
    if rng.random() < 0.5:
        return
    y = round(nipple[1] + columns * rng.uniform(-0.02, 0.02))
    edge = int(np.flatnonzero(inside[y])[-1])
    half_height, out = columns * rng.uniform(0.02, 0.03), columns * rng.uniform(0.008, 0.02)
    cv2.ellipse(inside, (edge, y), (round(out), round(half_height)), 0, 0, 360, 1, -1)


def _add_abdomen(rng: np.random.Generator, inside: NDArray[np.uint8], pad: int) -> None:
    """Skin of the upper abdomen below the breast, at the chest wall, which many MLO views show."""
    rows, columns = inside.shape[0] - 2 * pad, inside.shape[1] - pad
    lowest = int(np.flatnonzero(inside[:, pad])[-1])
    near, far = columns * rng.uniform(0.0, 0.03), columns * rng.uniform(0.04, 0.15)
    t = np.linspace(0, 1, 20)
    y = lowest - 0.06 * columns + t * (rows + 2 * pad - lowest + 0.06 * columns)
    x = pad + near + (far - near) * t ** rng.uniform(0.7, 1.6)
    _fill(inside, np.vstack([np.c_[x, y], [0.0, y[-1]], [0.0, y[0]]]))


def _thickness(rng: np.random.Generator, depth: Field, view: str) -> Field:
    """Flat under the paddle; towards the skin the breast bulges freely, nearly as a circle."""
    rows, columns = depth.shape
    roll_off = columns * rng.uniform(0.1, 0.2)
    free = np.minimum(depth / np.float32(roll_off), 1)
    profile = np.sqrt(1 - (1 - free) ** 2)
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, columns, dtype=np.float32)[None, :]
    tilt = rng.uniform(-0.03, 0.03) * y - rng.uniform(0.0, 0.06) * x
    if view == "MLO":
        tilt = tilt - 0.03 * y
    return (profile * (1 + tilt)).astype(np.float32)


def _pectoral(rng: np.random.Generator, depth: Field) -> Field:
    """The pectoral muscle of the MLO view: a wedge in the upper corner at the chest wall, with a bowed edge."""
    rows, columns = depth.shape
    visible = np.flatnonzero(depth[round(0.02 * rows)] > 0.02 * columns)
    widest = visible[-1] if visible.size else 0.4 * columns
    top = min(columns * rng.uniform(0.28, 0.52), 0.8 * widest)
    bottom = rows * rng.uniform(0.42, 0.72)
    bow = rng.uniform(-0.04, 0.1)
    t = np.linspace(-0.15, 1.1, 60)
    line_x = top * (1 - t) + bow * columns * np.sin(np.pi * np.clip(t, 0, 1))
    line_y = bottom * t
    pad = round(0.2 * columns)
    wedge = np.zeros((rows + pad, columns + pad), np.uint8)
    outline = np.vstack([np.c_[line_x, line_y], [-pad, line_y[-1]], [-pad, line_y[0]]])
    _fill(wedge, outline + pad)
    reach = cv2.distanceTransform(wedge, cv2.DIST_L2, 5)[pad:, pad:]
    edge = columns * rng.uniform(0.012, 0.03)
    share = 0.6 * (1 - np.exp(-reach / edge)) + 0.4 * np.minimum(reach / (0.3 * columns), 1)
    return (share * (depth > 0)).astype(np.float32)
