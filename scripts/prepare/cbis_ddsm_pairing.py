"""One CBIS-DDSM mammogram with its lesions: which file is the mask, and does it belong to this mammogram?

The order of files, their series' descriptions and the tables' columns do not tell mask from crop. Content does: the
crop must look like the mammogram cut at the mask's box. What does not agree is quarantined with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from custom.errors import InputError
from custom.transforms import mask_box
from scripts.prepare import masks
from scripts.prepare.cbis_ddsm_index import JPEG_SUFFIXES, SourceFile
from scripts.prepare.output import link_image, write_lesion_mask
from scripts.prepare.pixels import read_values

# How much larger or smaller than the mask's box a crop may be, in pixels, and how alike it must be.
SIZE_TOLERANCE = 6
LEAST_CORRELATION = 0.9
# A lesion fills less than half of its mammogram; more is a mask with black and white exchanged.
MOST_FOREGROUND = 0.5

NO_MAMMOGRAM = "no mammogram"
UNREADABLE_MAMMOGRAM = "unreadable mammogram"
NO_FILES = "no mask and crop"
UNREADABLE = "unreadable mask or crop"
NO_MASK = "no mask"
NO_CROP = "no crop"
OTHER_FILM = "mask of another film"
DISAGREES = "crop disagrees"
AMBIGUOUS = "two masks"
RESAMPLED = "mask resampled"


@dataclass(frozen=True)
class Task:
    """What a worker needs for one mammogram; names only.

    Attributes:
        source: folder of the download.
        target: the prepared data set.
        copy: copy the image instead of linking to it.
        mammogram: its name.
        images: files of the full mammogram.
        lesions: names of its lesions with their files.
    """

    source: Path
    target: Path
    copy: bool
    mammogram: str
    images: tuple[SourceFile, ...]
    lesions: tuple[tuple[str, tuple[SourceFile, ...]], ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one lesion.

    Attributes:
        lesion_id: its name.
        status: `paired`, `repaired` or `quarantined`.
        reason: the kind, a colon and the particulars; empty for `paired`.
        image: file of the mammogram, relative to the source; empty if quarantined, as the next two.
        mask: file of the mask.
        crop: file of the crop.
    """

    lesion_id: str
    status: str
    reason: str
    image: str = ""
    mask: str = ""
    crop: str = ""


class Quarantine(Exception):
    """Why a lesion cannot be used: the kind, a colon and the particulars."""

    def __init__(self, kind: str, particulars: str) -> None:
        super().__init__(f"{kind}: {particulars}")


@dataclass(frozen=True)
class Candidate:
    """A file of a lesion with what its pixels turned out to be.

    Attributes:
        file: where it comes from.
        kind: `mask`, `crop`, `neither` or `unreadable`.
        values: `(X, Y)`: bool of a mask, grey levels of a crop.
        fault: why it is neither or unreadable.
    """

    file: SourceFile
    kind: str
    values: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    fault: str = ""


@dataclass(frozen=True)
class Pair:
    """A mask with the crop that confirms it.

    Attributes:
        mask: bool `(X, Y)`, in the frame of the mammogram.
        note: what was done to it; empty if nothing.
        mask_file: where it comes from.
        crop_file: where the crop comes from.
    """

    mask: np.ndarray
    note: str
    mask_file: SourceFile
    crop_file: SourceFile


def prepare_mammogram(task: Task) -> list[Outcome]:
    """Link a mammogram and write the masks of its lesions into the prepared data set.

    Every file is decoded once at most.

    Raises:
        InputError: the data set cannot be written.
    """
    try:
        file, image = _read_mammogram(task)
    except Quarantine as reason:
        return [Outcome(lesion, "quarantined", str(reason)) for lesion, _ in task.lesions]
    outcomes = []
    for lesion, files in task.lesions:
        try:
            pair = find_pair(image, [_read_candidate(candidate, task.source) for candidate in files])
        except Quarantine as reason:
            outcomes.append(Outcome(lesion, "quarantined", str(reason)))
            continue
        write_lesion_mask(task.target, lesion, pair.mask)
        status, note = ("repaired", f"{RESAMPLED}: {pair.note}") if pair.note else ("paired", "")
        outcomes.append(Outcome(lesion, status, note, file.path, pair.mask_file.path, pair.crop_file.path))
    if any(outcome.image for outcome in outcomes):
        link = f"images/{task.mammogram}{image_suffix(file.path)}"
        link_image(task.source / file.path, task.target / link, task.copy)
    return outcomes


def image_suffix(path: str) -> str:
    """The suffix that an image gets in the prepared data set."""
    suffix = Path(path).suffix.lower()
    return suffix if suffix in JPEG_SUFFIXES else ".dcm"


def _read_mammogram(task: Task) -> tuple[SourceFile, np.ndarray]:
    """The full image; of several the first whose size is that of a file of the lesions."""
    if not task.images:
        raise Quarantine(NO_MAMMOGRAM, f"no file of {task.mammogram} found; fetch its series")
    sizes = {file.size for _, files in task.lesions for file in files}
    file = min(task.images, key=lambda image: (bool(image.fault), image.size not in sizes))
    try:
        return file, _read(file, task.source)
    except InputError as error:
        raise Quarantine(UNREADABLE_MAMMOGRAM, str(error)) from error


def _read(file: SourceFile, source: Path) -> np.ndarray:
    if file.fault:
        raise InputError(f"{file.path}: {file.fault}")
    return read_values(file.path, source)


def _read_candidate(file: SourceFile, source: Path) -> Candidate:
    try:
        values = _read(file, source)
    except InputError as error:
        return Candidate(file, "unreadable", fault=str(error))
    if file.bits > 8:
        return Candidate(file, "crop", values)
    mask, fault = masks.binarise(values)
    if mask is not None:
        if mask.mean() < MOST_FOREGROUND:
            return Candidate(file, "mask", mask)
        fault = f"{mask.mean():.0%} of the mask is white, expected less than half"
    elif file.jpeg and values.min() < values.max():
        return Candidate(file, "crop", values)  # Crops of the JPEG mirror have 8 bits, too.
    return Candidate(file, "neither", fault=f"{file.path}: {fault}")


def find_pair(image: np.ndarray, candidates: Sequence[Candidate]) -> Pair:
    """The mask of a lesion, confirmed by its crop.

    Args:
        image: of the mammogram, `(X, Y)`.
        candidates: the files of the lesion, in any order.

    Raises:
        Quarantine: there is none, or more than one.
    """
    if not candidates:
        raise Quarantine(NO_FILES, "no file of the lesion found; fetch its series")
    of_kind = {kind: [c for c in candidates if c.kind == kind] for kind in ("mask", "crop", "neither", "unreadable")}
    for kind, missing in (("mask", NO_MASK), ("crop", NO_CROP)):
        if not of_kind[kind]:
            if of_kind["unreadable"]:
                raise Quarantine(UNREADABLE, "; ".join(c.fault for c in of_kind["unreadable"]))
            faults = "; ".join(c.fault for c in of_kind["neither"])
            files = ", ".join(c.file.path for c in candidates)
            raise Quarantine(missing, faults or f"none among {files}; fetch the series again")
    pairs: list[Pair] = []
    disagreement = Quarantine(DISAGREES, "no mask is larger than a crop, so none is of the full frame")
    for mask, crop in product(of_kind["mask"], of_kind["crop"]):
        if mask.values.size > crop.values.size:
            try:
                pairs.append(confirm(image, mask, crop))
            except Quarantine as reason:
                disagreement = reason
    if not pairs:
        raise disagreement
    for other in pairs[1:]:
        if not np.array_equal(other.mask, pairs[0].mask):
            files = f"{pairs[0].mask_file.path} and {other.mask_file.path}"
            raise Quarantine(AMBIGUOUS, f"{files} differ and each agrees with a crop; take the wrong one away")
    return pairs[0]


def confirm(image: np.ndarray, mask: Candidate, crop: Candidate) -> Pair:
    """The mask in the frame of the mammogram, if the crop looks like the mammogram at the mask's box.

    A mask that was drawn on the film at another pitch may have its crop at that pitch or at the mammogram's.

    Raises:
        Quarantine: mask, crop and mammogram do not belong together.
    """
    fitted, note = masks.fit(mask.values, image.shape)
    if fitted is None:
        raise Quarantine(OTHER_FILM, f"{mask.file.path}: {note}")
    box, values = _box(fitted), crop.values
    crops = [values] if _alike(values.shape, box) else []
    if note and _alike(values.shape, _box(mask.values)):
        factor = image.shape[0] / mask.values.shape[0]
        columns, rows = (max(1, round(side * factor)) for side in values.shape)
        crops.append(cv2.resize(values, (rows, columns), interpolation=cv2.INTER_AREA))
    if not crops:
        sizes = f"crop {values.shape[0]} x {values.shape[1]}, mask's box {box[2] - box[0]} x {box[3] - box[1]}"
        raise Quarantine(DISAGREES, f"{crop.file.path}: {sizes} (columns x rows), so they are of two lesions")
    correlation = max(correlate(image, box, values) for values in crops)
    if correlation <= LEAST_CORRELATION:
        raise Quarantine(
            DISAGREES,
            f"{crop.file.path}: correlation {correlation:.2f} with the mammogram at the mask's box, expected more than "
            f"{LEAST_CORRELATION}: mask, crop and mammogram do not belong together",
        )
    return Pair(fitted, note, mask.file, crop.file)


def _box(mask: np.ndarray) -> tuple[int, ...]:
    box = mask_box(mask[None])
    assert box is not None
    return tuple(box)


def _alike(size: tuple[int, ...], box: tuple[int, ...]) -> bool:
    return all(
        abs(side - (end - start)) <= SIZE_TOLERANCE for side, start, end in zip(size, box[:2], box[2:], strict=True)
    )


def correlate(image: np.ndarray, box: tuple[int, ...], crop: np.ndarray) -> float:
    """The normalised correlation of a crop with the mammogram at a box, at the best place within a few pixels.

    Args:
        image: `(X, Y)`.
        box: `(x0, y0, x1, y1)` in the image.
        crop: `(X, Y)`, about as large as the box.

    Returns:
        From -1 to 1; 0 where either is flat.
    """
    starts = [max(0, start - SIZE_TOLERANCE) for start in box[:2]]
    around = image[starts[0] : box[2] + SIZE_TOLERANCE, starts[1] : box[3] + SIZE_TOLERANCE]
    # At the frame's edge the surroundings may be smaller than the crop.
    crop = crop[: around.shape[0], : around.shape[1]]
    if crop.std() == 0 or around.std() == 0:
        return 0.0
    around, crop = (((values - values.mean()) / values.std()).astype(np.float32) for values in (around, crop))
    return float(np.nan_to_num(cv2.matchTemplate(around, crop, cv2.TM_CCOEFF_NORMED), posinf=0, neginf=0).max())
