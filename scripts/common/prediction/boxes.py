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
from scripts.common.prediction.images import Images
from scripts.common.tables import read_content, read_table

_EDGES = ("x0", "y0", "x1", "y1")
# The names of a lesion's files begin with its own.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*")


@dataclass(frozen=True)
class Request:
    """One box to predict, or why it cannot be predicted.

    Attributes:
        image: The mammogram's name in the results.
        lesion: Its name, unique in the mammogram; empty where the mammogram is not known or has no box.
        file: The mammogram; None where it is not known.
        box: `(x0, y0, x1, y1)`, half-open, in pixels of the full mammogram.
        fault: Why it cannot be predicted, in one line; empty where it can be tried.
    """

    image: str
    lesion: str
    file: Path | None
    box: tuple[float, ...]
    fault: str = ""


@dataclass(frozen=True)
class _Row:
    """One box as its source gives it; the image is a file or a name that `Images.find` knows."""

    where: str
    image: Path | str
    box: Any = None
    lesion: str = ""
    fault: str = ""


def read_requests(images: Images, boxes: Any, boxes_file: Path | None) -> list[Request]:
    """Read the boxes of all images, in the order of the images; an image without a box gets a request that says so.

    A box of an unknown or ambiguous image becomes a request with a fault, at the end. With a single image, the boxes of
    others are left out.

    Args:
        images: The images to predict.
        boxes: One box or a list of them, for a single image; None with `boxes_file`.
        boxes_file: CSV, COCO JSON, GSPS, or a rough mask of a single image; None with `boxes`.

    Raises:
        InputError: Neither or both are given, or the file is damaged or none of these kinds.
    """
    if (boxes is None) == (boxes_file is None):
        found = "neither" if boxes is None else "both"
        raise InputError(
            f'--boxes and --boxes_file: found {found}, expected one: where the masses are, as --boxes "[[x0,y0,x1,y1]]"'
        )
    rows = _from_command(images, boxes) if boxes_file is None else _from_file(images, boxes_file)
    placed: dict[Path, list[_Row]] = defaultdict(list)
    lost = []
    for row in rows:
        fault, file = row.fault, row.image
        if isinstance(file, str) and not fault:
            try:
                file = images.find(file)
            except InputError as error:
                fault = str(error)
        if isinstance(file, Path):
            placed[file].append(row)
        else:
            lost.append(Request(file, row.lesion, None, (), f"{row.where}: {fault}"))
    source = "--boxes" if boxes_file is None else str(boxes_file)
    requests = [request for file in images.files for request in _requests_of(images, file, placed[file], source)]
    return requests if images.single else requests + lost


def _from_command(images: Images, boxes: Any) -> Iterator[_Row]:
    file = images.only("--boxes")
    listed = boxes if isinstance(boxes, (list, tuple)) else [boxes]
    if listed and not any(isinstance(box, (list, tuple)) for box in listed):
        listed = [listed]
    for number, box in enumerate(listed, start=1):
        yield _Row(f"--boxes, number {number}", file, box)


def _from_file(images: Images, file: Path) -> Iterator[_Row]:
    if not file.is_file():
        raise InputError(
            f"{file}: no such file; expected boxes as CSV, COCO JSON, GSPS or rough mask: check --boxes_file"
        )
    if file.suffix.lower() == ".csv":
        return _from_table(file)
    if file.suffix.lower() == ".json":
        return _from_coco(file)
    if is_dicom(file) and _is_presentation(file):
        return _from_presentation(images, file)
    if is_image(file):
        return _from_mask(images, file)
    raise InputError(
        f"{file}: found {file.suffix or 'no suffix'}, expected boxes as .csv, COCO .json, a DICOM GSPS or a rough "
        "mask image; export them as one of these"
    )


def _from_table(file: Path) -> Iterator[_Row]:
    for number, row in enumerate(read_table(read_content(file), file, ("image", *_EDGES)), start=2):
        yield _Row(f"{file}, row {number}", row["image"], [row.get(c, "") for c in _EDGES], row.get("lesion_id", ""))


def _from_coco(file: Path) -> Iterator[_Row]:
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
            yield _Row(where, "", fault="its image_id is not among the images; correct it")
            continue
        box = annotation.get("bbox")
        if numbers := _four_numbers(box):
            x, y, width, height = numbers
            box = [x, y, x + width, y + height]
        yield _Row(where, name, box)


def _from_presentation(images: Images, file: Path) -> Iterator[_Row]:
    files = images.by_uid()
    for number, (uid, boxes) in enumerate(read_boxes(file).items(), start=1):
        where = f"{file}, image {number}"
        if uid in files:
            image, columns, rows = files[uid]
            for x0, y0, x1, y1 in boxes:
                # A circle around a mass at the chest wall leaves the mammogram, and no mask has pixels there.
                yield _Row(where, image, [max(x0, 0), max(y0, 0), min(x1, columns), min(y1, rows)])
        else:
            # Its UID is not repeated: it identifies the examination.
            yield _Row(where, "", fault=f"none of the images in {images.root} is the one that it marks; add it")


def _is_presentation(file: Path) -> bool:
    with quiet_pydicom():
        try:
            header = read_dicom(file, force=True, specific_tags=["SOPClassUID"], stop_before_pixels=True)
        except Exception:  # Reading it as an image will say what is wrong with it.
            return False
    return header.get("SOPClassUID") == GrayscaleSoftcopyPresentationStateStorage


def _from_mask(images: Images, file: Path) -> Iterator[_Row]:
    image = images.only(f"{file}: a rough mask")
    rough, shape = read_pixels(file), read_pixels(image).shape
    if rough.shape != shape:
        raise InputError(
            f"{file}: {rough.shape[0]} columns x {rough.shape[1]} rows, expected {shape[0]} columns x {shape[1]} rows "
            f"as in {image}; draw the mask on the whole mammogram"
        )
    pieces, _ = ndimage.label(rough > rough.max() / 2, structure=np.ones((3, 3)))
    for number, (columns, rows) in enumerate(ndimage.find_objects(pieces), start=1):
        yield _Row(f"{file}, piece {number}", image, [columns.start, rows.start, columns.stop, rows.stop])


def _requests_of(images: Images, file: Path, rows: Sequence[_Row], source: str) -> Iterator[Request]:
    image = images.name(file)
    if not rows:
        yield Request(image, "", file, (), f"{file}: no box in {source}, expected one around each mass; add it")
    names = [row.lesion or f"{bare_name(file)}_{number}" for number, row in enumerate(rows, start=1)]
    times = Counter(names)
    for row, name in zip(rows, names, strict=True):
        numbers, fault = _four_numbers(row.box), ""
        if row.lesion and not _FILE_NAME.fullmatch(name):
            fault = f"{row.where}: lesion_id is {name!r}, expected letters, digits, dots, - and _; correct it"
        elif times[name] > 1:
            fault = f"{row.where}: {times[name]} boxes of {image} are called {name}; rename them"
        elif numbers is None:
            fault = f"{row.where}: the box is {row.box}, expected four numbers x0, y0, x1, y1 in pixels; correct it"
        yield Request(image, name, file, numbers or (), fault)


def _four_numbers(box: Any) -> tuple[float, ...] | None:
    try:
        numbers = tuple(map(float, box))
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == 4 and all(map(math.isfinite, numbers)) else None
