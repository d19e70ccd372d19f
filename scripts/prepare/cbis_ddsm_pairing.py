"""One CBIS-DDSM mammogram with its lesions: which file is the mask, and does it belong to this mammogram?

The order of files, their series' descriptions and the tables' columns do not tell mask from crop. Content does: the
crop must look like the mammogram cut at the mask's box. What does not agree is quarantined with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from custom.errors import InputError
from scripts.prepare.cbis_ddsm_files import JPEG_SUFFIXES, SourceFile
from scripts.prepare.output import write_mammogram
from scripts.prepare.pairs import Verdict, binarise, fit, lesion_box, read_values

# How much larger or smaller than the mask's box a crop may be, in pixels, and how alike it must be.
SIZE_TOLERANCE = 6
LEAST_CORRELATION = 0.9
# A lesion fills less than half of its mammogram; more is a mask with black and white exchanged.
MOST_FOREGROUND = 0.5
# Columns of the audit: files of a usable lesion, relative to the source.
FILE_COLUMNS = ("image_file", "mask_file", "crop_file")


@dataclass(frozen=True)
class Task:
    """What a worker needs to prepare one mammogram; names only. `lesions` has the files of each lesion by its name."""

    source: Path
    target: Path
    copy: bool
    mammogram: str
    images: tuple[SourceFile, ...]
    lesions: Mapping[str, tuple[SourceFile, ...]]


@dataclass(frozen=True)
class Candidate:
    """A file of a lesion with what its pixels turned out to be.

    Attributes:
        kind: `mask`, `crop`, `neither` or `unreadable`.
        values: `(X, Y)`: bool for a mask, grey levels for a crop.
        fault: Why it is neither or unreadable.
    """

    file: SourceFile
    kind: str
    values: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    fault: str = ""


def prepare_mammogram(task: Task) -> dict[str, dict[str, str]]:
    """Link a mammogram and write the masks of its lesions into the prepared data set.

    Every file is decoded once at most.

    Returns:
        Columns of the audit for each lesion: `status` and `reason`, and `FILE_COLUMNS` for a usable one.

    Raises:
        InputError: the data set cannot be written.
    """
    try:
        file, image = _read_mammogram(task)
    except InputError as error:
        return dict.fromkeys(task.lesions, Verdict(None, str(error)).columns)
    link = f"images/{task.mammogram}{image_suffix(file.path)}"
    verdicts = _judge_lesions(task, file, image)
    return write_mammogram(task.target, task.source / file.path, link, verdicts, task.copy)


def _judge_lesions(task: Task, file: SourceFile, image: np.ndarray) -> Iterator[tuple[str, Verdict]]:
    for lesion, files in task.lesions.items():
        try:
            verdict = find_mask(image, [_read_candidate(candidate, task.source) for candidate in files])
        except InputError as error:
            yield lesion, Verdict(None, str(error))
        else:
            yield lesion, replace(verdict, details={"image_file": file.path, **verdict.details})


def image_suffix(path: str) -> str:
    """Return the suffix that an image gets in the prepared data set."""
    suffix = Path(path).suffix.lower()
    return suffix if suffix in JPEG_SUFFIXES else ".dcm"


def _read_mammogram(task: Task) -> tuple[SourceFile, np.ndarray]:
    """Read the full image; if there are several, the first whose size is that of a file of the lesions."""
    if not task.images:
        raise InputError(f"no mammogram: no file of {task.mammogram} found; fetch its series")
    sizes = {file.size for files in task.lesions.values() for file in files}
    file = min(task.images, key=lambda image: (bool(image.fault), image.size not in sizes))
    try:
        return file, _read(file, task.source)
    except InputError as error:
        raise InputError(f"unreadable mammogram: {error}") from error


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
    try:
        mask = binarise(values, file.path)
    except InputError as error:
        if file.jpeg and values.min() < values.max():
            return Candidate(file, "crop", values)  # Crops of the JPEG mirror have 8 bits, too.
        return Candidate(file, "neither", fault=str(error))
    if mask.mean() < MOST_FOREGROUND:
        return Candidate(file, "mask", mask)
    fault = f"{file.path}: {mask.mean():.0%} of the mask is white, expected less than half"
    return Candidate(file, "neither", fault=fault)


def find_mask(image: np.ndarray, candidates: Sequence[Candidate]) -> Verdict:
    """Find the mask of a lesion that its crop confirms among its files, which may be in any order.

    Raises:
        InputError: there is none, or more than one: the kind of fault, a colon and the particulars.
    """
    if not candidates:
        raise InputError("no mask and crop: no file of the lesion found; fetch its series")
    of_kind = {kind: [c for c in candidates if c.kind == kind] for kind in ("mask", "crop", "neither", "unreadable")}
    for kind in ("mask", "crop"):
        if not of_kind[kind]:
            if of_kind["unreadable"]:
                raise InputError(f"unreadable mask or crop: {'; '.join(c.fault for c in of_kind['unreadable'])}")
            faults = "; ".join(c.fault for c in of_kind["neither"])
            files = ", ".join(c.file.path for c in candidates)
            raise InputError(f"no {kind}: " + (faults or f"none among {files}; fetch the series again"))
    pairs: list[Verdict] = []
    disagreement = InputError("crop disagrees: no mask is larger than a crop, so none is of the full frame")
    for mask, crop in product(of_kind["mask"], of_kind["crop"]):
        if mask.values.size > crop.values.size:
            try:
                pairs.append(confirm(image, mask, crop))
            except InputError as error:
                disagreement = error
    if not pairs:
        raise disagreement
    for other in pairs[1:]:
        if not np.array_equal(other.mask, pairs[0].mask):  # type: ignore[arg-type]
            files = f"{pairs[0].details['mask_file']} and {other.details['mask_file']}"
            raise InputError(f"two masks: {files} differ and each agrees with a crop; take the wrong one away")
    return pairs[0]


def confirm(image: np.ndarray, mask: Candidate, crop: Candidate) -> Verdict:
    """Bring a mask into the frame of the mammogram, and check that the crop looks like the mammogram at the mask's box.

    A mask that was drawn on the film at another pitch may have its crop at that pitch or at the mammogram's.

    Raises:
        InputError: mask, crop and mammogram do not belong together.
    """
    try:
        fitted, note = fit(mask.values, image.shape, mask.file.path)
    except InputError as error:
        raise InputError(f"mask of another film: {error}") from error
    box, values = lesion_box(fitted), crop.values
    crops = [values] if _alike(values.shape, box) else []
    if note and _alike(values.shape, lesion_box(mask.values)):
        factor = image.shape[0] / mask.values.shape[0]
        columns, rows = (max(1, round(side * factor)) for side in values.shape)
        crops.append(cv2.resize(values, (rows, columns), interpolation=cv2.INTER_AREA))
    fault = f"crop disagrees: {crop.file.path}"
    if not crops:
        sizes = f"crop {values.shape[0]} x {values.shape[1]}, mask's box {box[2] - box[0]} x {box[3] - box[1]}"
        raise InputError(f"{fault}: {sizes} (columns x rows), so they are of two lesions")
    correlation = max(correlate(image, box, values) for values in crops)
    if correlation <= LEAST_CORRELATION:
        raise InputError(
            f"{fault}: correlation {correlation:.2f} with the mammogram at the mask's box, expected more than "
            f"{LEAST_CORRELATION}: mask, crop and mammogram do not belong together"
        )
    files = {"mask_file": mask.file.path, "crop_file": crop.file.path}
    return Verdict(fitted, f"mask resampled: {note}" if note else "", details=files)


def _alike(size: tuple[int, ...], box: tuple[int, ...]) -> bool:
    return all(
        abs(side - (end - start)) <= SIZE_TOLERANCE for side, start, end in zip(size, box[:2], box[2:], strict=True)
    )


def correlate(image: np.ndarray, box: tuple[int, ...], crop: np.ndarray) -> float:
    """Correlate a crop with the mammogram at a box `(x0, y0, x1, y1)`, at the best place within a few pixels.

    Returns:
        Normalised correlation, -1 to 1; 0 where either is flat.
    """
    starts = [max(0, start - SIZE_TOLERANCE) for start in box[:2]]
    around = image[starts[0] : box[2] + SIZE_TOLERANCE, starts[1] : box[3] + SIZE_TOLERANCE]
    # At the frame's edge the surroundings may be smaller than the crop.
    crop = crop[: around.shape[0], : around.shape[1]]
    if crop.std() == 0 or around.std() == 0:
        return 0.0
    around, crop = (((values - values.mean()) / values.std()).astype(np.float32) for values in (around, crop))
    return float(np.nan_to_num(cv2.matchTemplate(around, crop, cv2.TM_CCOEFF_NORMED), posinf=0, neginf=0).max())
