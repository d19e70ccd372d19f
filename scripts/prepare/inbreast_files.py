"""Reading the files of an INbreast download: names, the sheet, the annotations and their outlines."""

from __future__ import annotations

import csv
import io
import math
import plistlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from custom.errors import InputError, reason
from custom.files import read_bytes

INNER_FOLDER = "INbreast Release 1.0"
IMAGES, ANNOTATIONS, SHEET = "AllDICOMs", "AllXML", "INbreast.csv"
MASS = "mass"
SPICULATED = ("spiculated region", "espiculated region")
METADATA = ("patient_id", "laterality", "view", "birads", "density", "pathology")
LEAST_POINTS = 3

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_POINT = re.compile(rf"\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*")
_IMAGE_NAME = re.compile(r"([0-9]+)_([0-9a-f]{16})_MG_([RL])_(CC|ML|FB)_ANON\.dcm", re.IGNORECASE)
_LONGEST_POINT = 200
_SIDES = {"L": "LEFT", "R": "RIGHT"}
# The files' names shorten the one view whose name is longer than two letters.
_VIEWS = {"ML": "MLO"}
# Fractions of a pixel that OpenCV keeps of a corner, in bits.
_SHIFT = 8


class ImageName(NamedTuple):
    """The parts of an image file's name; the sheet and the header have no patient.

    Attributes:
        image_id: Number of the image, also the name of its annotation.
        patient_id: 16 hexadecimal digits, the same for all images of a patient.
        laterality: `LEFT` or `RIGHT`.
        view: `CC`, `MLO` or `FB`.
    """

    image_id: str
    patient_id: str
    laterality: str
    view: str


@dataclass(frozen=True)
class Roi:
    """One region of an annotation.

    Attributes:
        number: Place in the annotation, from 1.
        name: Name in lower case, without spaces around.
        points: Corners `(x, y)` in pixels of the image, x = column; empty where there is a fault.
        fault: Why the region has no outline; empty if it has one.
    """

    number: int
    name: str
    points: tuple[tuple[float, float], ...]
    fault: str


def find_release(source: str) -> Path:
    """Find the folder of the release: `source` itself or the one in it.

    Raises:
        InputError: neither holds the images, the annotations and the sheet.
    """
    outer = Path(source).resolve()
    if not outer.is_dir():
        raise InputError(f"{source}: no such folder; expected the downloaded {INNER_FOLDER!r} or the folder around it")
    missing: dict[Path, list[str]] = {}
    for folder in (outer, outer / INNER_FOLDER):
        kinds = {IMAGES: Path.is_dir, ANNOTATIONS: Path.is_dir, SHEET: Path.is_file}
        missing[folder] = [name for name, is_there in kinds.items() if not is_there(folder / name)]
        if not missing[folder]:
            return folder
    nearest = min(missing, key=lambda folder: (len(missing[folder]), not folder.is_dir()))
    raise InputError(
        f"{nearest}: {', '.join(missing[nearest])} not found; expected a folder that holds "
        f"{IMAGES}, {ANNOTATIONS} and {SHEET}, or {INNER_FOLDER!r} in it"
    )


def parse_image_name(name: str) -> ImageName | None:
    """Parse `<image_id>_<patient>_MG_<R|L>_<CC|ML|FB>_ANON.dcm`; None for any other name."""
    match = _IMAGE_NAME.fullmatch(name)
    if match is None:
        return None
    image_id, patient, side, view = match.groups()
    return ImageName(image_id, patient.lower(), _SIDES[side.upper()], _VIEWS.get(view.upper(), view.upper()))


def metadata(name: ImageName | None, sheet: Mapping[str, str]) -> dict[str, str]:
    """Return what a datalist says of an image's lesions beside their names; empty where it is not known."""
    known = {**(name._asdict() if name else {}), **sheet}
    return {key: known.get(key, "") for key in METADATA}


def parse_point(text: str) -> tuple[float, float] | None:
    """Parse a point `"(x, y)"`; None for anything but two finite decimal numbers."""
    # Of a longer text the pattern would try every way to cut its digits.
    match = _POINT.fullmatch(text) if len(text) <= _LONGEST_POINT else None
    if match is None:
        return None
    x, y = float(match[1]), float(match[2])
    return (x, y) if math.isfinite(x) and math.isfinite(y) else None


def read_sheet(file: Path, content: bytes) -> dict[str, dict[str, str]]:
    """Read `birads` (as written, such as `4a`) and `density` (ACR; empty where the cell is blank) of each image id.

    Raises:
        InputError: a column is missing.
    """
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""), delimiter=";")
    try:
        rows = [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        raise InputError(f"{file}: not a CSV table ({error}); expected the sheet of the release") from error
    heading = rows[0] if rows else []
    wanted = {"File Name": "image_id", "Bi-Rads": "birads", "ACR": "density"}
    missing = [name for name in wanted if name not in heading]
    if missing:
        raise InputError(
            f"{file}: column {', '.join(missing)} is missing; found {', '.join(heading) or 'none'}; "
            "expected the sheet of the release, its cells separated by semicolons"
        )
    cells = [dict(zip(heading, row, strict=False)) for row in rows[1:] if any(row)]
    images = [{key: row.get(name, "") for name, key in wanted.items()} for row in cells]
    return {image.pop("image_id"): image for image in images}


def read_annotation(file: Path) -> bytes:
    """Read the content of an annotation.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return read_bytes(file)
    except OSError as error:
        raise InputError(f"{file.parent.name}/{file.name}: cannot be read ({error.strerror})") from error


def read_rois(file: Path, content: bytes) -> list[Roi]:
    """Parse the regions of an annotation, an Apple property list, in its order.

    Raises:
        InputError: the file is not such a list.
    """
    try:
        # Only XML, not the binary form; plistlib refuses entities.
        images = plistlib.loads(content, fmt=plistlib.FMT_XML)["Images"]
        regions = [region for image in images[:1] for region in image["ROIs"]]
        return [_roi(number, region) for number, region in enumerate(regions, start=1)]
    except Exception as error:  # plistlib lets through whatever broken content makes it stumble over.
        raise InputError(
            f"{file.parent.name}/{file.name}: not a property list with Images[0].ROIs "
            f"({type(error).__name__}: {reason(error)}); fetch the file again"
        ) from error


def _roi(number: int, region: Mapping[str, Any]) -> Roi:
    name = " ".join(str(region.get("Name") or "").lower().split())
    texts = list(region.get("Point_px") or [])
    parsed = [parse_point(str(text)) for text in texts]
    points = tuple(point for point in parsed if point is not None)
    fault = ""
    if region.get("NumberOfPoints") != len(texts):
        fault = f"NumberOfPoints is {region.get('NumberOfPoints')}, but Point_px holds {len(texts)}"
    elif len(points) < len(texts):
        fault = f"Point_px holds {texts[parsed.index(None)]!r}, expected two numbers (x, y)"
    elif len(points) < LEAST_POINTS:
        fault = f"fewer than {LEAST_POINTS} points: {len(points)}"
    return Roi(number, name, () if fault else points, fault)


def points_outside(points: Sequence[tuple[float, float]], shape: tuple[int, int]) -> int:
    """Count the points outside an image of `shape`, columns and rows."""
    return sum(not (0 <= x < shape[0] and 0 <= y < shape[1]) for x, y in points)


def rasterise(points: Sequence[tuple[float, float]], shape: tuple[int, int]) -> np.ndarray:
    """Fill a polygon, the pixels under its outline included; return a bool mask `(X, Y)`.

    Args:
        points: Corners `(x, y)`; a whole number is the middle of a pixel. What lies outside the image is cut off.
        shape: Columns and rows of the image.
    """
    size = np.array(shape)
    # A corner further off than the image is long would overflow OpenCV's fixed-point numbers.
    corners = np.clip(np.array(points), -size, 2 * size)
    low, high = np.floor(corners.min(axis=0)).astype(int) - 1, np.ceil(corners.max(axis=0)).astype(int) + 2
    # Drawn whole and cut afterwards: fillPoly itself bends the edges that it cuts.
    drawn = np.zeros((high - low)[::-1], np.uint8)
    cv2.fillPoly(drawn, [np.rint((corners - low) * 2**_SHIFT).astype(np.int32)], 1, shift=_SHIFT)
    start, stop = np.clip(low, 0, size), np.clip(high, 0, size)
    mask = np.zeros(shape, bool)
    mask[start[0] : stop[0], start[1] : stop[1]] = drawn.T[
        start[0] - low[0] : stop[0] - low[0], start[1] - low[1] : stop[1] - low[1]
    ]
    return mask
