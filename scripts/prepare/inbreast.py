"""`prepare inbreast`: the downloaded INbreast, in; a prepared data set with one mask per mass, test only, out."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from custom.errors import InputError
from custom.files import held
from scripts.common.parallel import parallel_map
from scripts.common.tables import read_content
from scripts.prepare import inbreast_files as files
from scripts.prepare.account import count_splits, count_statuses, list_reasons
from scripts.prepare.output import (
    check_place,
    link_image,
    stated_source,
    write_audit,
    write_datalists,
    write_lesion_mask,
)
from scripts.prepare.pixels import read_values

NAME = "inbreast_mass"
NOTE = "INbreast is the unseen test set: nothing is trained or tuned on it"
# What public work on this set counts.
MAMMOGRAMS, MASSES = 107, 116

Row = dict[str, str]


@dataclass(frozen=True)
class Case:
    """One annotation, its image and what a worker needs to prepare them.

    Attributes:
        annotation: the XML file.
        images: the image files of that number; one, unless the download is defective.
        sheet: `birads` and `density`.
        target: the prepared data set.
        copy: copy the image instead of linking to it.
        join_spiculated: add spiculated regions to their masses.
    """

    annotation: Path
    images: tuple[Path, ...]
    sheet: Mapping[str, str]
    target: Path
    copy: bool
    join_spiculated: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        audit: one row per mass of the annotation.
        entries: the datalist's entries of the usable ones.
        digest: SHA-256 of the annotation.
        others: number of regions that are no masses.
        unjoined: number of spiculated regions that touch no mass, where they were to be joined.
    """

    audit: list[Row]
    entries: list[dict[str, Any]]
    digest: str
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
    cases = [
        Case(file, tuple(images.get(file.stem, ())), sheet.get(file.stem, {}), target, copy, join_spiculated)
        for file in sorted((release / files.ANNOTATIONS).glob("*.xml"))
        if not file.name.startswith(".")
    ]
    stated = stated_source(
        release.parent, files.INNER_FOLDER + (", masses joined with spiculated regions" if join_spiculated else "")
    )
    with held(target):
        check_place(target, stated)
        outcomes = parallel_map(prepare_case, cases, scheduler, "Preparing mammograms", "mammogram")
        audit = [row for outcome in outcomes for row in outcome.audit]
        if not audit:
            raise InputError(
                f"{release / files.ANNOTATIONS}: no region is named Mass in {len(cases)} XML files; "
                "expected the annotations of the release"
            )
        write_audit(target / "audit.csv", audit)
        digest = hashlib.sha256(content)
        for case, outcome in zip(cases, outcomes, strict=True):
            digest.update(f"{case.annotation.name} {outcome.digest}\n".encode())
        about = {
            "name": NAME,
            "source": stated,
            "manifest_sha256": digest.hexdigest(),
            "note": NOTE,
        }
        usable = [entry for outcome in outcomes for entry in outcome.entries]
        parts: dict[str, Any] = {"training": [], "validation": [], "test": usable}
        write_datalists(target, about, {"test": parts})
        print("\n".join([*count_statuses(audit), *list_reasons(audit), *count_splits({"test": parts})]))
        print(_remarks(usable, outcomes, len(images), len(images.keys() - {case.annotation.stem for case in cases})))
        for name in strangers:
            print(f"  {files.IMAGES}/{name}: not a name of the release, left out")
        if not usable:
            raise InputError(f"{source}: no lesion is usable; {target / 'audit.csv'} gives the reason for each")


def find_images(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """The image files of each image id, and the names of files that are none."""
    images: dict[str, list[Path]] = defaultdict(list)
    strangers = []
    for file in sorted(folder.iterdir()):
        name = files.parse_image_name(file.name)
        if name is not None:
            images[name.image_id].append(file)
        elif not file.name.startswith("."):
            strangers.append(file.name)
    return images, strangers


def _remarks(usable: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], images: int, normal: int) -> str:
    """How the counts compare with what is known of the release."""
    mammograms = len({entry["image"] for entry in usable})
    same = (mammograms, len(usable)) == (MAMMOGRAMS, MASSES)
    lines = [
        f"  {mammograms} mammograms with {len(usable)} masses, "
        + ("as" if same else "which is not what")
        + f" public work on INbreast counts{'' if same else f': {MAMMOGRAMS} with {MASSES}'}",
        f"  {images} images, {normal} of them without annotation; "
        f"{sum(outcome.others for outcome in outcomes)} annotated regions are no masses",
    ]
    unjoined = sum(outcome.unjoined for outcome in outcomes)
    if unjoined:
        lines.append(f"  {unjoined} spiculated regions touch no mass and were left out")
    return "\n".join(lines)


def prepare_case(case: Case) -> Outcome:
    """Read an annotation and its image, write the masks and link the image.

    A lesion is named after its image and numbered over the masses that have an outline, so that its name does not
    depend on the image; a mass without outline is named after its place among the regions.
    """
    image_id = case.annotation.stem
    common = {"image_id": image_id, "image": ", ".join(file.name for file in case.images)}
    digest = ""
    try:
        content = files.read_annotation(case.annotation)
        digest = hashlib.sha256(content).hexdigest()
        rois = files.read_rois(case.annotation, content)
    except InputError as error:
        row = _audit_row(image_id, "quarantined", str(error), common, {})
        return Outcome([row], [], digest)
    masses = [roi for roi in rois if roi.name == files.MASS]
    if not masses:
        return Outcome([], [], digest, len(rois))

    metadata, shape, image_fault = _read_image(case)
    outlined = [roi for roi in masses if not roi.fault]
    names = {roi.number: f"{image_id}_{number}" for number, roi in enumerate(outlined, start=1)}
    drawn = {} if shape is None else {roi.number: files.rasterise(roi.points, shape) for roi in outlined}
    joined, unjoined = _join_spiculated(drawn, rois, shape) if case.join_spiculated and shape else ({}, 0)
    audit, entries = [], []
    for roi in masses:
        lesion = names.get(roi.number, f"{image_id}_roi{roi.number}")
        status, reason = _judge(roi, drawn.get(roi.number), image_fault)
        if status != "quarantined" and not case.sheet:
            reason = "; ".join(filter(None, (reason, f"{files.SHEET} has no row for image {image_id}")))
        regions = {"roi": str(roi.number), "joined": " ".join(map(str, joined.get(roi.number, ())))}
        audit.append(_audit_row(lesion, status, reason, common | regions, metadata))
        if status != "quarantined":
            entry = {"image": f"images/{image_id}.dcm", "label": f"masks/{lesion}.png", "lesion_id": lesion}
            entries.append(entry | metadata)
            write_lesion_mask(case.target, lesion, drawn[roi.number])
    if entries:
        link_image(case.images[0], case.target / entries[0]["image"], case.copy)
    return Outcome(audit, entries, digest, len(rois) - len(masses), unjoined)


def _read_image(case: Case) -> tuple[Row, tuple[int, int] | None, str]:
    """The lesions' metadata, the image's columns and rows, and why it cannot be used."""
    metadata = {name: "" for name in ("patient_id", "laterality", "view")}
    metadata |= {"birads": case.sheet.get("birads", ""), "density": case.sheet.get("density", ""), "pathology": ""}
    if len(case.images) != 1:
        found = f"{len(case.images)} files" if case.images else "no file"
        return metadata, None, f"{found} of image {case.annotation.stem} in {files.IMAGES}, expected one"
    (file,) = case.images
    name = files.parse_image_name(file.name)
    if name is not None:
        metadata |= {"patient_id": name.patient_id, "laterality": name.laterality, "view": name.view}
    try:
        columns, rows = read_values(f"{files.IMAGES}/{file.name}", file.parents[1]).shape
    except InputError as error:
        return metadata, None, str(error)
    return metadata, (columns, rows), ""


def _judge(roi: files.Roi, mask: np.ndarray | None, image_fault: str) -> tuple[str, str]:
    """Status and reason of a mass; its mask is None where it has no outline or no image."""
    if mask is None:
        return "quarantined", roi.fault or image_fault
    outside = files.points_outside(roi.points, mask.shape)
    text = (
        f"{outside} of {len(roi.points)} points outside the image of {mask.shape[0]} x {mask.shape[1]} (columns x rows)"
    )
    if not mask.any():
        return "quarantined", f"{text}: nothing of the mass is left"
    return ("repaired", f"{text}: cut off at its edge") if outside else ("paired", "")


def _join_spiculated(
    masses: dict[int, np.ndarray], rois: Sequence[files.Roi], shape: tuple[int, int]
) -> tuple[dict[int, list[int]], int]:
    """Add each spiculated region to the mass that it shares most pixels with, those next to the mass included.

    Args:
        masses: mask of each mass by the number of its region; changed in place.
        rois: all regions.
        shape: columns and rows of the image.

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


def _audit_row(lesion: str, status: str, reason: str, file: Mapping[str, str], metadata: Mapping[str, str]) -> Row:
    columns = ("image_id", "image", "roi", "joined", "patient_id", "laterality", "view", "birads", "density")
    known = {**file, **metadata}
    return {"lesion_id": lesion, "status": status, "reason": reason} | {name: known.get(name, "") for name in columns}
