"""Measurements of a predicted mask: how large, how round, how sure.

A mask is the union of the squares of its pixels: the pixel of column `i` reaches from `i` to `i + 1`, as with boxes.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from scipy import ndimage

from custom.findings.finding import Measurements
from custom.findings.spacing import Spacing

Point = tuple[float, float]
Ends = tuple[Point, Point]

# A coarse look at a chord throws most of those out that leave the mask; the close one has two samples a pixel.
_COARSE = np.linspace(0, 1, 11)[1:-1]
_PER_PIXEL = 2
_CHORDS_AT_ONCE = 512
# Every two are compared. A smooth outline of 1000 pixels across has about as many.
_MOST_CORNERS = 2000
# The perpendicular is sought among lines, and measured along them, in steps of this many pixels.
_STEP = 0.25
# Of a point to the middle between two grid points, in pixels; less is rounding.
_TIE = 1e-9
# Of the Gaussian that smooths the steps of an outline before its length is taken, in pixels.
_SMOOTHING = 1.0


def measure(mask: np.ndarray, probability: np.ndarray, spacing: Spacing | None = None) -> Measurements | None:
    """The measurements of one mask; lengths in mm as well where the spacing is known.

    - Area: the number of pixels, times the area of one.
    - Longest diameter: the longest straight line between two corners of the outline that stays within it (leaving it by
      less than a pixel, since the outline is made of steps). Holes count as within.
    - Perpendicular diameter: the longest straight line at right angles to it that stays within the outline. Both as
      for a lesion in one plane in RECIST and, of two diameters, by the WHO (Eisenhauer et al., "New response evaluation
      criteria in solid tumours: revised RECIST guideline (version 1.1)", Eur. J. Cancer 45 (2009), pp. 228-247,
      doi 10.1016/j.ejca.2008.10.026; Miller et al., "Reporting results of cancer treatment", Cancer 47 (1981),
      pp. 207-214), where a reader draws them.
    - Circularity: 4 pi area / perimeter squared (Cox, "A method of assigning numerical and percentage values to the
      degree of roundness of sand grains", J. Paleontology 1 (1927), pp. 179-183), at most 1. The perimeter, of holes as
      well, is the total variation of the mask smoothed by a Gaussian of one pixel (coarea formula), which does not
      count the steps.
    - Mean probability, and mean entropy of the probabilities in bits, over the pixels of the mask.

    Where the spacing differs between rows and columns, angles and lengths are compared in mm, and the values in pixels
    are those of the same lines.

    Args:
        mask: bool `(X, Y)`.
        probability: of the same shape, within 0 and 1.
        spacing: of the pixels; None where it is not known.

    Returns:
        None for an empty mask.
    """
    rows, columns = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    corner = np.array([columns[0], rows[0]], dtype=float)
    shape = mask[columns[0] : columns[-1] + 1, rows[0] : rows[-1] + 1]
    pixel = np.ones(2) if spacing is None else np.array([spacing.column, spacing.row])
    filled = ndimage.binary_fill_holes(shape)
    # Of two equal lines the same one is found whatever the spacing, which then only rounds.
    relative = pixel / pixel.min()
    longest = _longest_of_pieces(filled, relative)
    perpendicular = _longest_perpendicular(filled, longest, relative)
    inside = probability[mask].astype(np.float64)
    known = spacing is not None
    return Measurements(
        area=int(shape.sum()),
        longest_diameter=_length(longest, np.ones(2)),
        longest_ends=_ends(longest + corner),
        perpendicular_diameter=_length(perpendicular, np.ones(2)),
        perpendicular_ends=_ends(perpendicular + corner),
        circularity=min(4 * math.pi * float(shape.sum() * pixel.prod()) / _perimeter(shape, pixel) ** 2, 1.0),
        mean_probability=float(inside.mean()),
        mean_entropy=float(_entropy(inside).mean()),
        area_mm2=float(shape.sum() * pixel.prod()) if known else None,
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
    """Where the outline turns outward, `(N, 2)`: grid points that touch just one pixel; of too many, only some."""
    padded = np.pad(filled, 1).astype(np.uint8)
    neighbours = padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]
    corners = np.argwhere(neighbours == 1).astype(float)
    return corners[:: -(-len(corners) // _MOST_CORNERS)]


def _stay_within(touched: np.ndarray, begin: np.ndarray, end: np.ndarray, steps: np.ndarray) -> np.ndarray:
    points = begin[:, None] + steps[:, None] * (end - begin)[:, None]
    # A point between two grid points is near both, or the mask turned would be measured otherwise.
    low, high = (np.floor(points + 0.5 + side).astype(int) for side in (-_TIE, _TIE))
    near = [touched[x[..., 0], y[..., 1]] for x in (low, high) for y in (low, high)]
    return np.logical_or.reduce(near).all(axis=1)


def _longest_perpendicular(filled: np.ndarray, longest: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """The two ends `(2, 2)` of the longest line within the outline at right angles to `longest`."""
    axis = (longest[1] - longest[0]) * pixel
    axis /= np.linalg.norm(axis)
    across = np.array([-axis[1], axis[0]])
    # In mm, or in pixels where those are not known; lines beyond the ends of the longest one cross the mask as well.
    corners = np.array([[x, y] for x in (0, filled.shape[0]) for y in (0, filled.shape[1])]) * pixel
    step = _STEP * pixel.min()
    along, beside = (_middles(corners @ direction, step) for direction in (axis, across))
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
            reach = np.array([beside[low] - step / 2, beside[high - 1] + step / 2])
            ends = (place * axis + reach[:, None] * across) / pixel
    return ends


def _middles(extent: np.ndarray, step: float) -> np.ndarray:
    return np.arange(extent.min() + step / 2, extent.max(), step)


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
