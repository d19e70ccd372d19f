"""Boxes to predict, from wherever a reader has drawn them: command line, CSV, COCO, rough mask or GSPS."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage
from scipy import ndimage

from custom.errors import InputError
from custom.files import read_json
from custom.findings.dicom.gsps import read_boxes
from custom.readers import bare_name, is_dicom, is_image, read_pixels
from custom.readers.dicom import quiet_pydicom, read_dicom
from scripts.common.tables import read_content, read_table
from scripts.predict.images import Images

COLUMNS = ("x0", "y0", "x1", "y1")
# Begins the names of files.
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*")


@dataclass(frozen=True)
class Request:
    """One box to predict, or why it cannot be.

    Attributes:
        image: what the results call its mammogram.
        lesion: its name, unlike the others of the mammogram; empty where the mammogram is not known.
        file: the mammogram; None where it is not known.
        box: `(x0, y0, x1, y1)`, half-open, pixels of the full mammogram.
        fault: why it cannot be predicted, in one line; empty where it can be tried.
    """

    image: str
    lesion: str
    file: Path | None
    box: tuple[float, ...]
    fault: str = ""


@dataclass(frozen=True)
class _Row:
    where: str
    file: Path | None
    image: str = ""
    lesion: str = ""
    box: Any = None
    fault: str = ""


def read_requests(images: Images, boxes: Any, boxes_file: Path | None) -> list[Request]:
    """The boxes of all images, in the order of the images, and for each image without any a request that says so.

    A box of an image that is not there, or that nobody can tell from another, is a request with a fault as well. Where
    there is one image only, the boxes of others are left out.

    Args:
        images: to predict.
        boxes: one box or a list of them, of a single image; None with `boxes_file`.
        boxes_file: CSV, COCO JSON, GSPS, or a rough mask of a single image; None with `boxes`.

    Raises:
        InputError: neither or both are given, or the file is none of these kinds or damaged.
    """
    if (boxes is None) == (boxes_file is None):
        found = "neither" if boxes is None else "both"
        raise InputError(
            f'--boxes and --boxes_file: found {found}, expected one: where the masses are, as --boxes "[[x0,y0,x1,y1]]"'
        )
    rows = list(_from_command(images, boxes) if boxes_file is None else _from_file(images, boxes_file))
    where = "--boxes" if boxes_file is None else str(boxes_file)
    return _named(images, rows, where)


def _from_command(images: Images, boxes: Any) -> Iterator[_Row]:
    file = _single(images, "--boxes")
    listed = boxes if isinstance(boxes, (list, tuple)) else [boxes]
    if listed and not any(isinstance(box, (list, tuple)) for box in listed):
        listed = [listed]
    for number, box in enumerate(listed, start=1):
        yield _Row(f"--boxes, number {number}", file, box=box)


def _from_file(images: Images, file: Path) -> Iterator[_Row]:
    if not file.is_file():
        raise InputError(
            f"{file}: no such file; expected boxes as CSV, COCO JSON, GSPS or rough mask: check --boxes_file"
        )
    if file.suffix.lower() == ".csv":
        return _from_table(images, file)
    if file.suffix.lower() == ".json":
        return _from_coco(images, file)
    if is_dicom(file) and _is_presentation(file):
        return _from_presentation(images, file)
    if is_image(file):
        return _from_mask(images, file)
    raise InputError(
        f"{file}: found {file.suffix or 'no suffix'}, expected boxes as .csv, COCO .json, a DICOM GSPS or a rough "
        "mask image; export them as one of these"
    )


def _from_table(images: Images, file: Path) -> Iterator[_Row]:
    for number, row in enumerate(read_table(read_content(file), file, ("image", *COLUMNS)), start=2):
        yield _find(
            images, f"{file}, row {number}", row["image"], row.get("lesion_id", ""), [row.get(c, "") for c in COLUMNS]
        )


def _from_coco(images: Images, file: Path) -> Iterator[_Row]:
    content = read_json(file, "export it again")
    try:
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        annotations = list(content["annotations"])
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{file}: not a COCO file, expected JSON with `images` of `id` and "
            "`file_name` and `annotations` of `image_id` and `bbox`; export it again"
        ) from error
    for number, annotation in enumerate(annotations, start=1):
        where = f"{file}, annotation {number}"
        try:
            name = names[annotation["image_id"]]
        except (KeyError, TypeError):
            yield _Row(where, None, fault="its image_id is not among the images; correct it")
            continue
        box = annotation.get("bbox")
        if _numbers(box) is not None:
            x, y, width, height = _numbers(box) or ()
            box = [x, y, x + width, y + height]
        yield _find(images, where, name, "", box)


def _from_presentation(images: Images, file: Path) -> Iterator[_Row]:
    files = images.by_uid()
    for number, (uid, boxes) in enumerate(read_boxes(file).items(), start=1):
        where = f"{file}, image {number}"
        if uid in files:
            image, columns, rows = files[uid]
            for x0, y0, x1, y1 in boxes:
                # A circle around a mass at the chest wall reaches out of the mammogram, where no mask has a pixel.
                yield _Row(where, image, box=[max(x0, 0), max(y0, 0), min(x1, columns), min(y1, rows)])
        elif not images.single:
            # Its UID is not repeated: it identifies the examination.
            yield _Row(where, None, fault=f"none of the images in {images.root} is the one that it marks; add it")


def _from_mask(images: Images, file: Path) -> Iterator[_Row]:
    image = _single(images, f"{file}: a rough mask")
    rough, shape = read_pixels(file), read_pixels(image).shape
    if rough.shape != shape:
        raise InputError(
            f"{file}: {rough.shape[0]} columns x {rough.shape[1]} rows, expected {shape[0]} columns x {shape[1]} rows "
            f"as in {image}; draw the mask on the whole mammogram"
        )
    pieces, _ = ndimage.label(rough > rough.max() / 2, structure=np.ones((3, 3)))
    for number, (columns, rows) in enumerate(ndimage.find_objects(pieces), start=1):
        yield _Row(f"{file}, piece {number}", image, box=[columns.start, rows.start, columns.stop, rows.stop])


def _is_presentation(file: Path) -> bool:
    with quiet_pydicom():
        try:
            header = read_dicom(file, force=True, specific_tags=["SOPClassUID"], stop_before_pixels=True)
        except Exception:  # Whatever is wrong with it is told when it is read as an image.
            return False
    return header.get("SOPClassUID") == GrayscaleSoftcopyPresentationStateStorage


def _single(images: Images, what: str) -> Path:
    if not images.single:
        raise InputError(f"{what} belongs to one mammogram, found the folder {images.root}; name a file by --image")
    return images.files[0]


def _find(images: Images, where: str, image: str, lesion: str, box: Any) -> _Row:
    try:
        return _Row(where, images.find(image), image, lesion, box)
    except InputError as error:
        return _Row(where, None, image, lesion, box, str(error))


def _named(images: Images, rows: Sequence[_Row], where: str) -> list[Request]:
    by_file: dict[Path, list[_Row]] = defaultdict(list)
    for row in rows:
        if row.file is not None:
            by_file[row.file].append(row)
    requests = []
    for file in images.files:
        requests += _of_image(images, file, by_file[file])
        if not by_file[file]:
            fault = f"{file}: no box in {where}, expected one around each mass; add it"
            requests.append(Request(images.name(file), "", file, (), fault))
    if not images.single:
        requests += [Request(row.image, row.lesion, None, (), f"{row.where}: {row.fault}") for row in rows if row.fault]
    return requests


def _of_image(images: Images, file: Path, rows: Sequence[_Row]) -> list[Request]:
    requests = []
    names = [row.lesion or f"{bare_name(file)}_{number}" for number, row in enumerate(rows, start=1)]
    times = Counter(names)
    for row, name in zip(rows, names, strict=True):
        numbers = _numbers(row.box)
        fault = ""
        if row.lesion and not _NAME.fullmatch(name):
            fault = f"{row.where}: lesion_id is {name!r}, expected letters, digits, dots, - and _; correct it"
        elif times[name] > 1:
            fault = f"{row.where}: {times[name]} boxes of {images.name(file)} are called {name}; rename them"
        elif numbers is None:
            fault = f"{row.where}: the box is {row.box}, expected four numbers x0, y0, x1, y1 in pixels; correct it"
        requests.append(Request(images.name(file), name, file, numbers or (), fault))
    return requests


def _numbers(box: Any) -> tuple[float, ...] | None:
    try:
        numbers = tuple(map(float, box))
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == 4 and all(map(math.isfinite, numbers)) else None
