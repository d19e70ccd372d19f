"""Measurements of a predicted mask: size, roundness and confidence.

A mask is the union of the squares of its pixels: the pixel of column `i` reaches from `i` to `i + 1`, as with boxes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from custom.findings.spacing import Spacing
from custom.transforms.crop import mask_box

Ends = tuple[tuple[float, float], tuple[float, float]]

# A coarse look at a chord rejects most of those that leave the mask; the close one has two samples a pixel.
_COARSE = np.linspace(0, 1, 11)[1:-1]
_PER_PIXEL = 2
_CHORDS_AT_ONCE = 512
# All pairs are compared. A smooth outline of 1000 pixels across has about as many corners.
_MOST_CORNERS = 2000
# The perpendicular is searched among parallel lines, and measured along them, in these parts of a pixel's shorter side.
_STEP = 0.25
# A point this near to the middle between two grid points, in pixels, is in the middle but for rounding.
_TIE = 1e-9
# Standard deviation, in pixels, of the Gaussian that smooths the steps of an outline before its length is taken.
_SMOOTHING = 1.0


@dataclass(frozen=True)
class Measurements:
    """Measurements of one mask, as `measure` defines them.

    Lengths and ends `((x, y), (x, y))` are in pixels of the mammogram; what is in mm is None without a spacing.
    """

    area: int
    longest_diameter: float
    longest_ends: Ends
    perpendicular_diameter: float
    perpendicular_ends: Ends
    circularity: float
    mean_probability: float
    mean_entropy: float
    area_mm2: float | None
    longest_diameter_mm: float | None
    perpendicular_diameter_mm: float | None


def measure(mask: np.ndarray, probability: np.ndarray, spacing: Spacing | None = None) -> Measurements | None:
    """Measure one mask.

    - Longest diameter: the longest straight line between two corners of the outline that stays within it (leaving it by
      less than a pixel, since the outline is made of steps). Holes count as within.
    - Perpendicular diameter: the longest straight line at right angles to it that stays within the outline. A reader
      draws both for a lesion in one plane in RECIST and, of two diameters, by the WHO (Eisenhauer et al., "New response
      evaluation criteria in solid tumours: revised RECIST guideline (version 1.1)", Eur. J. Cancer 45 (2009),
      pp. 228-247, doi 10.1016/j.ejca.2008.10.026; Miller et al., "Reporting results of cancer treatment", Cancer 47
      (1981), pp. 207-214).
    - Circularity: 4 pi area / perimeter squared (Cox, "A method of assigning numerical and percentage values to the
      degree of roundness of sand grains", J. Paleontology 1 (1927), pp. 179-183), at most 1. The perimeter, including
      that of holes, is the total variation of the mask smoothed by a Gaussian of one pixel (coarea formula), which does
      not count the steps.

    Where the spacing differs between rows and columns, angles and lengths are compared in mm, and the values in pixels
    are those of the same lines.

    Args:
        mask: Bool `(X, Y)`.
        probability: Array of the same shape, within 0 and 1.
        spacing: Spacing of the pixels; None where it is not known.

    Returns:
        None for an empty mask.
    """
    box = mask_box(mask[None])
    if box is None:
        return None
    x0, y0, x1, y1 = box
    shape, corner = mask[x0:x1, y0:y1], np.array([x0, y0], dtype=float)
    pixel = np.ones(2) if spacing is None else np.array([spacing.column, spacing.row])
    filled = ndimage.binary_fill_holes(shape)
    # Relative, so that of two equal lines the same one is found whatever the size of the pixels.
    relative = pixel / pixel.min()
    longest = _longest_of_pieces(filled, relative)
    perpendicular = _longest_perpendicular(filled, longest, relative)
    inside = probability[mask].astype(np.float64)
    area, known = int(shape.sum()), spacing is not None
    scaled_area = float(area * pixel.prod())
    return Measurements(
        area=area,
        longest_diameter=_length(longest, np.ones(2)),
        longest_ends=_ends(longest + corner),
        perpendicular_diameter=_length(perpendicular, np.ones(2)),
        perpendicular_ends=_ends(perpendicular + corner),
        circularity=min(4 * math.pi * scaled_area / _perimeter(shape, pixel) ** 2, 1.0),
        mean_probability=float(inside.mean()),
        mean_entropy=float(_entropy(inside).mean()),
        area_mm2=scaled_area if known else None,
        longest_diameter_mm=_length(longest, pixel) if known else None,
        perpendicular_diameter_mm=_length(perpendicular, pixel) if known else None,
    )


def _longest_of_pieces(filled: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """The two ends `(2, 2)` of the longest line between corners of the outline that stays within it."""
    pieces, _ = ndimage.label(filled, structure=np.ones((3, 3)))
    places = ndimage.find_objects(pieces)
    reaches = [np.linalg.norm([side.stop - side.start for side in place] * pixel) for place in places]
    best, ends = -1.0, np.zeros((2, 2))
    for number in np.argsort(reaches)[::-1]:
        if reaches[number] <= best:
            break
        place = places[number]
        chord = _longest_chord(pieces[place] == number + 1, pixel)
        if (length := _length(chord, pixel)) > best:
            best, ends = length, chord + [side.start for side in place]
    return ends


def _longest_chord(piece: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    corners = _corners(piece)
    first, second = np.triu_indices(len(corners), k=1)
    lengths = (((corners[first] - corners[second]) * pixel) ** 2).sum(axis=1)
    order = np.argsort(-lengths, kind="stable")
    # The closed mask has the grid points that any of its pixels touches.
    touched = cv2.dilate(np.pad(piece, ((0, 1), (0, 1))).astype(np.uint8), np.ones((2, 2), np.uint8), anchor=(1, 1)) > 0
    for start in range(0, len(order), _CHORDS_AT_ONCE):
        some = order[start : start + _CHORDS_AT_ONCE]
        some = some[_stay_within(touched, corners[first[some]], corners[second[some]], _COARSE)]
        for pair in some:
            ends = corners[[first[pair], second[pair]]]
            closely = np.linspace(0, 1, 2 + int(_PER_PIXEL * np.abs(ends[1] - ends[0]).max()))
            if _stay_within(touched, ends[:1], ends[1:], closely)[0]:
                return ends
    return corners[[0, 0]]


def _corners(filled: np.ndarray) -> np.ndarray:
    """Convex corners of the outline, `(N, 2)`: grid points that touch just one pixel; of too many, only some."""
    padded = np.pad(filled, 1).astype(np.uint8)
    neighbours = padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]
    corners = np.argwhere(neighbours == 1).astype(float)
    return corners[:: -(-len(corners) // _MOST_CORNERS)]


def _stay_within(touched: np.ndarray, begin: np.ndarray, end: np.ndarray, steps: np.ndarray) -> np.ndarray:
    points = begin[:, None] + steps[:, None] * (end - begin)[:, None]
    # A point midway between two grid points counts for both, or a rotated mask would measure differently.
    low, high = (np.floor(points + 0.5 + side).astype(int) for side in (-_TIE, _TIE))
    near = [touched[x[..., 0], y[..., 1]] for x in (low, high) for y in (low, high)]
    return np.logical_or.reduce(near).all(axis=1)


def _longest_perpendicular(filled: np.ndarray, longest: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """The two ends `(2, 2)` of the longest line within the outline at right angles to `longest`."""
    axis = (longest[1] - longest[0]) * pixel
    axis /= np.linalg.norm(axis)
    across = np.array([-axis[1], axis[0]])
    # Lines beyond the ends of the longest one cross the mask as well.
    corners = np.array([[x, y] for x in (0, filled.shape[0]) for y in (0, filled.shape[1])]) * pixel
    extents = (corners @ axis, corners @ across)
    along, beside = (np.arange(extent.min() + _STEP / 2, extent.max(), _STEP) for extent in extents)
    best, ends = 0, np.zeros((2, 2))
    for place in along:
        points = (place * axis + beside[:, None] * across) / pixel
        x, y = np.floor(points).astype(int).T
        within = (x >= 0) & (y >= 0) & (x < filled.shape[0]) & (y < filled.shape[1])
        within[within] = filled[x[within], y[within]]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], within, [False]]).astype(np.int8))).reshape(-1, 2)
        if not len(edges):
            continue
        low, high = edges[np.diff(edges, axis=1).argmax()]
        if high - low > best:
            best = high - low
            reach = np.array([beside[low] - _STEP / 2, beside[high - 1] + _STEP / 2])
            ends = (place * axis + reach[:, None] * across) / pixel
    return ends


def _perimeter(shape: np.ndarray, pixel: np.ndarray) -> float:
    """The length of the outline: the total variation of the smoothed mask."""
    padded = np.pad(shape, math.ceil(6 * _SMOOTHING)).astype(float)
    slopes = [
        ndimage.gaussian_filter(padded, _SMOOTHING, order=order) / step
        for order, step in zip(((1, 0), (0, 1)), pixel, strict=True)
    ]
    return float(np.hypot(*slopes).sum() * pixel.prod())


def _entropy(probability: np.ndarray) -> np.ndarray:
    parts = np.stack([probability, 1 - probability])
    return -(parts * np.log2(parts, where=parts > 0, out=np.zeros_like(parts))).sum(axis=0)


def _length(ends: np.ndarray, pixel: np.ndarray) -> float:
    return float(np.linalg.norm((ends[1] - ends[0]) * pixel))


def _ends(ends: np.ndarray) -> Ends:
    (x0, y0), (x1, y1) = ends.tolist()
    return (x0, y0), (x1, y1)
