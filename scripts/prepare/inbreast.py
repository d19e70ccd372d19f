"""`prepare inbreast`: the downloaded INbreast, in; a prepared data set with one mask per mass, test only, out."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from custom.errors import InputError
from scripts.common.parallel import parallel_map
from scripts.common.tables import Row, read_content
from scripts.prepare import inbreast_files as files
from scripts.prepare.output import datalist_entry, finish, preparing, write_mammogram
from scripts.prepare.pairs import Verdict, read_values
from scripts.prepare.splits import Entry

NAME = "inbreast_mass"
NOTE = "INbreast is the unseen test set: nothing is trained or tuned on it"
# What public work on this set counts.
MAMMOGRAMS, MASSES = 107, 116
ENTRY = ("lesion_id", *files.METADATA)
# Columns of the audit after `lesion_id`.
COLUMNS = (
    "status", "reason", "image_id", "image", "roi", "joined", "patient_id", "laterality", "view", "birads", "density",
)  # fmt: skip


@dataclass(frozen=True)
class AnnotatedImage:
    """One annotation, its image and what a worker needs to prepare them.

    Attributes:
        images: Image files of that number; one, unless the download is defective.
        sheet: `birads` and `density`.
    """

    annotation: Path
    images: tuple[Path, ...]
    sheet: Mapping[str, str]
    target: Path
    copy: bool
    join_spiculated: bool


@dataclass(frozen=True)
class PreparedImage:
    """The result for an annotated image.

    Attributes:
        digest: SHA-256 of the annotation.
        audit: One row per mass of the annotation.
        others: Number of regions that are no masses.
        unjoined: Number of spiculated regions that touch no mass, where they were to be joined.
    """

    digest: str
    audit: Sequence[Row] = ()
    others: int = 0
    unjoined: int = 0


def prepare_inbreast(
    source: str, dataset_dir: str, join_spiculated: bool = False, copy: bool = False, scheduler: str | None = None
) -> None:
    """Prepare the masses of INbreast, for tests only, from the folder as it was downloaded.

    Args:
        source: the folder `INbreast Release 1.0` or the one around it.
        dataset_dir: the prepared data set; made if it is not there.
        join_spiculated: add each spiculated region to the mass that it touches.
        copy: copy the images instead of linking to them.
        scheduler: address of a Dask scheduler; left out, the work is spread over the cores of this machine.
    """
    release, target = files.find_release(source), Path(dataset_dir).resolve()
    sheet_file = release / files.SHEET
    content = read_content(sheet_file)
    sheet = files.read_sheet(sheet_file, content)
    images, strangers = find_images(release / files.IMAGES)
    annotated = [
        AnnotatedImage(file, tuple(images.get(file.stem, ())), sheet.get(file.stem, {}), target, copy, join_spiculated)
        for file in sorted((release / files.ANNOTATIONS).glob("*.xml"))
        if not file.name.startswith(".")
    ]
    form = files.INNER_FOLDER + (", masses joined with spiculated regions" if join_spiculated else "")
    with preparing(target, release.parent, form) as stated:
        results = parallel_map(prepare_image, annotated, scheduler, "Preparing mammograms", "mammogram")
        audit = [row for result in results for row in result.audit]
        if not audit:
            raise InputError(
                f"{release / files.ANNOTATIONS}: no region is named Mass in {len(annotated)} XML files; "
                "expected the annotations of the release"
            )
        digest = hashlib.sha256(content)
        for image, result in zip(annotated, results, strict=True):
            digest.update(f"{image.annotation.name} {result.digest}\n".encode())
        about = {"name": NAME, "source": stated, "manifest_sha256": digest.hexdigest(), "note": NOTE}
        usable: list[Entry] = [
            datalist_entry(f"images/{row['image_id']}.dcm", {name: row.get(name, "") for name in ENTRY})
            for row in audit
            if row["status"] != "quarantined"
        ]
        normal = images.keys() - {image.annotation.stem for image in annotated}
        remarks = _remarks(usable, results, len(images), len(normal))
        remarks += [f"  {files.IMAGES}/{name}: not a name of the release, left out" for name in strangers]
        finish(
            target, Path(source), about, audit, {"test": {"training": [], "validation": [], "test": usable}}, remarks
        )


def find_images(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Find the image files of each image id, and the names of files that are none."""
    images: dict[str, list[Path]] = defaultdict(list)
    strangers = []
    for file in sorted(folder.iterdir()):
        name = files.parse_image_name(file.name)
        if name is not None:
            images[name.image_id].append(file)
        elif not file.name.startswith("."):
            strangers.append(file.name)
    return images, strangers


def _remarks(
    usable: Sequence[Mapping[str, Any]], results: Sequence[PreparedImage], images: int, normal: int
) -> list[str]:
    """Compare the counts with what is known of the release."""
    mammograms = len({entry["image"] for entry in usable})
    same = (mammograms, len(usable)) == (MAMMOGRAMS, MASSES)
    lines = [
        f"  {mammograms} mammograms with {len(usable)} masses, "
        + ("as" if same else "which is not what")
        + f" public work on INbreast counts{'' if same else f': {MAMMOGRAMS} with {MASSES}'}",
        f"  {images} images, {normal} of them without annotation; "
        f"{sum(result.others for result in results)} annotated regions are no masses",
    ]
    unjoined = sum(result.unjoined for result in results)
    return [*lines, f"  {unjoined} spiculated regions touch no mass and were left out"] if unjoined else lines


def prepare_image(image: AnnotatedImage) -> PreparedImage:
    """Read an annotation and its image, write the masks and link the image.

    A lesion is named after its image and numbered over the masses that have an outline, so that its name does not
    depend on the image; a mass without outline is named after its place among the regions.
    """
    image_id = image.annotation.stem
    common = {"image_id": image_id, "image": ", ".join(file.name for file in image.images)}
    digest = ""
    try:
        content = files.read_annotation(image.annotation)
        digest = hashlib.sha256(content).hexdigest()
        rois = files.read_rois(image.annotation, content)
    except InputError as error:
        return PreparedImage(digest, [_audit_row(image_id, common | Verdict(None, str(error)).columns)])
    masses = [roi for roi in rois if roi.name == files.MASS]
    if not masses:
        return PreparedImage(digest, others=len(rois))

    metadata, shape, image_fault = _read_image(image)
    outlined = [roi for roi in masses if not roi.fault]
    names = {roi.number: f"{image_id}_{number}" for number, roi in enumerate(outlined, start=1)}
    drawn = {} if shape is None else {roi.number: files.rasterise(roi.points, shape) for roi in outlined}
    joined, unjoined = _join_spiculated(drawn, rois, shape) if image.join_spiculated and shape else ({}, 0)
    warning = "" if image.sheet else f"{files.SHEET} has no row for image {image_id}"
    verdicts = {}
    for roi in masses:
        lesion = names.get(roi.number, f"{image_id}_roi{roi.number}")
        regions = {"roi": str(roi.number), "joined": " ".join(map(str, joined.get(roi.number, ())))}
        verdicts[lesion] = replace(_judge(roi, drawn.get(roi.number), image_fault, warning), details=regions)
    file = image.images[0] if image.images else Path()  # Without one no verdict has a mask.
    found = write_mammogram(image.target, file, f"images/{image_id}.dcm", verdicts.items(), image.copy)
    audit = [_audit_row(lesion, common | columns | metadata) for lesion, columns in found.items()]
    return PreparedImage(digest, audit, len(rois) - len(masses), unjoined)


def _audit_row(lesion: str, known: Mapping[str, str]) -> Row:
    return {"lesion_id": lesion} | {name: known.get(name, "") for name in COLUMNS}


def _read_image(image: AnnotatedImage) -> tuple[Row, tuple[int, int] | None, str]:
    """Return the lesions' metadata, the image's columns and rows, and why it cannot be used."""
    if len(image.images) != 1:
        found = f"{len(image.images)} files" if image.images else "no file"
        fault = f"{found} of image {image.annotation.stem} in {files.IMAGES}, expected one"
        return files.metadata(None, image.sheet), None, fault
    (file,) = image.images
    metadata = files.metadata(files.parse_image_name(file.name), image.sheet)
    try:
        columns, rows = read_values(f"{files.IMAGES}/{file.name}", file.parents[1]).shape
    except InputError as error:
        return metadata, None, str(error)
    return metadata, (columns, rows), ""


def _judge(roi: files.Roi, mask: np.ndarray | None, image_fault: str, warning: str) -> Verdict:
    """Judge a mass; its mask is None where it has no outline or no image."""
    if mask is None:
        return Verdict(None, roi.fault or image_fault)
    outside = files.points_outside(roi.points, mask.shape)
    text = (
        f"{outside} of {len(roi.points)} points outside the image of {mask.shape[0]} x {mask.shape[1]} (columns x rows)"
    )
    if not mask.any():
        return Verdict(None, f"{text}: nothing of the mass is left")
    return Verdict(mask, f"{text}: cut off at its edge" if outside else "", warning)


def _join_spiculated(
    masses: dict[int, np.ndarray], rois: Sequence[files.Roi], shape: tuple[int, int]
) -> tuple[dict[int, list[int]], int]:
    """Add each spiculated region to the mass that it shares most pixels with, those next to the mass included.

    `masses` has the mask of each mass by the number of its region, and is changed in place.

    Returns:
        The numbers of the regions that were added to each mass, and how many touch none or have no outline.
    """
    near = {number: cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))) > 0 for number, mask in masses.items()}
    joined: dict[int, list[int]] = defaultdict(list)
    unjoined = 0
    for roi in rois:
        if roi.name not in files.SPICULATED:
            continue
        region = np.zeros(shape, bool) if roi.fault else files.rasterise(roi.points, shape)
        shared = {number: int((mask & region).sum()) for number, mask in near.items()}
        best = max(shared, key=lambda number: shared[number], default=None)
        if best is None or not shared[best]:
            unjoined += 1
            continue
        masses[best] |= region
        joined[best].append(roi.number)
    return joined, unjoined
