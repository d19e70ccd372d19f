"""Boxes that a reader drew at a workstation, out of the presentation state that the workstation stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from custom.errors import InputError, reason
from custom.findings.dicom.source import kind_name
from custom.readers.dicom import quiet_pydicom, read_dicom
from custom.transforms.crop import Box


def read_boxes(file: Path) -> dict[str, list[Box]]:
    """The boxes around the graphics of a Grayscale Softcopy Presentation State, image by image.

    A box bounds the line itself, however thick it is drawn: the points of a POLYLINE or of an INTERPOLATED curve (a
    curve may leave them a little), a CIRCLE, or an ELLIPSE of any direction. Texts and their frames mark nothing, and a
    compound graphic is there as simple ones as well (PS3.3 C.10.5.1.3.1). A graphic that names no image is meant for
    all images of the presentation state.

    In units of PIXEL the origin is the outer corner of the first pixel, 0\\0, and 1\\1 is its inner corner (PS3.3
    C.10.5, figure C.10.5-1; it is the displayed area of C.10.4 whose first pixel is 1\\1). So a point is in our
    coordinates as it stands, and the least and the greatest of each axis are a half-open box. Rotation and flips of the
    display come after these coordinates and leave them alone.

    Returns:
        By SOP Instance UID of the image: boxes `(x0, y0, x1, y1)`, half-open, in pixels, fractions and all, in the
        order of the file.

    Raises:
        InputError: not a GSPS, or damaged; no graphic; one in other units than pixels of the image, of another kind, or
            that bounds no area.
    """
    try:
        with quiet_pydicom():
            kind, graphics = _parse(read_dicom(file))
    except Exception as error:  # A broken file makes pydicom raise anything.
        raise InputError(
            f"{file}: cannot be read ({reason(error)}), expected a DICOM presentation state (GSPS); export it again"
        ) from error
    if kind != GrayscaleSoftcopyPresentationStateStorage:
        raise InputError(
            f"{file}: found {kind_name(kind)}, expected Grayscale Softcopy Presentation State Storage; export the "
            "marks as GSPS"
        )
    boxes: dict[str, list[Box]] = defaultdict(list)
    for graphic in graphics:
        box = _box(file, graphic)
        for image in graphic.images:
            boxes[image].append(box)
    if not boxes:
        raise InputError(
            f"{file}: found no graphic annotation of an image, expected a closed line, a circle or an ellipse around "
            "each mass; draw them and store the presentation state again"
        )
    return dict(boxes)


class _Graphic(NamedTuple):
    """A graphic object, with the SOP Instance UIDs of its images."""

    images: list[str]
    kind: str
    units: str
    data: list[float]


def _parse(state: Dataset) -> tuple[str, list[_Graphic]]:
    """The kind of file, and its graphics."""
    shown = [image for series in state.get("ReferencedSeriesSequence") or [] for image in _images(series)]
    return str(state.get("SOPClassUID")), [
        _Graphic(
            _images(annotation) or shown,
            str(graphic.GraphicType),
            str(graphic.GraphicAnnotationUnits),
            list(map(float, graphic.GraphicData)),
        )
        for annotation in state.get("GraphicAnnotationSequence") or []
        for graphic in annotation.get("GraphicObjectSequence") or []
    ]


def _images(item: Dataset) -> list[str]:
    return [str(image.ReferencedSOPInstanceUID) for image in item.get("ReferencedImageSequence") or []]


def _box(file: Path, graphic: _Graphic) -> Box:
    if graphic.units != "PIXEL":
        found = graphic.units if graphic.units in ("DISPLAY", "MATRIX") else "unknown units"
        raise InputError(
            f"{file}: found a graphic in units of {found}, expected PIXEL: any other place depends on the screen that "
            "it was drawn on; tie the mark to the image or give its box with --boxes"
        )
    kind = graphic.kind
    if kind not in _BOUNDS:
        found = kind if kind == "POINT" else "an unknown graphic"
        raise InputError(
            f"{file}: found {found}, expected one of {', '.join(_BOUNDS)}: anything else tells no size of the mass; "
            "draw its bounds or give its box with --boxes"
        )
    try:
        low, high = _BOUNDS[kind](np.array(graphic.data).reshape(-1, 2))
    except (IndexError, ValueError) as error:
        raise InputError(
            f"{file}: found {kind} with data that do not fit it, expected pairs of x and y as in PS3.3 C.10.5.1.2; "
            "store the presentation state again"
        ) from error
    if not (np.isfinite([low, high]).all() and (low < high).all()):
        raise InputError(
            f"{file}: found {kind} that bounds no area, expected a line around the mass; draw its bounds or give its "
            "box with --boxes"
        )
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


_Bounds = tuple[np.ndarray, np.ndarray]


def _of_line(points: np.ndarray) -> _Bounds:
    if len(points) < 3:
        return points[0], points[0]  # A ruler or the shaft of an arrow.
    return points.min(axis=0), points.max(axis=0)


def _of_circle(points: np.ndarray) -> _Bounds:
    centre, on_circle = points
    radius = np.hypot(*(on_circle - centre))
    return centre - radius, centre + radius


def _of_ellipse(points: np.ndarray) -> _Bounds:
    """Of `centre + a cos t + b sin t`, whose greatest x is `sqrt(a_x^2 + b_x^2)` from the centre, and so for y."""
    start, end, other_start, other_end = points
    reach = np.hypot(end - start, other_end - other_start) / 2
    centre = (start + end) / 2
    return centre - reach, centre + reach


_BOUNDS: dict[str, Callable[[np.ndarray], _Bounds]] = {
    "POLYLINE": _of_line,
    "INTERPOLATED": _of_line,
    "CIRCLE": _of_circle,
    "ELLIPSE": _of_ellipse,
}
