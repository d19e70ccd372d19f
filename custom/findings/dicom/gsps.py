"""Boxes from a presentation state: the marks that a reader drew at a workstation."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from custom.errors import InputError, reason
from custom.findings.dicom.source import kind_name
from custom.readers.dicom import quiet_pydicom, read_dicom
from custom.transforms.crop import Box

_KINDS = ("POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE")


def read_boxes(file: Path) -> dict[str, list[Box]]:
    """Read the boxes around the graphics of a Grayscale Softcopy Presentation State, image by image.

    A box bounds the line itself, however thick it is drawn: the points of a POLYLINE or of an INTERPOLATED curve (a
    curve may leave them a little), a CIRCLE, or an ELLIPSE of any direction. Texts and their frames mark nothing, and a
    compound graphic is also stored as simple ones (PS3.3 C.10.5.1.3.1). A graphic that names no image is meant for all
    images of the presentation state.

    In units of PIXEL the origin is the outer corner of the first pixel, 0\\0, and 1\\1 is its inner corner (PS3.3
    C.10.5, figure C.10.5-1; the displayed area of C.10.4 is the one whose first pixel is 1\\1). So the coordinates are
    ours, and the least and the greatest of each axis are a half-open box. Rotation and flips of the display are applied
    after these coordinates and leave them alone.

    Returns:
        Boxes `(x0, y0, x1, y1)` by SOP Instance UID of the image, half-open, in fractional pixels, in the order of the
        file.

    Raises:
        InputError: The file is no GSPS, damaged, or without a graphic; or a graphic is of another kind, in other units
            than pixels of the image, or bounds no area.
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
    for images, graphic, units, data in graphics:
        box = _box(file, graphic, units, data)
        for image in images:
            boxes[image].append(box)
    if not boxes:
        raise InputError(
            f"{file}: found no graphic annotation of an image, expected a closed line, a circle or an ellipse around "
            "each mass; draw them and store the presentation state again"
        )
    return dict(boxes)


def _parse(state: Dataset) -> tuple[str, list[tuple[list[str], str, str, list[float]]]]:
    """The SOP class of a file, and of its graphics the images, kind, units and data."""
    shown = [image for series in state.get("ReferencedSeriesSequence") or [] for image in _images(series)]
    return str(state.get("SOPClassUID")), [
        (
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


def _box(file: Path, kind: str, units: str, data: list[float]) -> Box:
    if units != "PIXEL":
        found = units if units in ("DISPLAY", "MATRIX") else "unknown units"
        raise InputError(
            f"{file}: found a graphic in units of {found}, expected PIXEL: any other place depends on the screen that "
            "it was drawn on; tie the mark to the image or give its box with --boxes"
        )
    if kind not in _KINDS:
        found = kind if kind == "POINT" else "an unknown graphic"
        raise InputError(
            f"{file}: found {found}, expected one of {', '.join(_KINDS)}: anything else tells no size of the mass; "
            "draw its bounds or give its box with --boxes"
        )
    try:
        low, high = _bounds(kind, np.array(data).reshape(-1, 2))
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


def _bounds(kind: str, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest x and y of a graphic with these `points`, `(N, 2)`."""
    if kind == "CIRCLE":
        centre, on_circle = points
        reach = np.hypot(*(on_circle - centre))
    elif kind == "ELLIPSE":
        start, end, other_start, other_end = points
        centre = (start + end) / 2
        # The greatest x of `centre + a cos t + b sin t` is `sqrt(a_x^2 + b_x^2)` from the centre, and so for y.
        reach = np.hypot(end - start, other_end - other_start) / 2
    elif len(points) < 3:
        return points[0], points[0]  # A ruler or the shaft of an arrow.
    else:
        return points.min(axis=0), points.max(axis=0)
    return centre - reach, centre + reach
