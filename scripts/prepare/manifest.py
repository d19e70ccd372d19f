"""`prepare manifest`: a table of images and masks of one's own, in; a prepared data set, out."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from custom.data import PARTS
from custom.errors import InputError
from custom.files import held
from scripts.common.tables import Row, read_content, read_table
from scripts.prepare import masks, splits
from scripts.prepare.account import count_splits, count_statuses, list_reasons
from scripts.prepare.greys import grey_fault
from scripts.prepare.output import (
    check_place,
    link_image,
    stated_source,
    write_audit,
    write_datalists,
    write_lesion_mask,
)
from scripts.prepare.pixels import read_values

REQUIRED = ("image", "mask", "patient_id")
METADATA = ("laterality", "view", "birads", "density", "pathology")
BOX = ("x0", "y0", "x1", "y1")
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def prepare_manifest(table: str, dataset_dir: str, copy: bool = False) -> None:
    """Prepare a data set of your own from a CSV table with one row per lesion.

    Columns: `image`, `mask` (files, relative to the table) and `patient_id`; optional `lesion_id`, `laterality`,
    `view`, `birads`, `density` (ACR, 1 to 4), `pathology`, `split` (training, validation or test), a box
    `x0, y0, x1, y1` in pixels, half-open, and any others, which are kept.

    Args:
        table: the CSV file.
        dataset_dir: the prepared data set; made if it is not there.
        copy: copy the images instead of linking to them.
    """
    source, target = Path(table), Path(dataset_dir)
    content = read_content(source)
    rows = read_table(content, source, REQUIRED)
    if not rows:
        raise InputError(f"{source}: the table has no rows; expected one per lesion")
    names = mammogram_names({row["image"] for row in rows})
    number_lesions(rows, names, source)
    parts = table_parts(rows, source)

    by_image = defaultdict(list)
    owners: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_image[row["image"]].append(row)
        owners[row["mask"]] |= {row["patient_id"]} - {""}
    stated = stated_source(source.parent, f"manifest {source.name}")
    with held(target):
        check_place(target, stated)
        audit: dict[str, Row] = {}
        entries: dict[str, dict[str, Any]] = {}
        for image, lesions in tqdm(by_image.items(), desc="Preparing mammograms", unit="mammogram", disable=None):
            for row, mask, reason in pair(image, lesions, source.parent, owners):
                lesion = row["lesion_id"]
                status = "quarantined" if mask is None else "repaired" if reason else "paired"
                audit[lesion] = {**row, "status": status, "reason": reason}
                if mask is not None:
                    file, label = f"images/{names[image]}{suffix(image)}", f"masks/{lesion}.png"
                    link_image(source.parent / image, target / file, copy)
                    write_lesion_mask(target, lesion, mask)
                    entries[lesion] = entry(row, file, label)

        usable = [entries[row["lesion_id"]] for row in rows if row["lesion_id"] in entries]
        audited = [audit[row["lesion_id"]] for row in rows]
        write_audit(target / "audit.csv", audited)
        about = {
            "name": target.resolve().name,
            "source": stated,
            "manifest_sha256": hashlib.sha256(content).hexdigest(),
        }
        datalists = make_splits(usable, parts)
        write_datalists(target, about, datalists)
        print("\n".join([*count_statuses(audited), *list_reasons(audited), *count_splits(datalists)]))
        if not usable:
            raise InputError(f"{source}: no lesion is usable; {target / 'audit.csv'} gives the reason for each")


def mammogram_names(images: Iterable[str]) -> dict[str, str]:
    """A name of its own for each image: its stem; where stems clash, the folders too; a number if all else fails."""
    names: dict[str, str] = {}
    stems = {image: Path(image.removesuffix(suffix(image))) for image in sorted(images)}
    shared = Counter(_safe(stem.name) for stem in stems.values())
    for image, stem in stems.items():
        name = _safe(stem.name) if shared[_safe(stem.name)] == 1 else _safe("_".join(stem.parts))
        taken = set(names.values())
        numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
        names[image] = next(candidate for candidate in numbered if candidate not in taken)
    return names


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "mammogram"


def suffix(image: str) -> str:
    """The suffix of an image file, `.nii.gz` in one piece; `.dcm` for DICOM files without one."""
    return ".nii.gz" if image.lower().endswith(".nii.gz") else Path(image).suffix or ".dcm"


def number_lesions(rows: Sequence[Row], names: Mapping[str, str], table: Path) -> None:
    """Give each row without a `lesion_id` the mammogram's name and a number, in the order of the table.

    Raises:
        InputError: an id stands twice or cannot be a file's name.
    """
    numbers: Counter[str] = Counter()
    seen: set[str] = set()
    for line, row in enumerate(rows, start=2):
        numbers[row["image"]] += 1
        lesion = row.setdefault("lesion_id", "") or f"{names[row['image']]}_{numbers[row['image']]}"
        if not SAFE_NAME.fullmatch(lesion):
            raise InputError(f"{table}, row {line}: lesion_id {lesion!r}; expected letters, digits and . _ - only")
        if lesion in seen:
            raise InputError(f"{table}, row {line}: lesion_id {lesion} stands twice; expected one row per lesion")
        seen.add(lesion)
        row["lesion_id"] = lesion


def pair(
    image: str, lesions: Sequence[Row], folder: Path, owners: Mapping[str, set[str]]
) -> Iterator[tuple[Row, np.ndarray | None, str]]:
    """Read one mammogram and the masks of its lesions.

    Args:
        image: the file, relative to `folder`.
        lesions: its rows.
        folder: of the table.
        owners: the patients of each mask file.

    Yields:
        Each row with its mask, bool `(X, Y)` in the frame of the mammogram, and a note if it was resized; or with None
        and the reason why the lesion cannot be used.
    """
    try:
        if suffix(image).lower() == ".mhd":  # one file is linked, or copied
            raise InputError(f"{image}: found a MetaImage whose pixels lie in another file; save it as one .mha file")
        pixels = read_values(image, folder)
    except InputError as error:
        for row in lesions:
            yield row, None, str(error)
        return
    for row in lesions:
        fault = _fault(row, pixels.shape, owners[row["mask"]])
        if fault:
            yield row, None, fault
            continue
        try:
            mask, reason = masks.binarise(read_values(row["mask"], folder))
        except InputError as error:
            yield row, None, str(error)
            continue
        if mask is not None:
            mask, reason = masks.fit(mask, pixels.shape)
        if mask is not None and row.get("x0") and not _overlap(row, mask):
            mask, reason = None, f"has no pixel in the box ({_box_text(row)}): one of them is of another lesion"
        if mask is not None and (fault := grey_fault(pixels, mask)):
            yield row, None, f"{image}: {fault}"
            continue
        yield row, mask, f"{row['mask']}: {reason}" if reason else ""


def _fault(row: Row, shape: tuple[int, ...], patients: set[str]) -> str:
    if not row["patient_id"]:
        return "no patient_id; a split by patient needs one"
    if row["mask"] and len(patients) > 1:
        return f"{row['mask']}: stands in rows of {len(patients)} patients; expected the mask of one"
    given = [row[edge] for edge in BOX if row.get(edge)]
    if not given:
        return ""
    text = f"box ({_box_text(row)})"
    try:
        x0, y0, x1, y1 = (float(edge) for edge in given)
    except ValueError:
        return f"{text}: expected four numbers x0, y0, x1, y1"
    if not all(math.isfinite(edge) for edge in (x0, y0, x1, y1)) or x0 >= x1 or y0 >= y1:
        return f"{text}: expected x0 < x1 and y0 < y1"
    if x0 < 0 or y0 < 0 or x1 > shape[0] or y1 > shape[1]:
        return f"{text} leaves the frame of {shape[0]} x {shape[1]} (columns x rows)"
    return ""


def _box_text(row: Row) -> str:
    return ", ".join(row.get(edge, "") for edge in BOX)


def _overlap(row: Row, mask: np.ndarray) -> bool:
    x0, y0, x1, y1 = (float(row[edge]) for edge in BOX)
    return bool(mask[math.floor(x0) : math.ceil(x1), math.floor(y0) : math.ceil(y1)].any())


def entry(row: Row, image: str, label: str) -> dict[str, Any]:
    """The datalist's entry of a row."""
    known = {"image": image, "label": label, "lesion_id": row["lesion_id"], "patient_id": row["patient_id"]}
    metadata = {name: row.get(name, "") for name in METADATA}
    other = {name: value for name, value in row.items() if name not in (*known, *metadata, *BOX, "mask", "split")}
    box = {"box": [float(row[edge]) for edge in BOX]} if row.get("x0") else {}
    return known | metadata | other | box


def table_parts(rows: Sequence[Row], table: Path) -> dict[str, str]:
    """The part of each lesion by the table's `split` column; empty where it has none.

    Raises:
        InputError: a part is not known, or a patient is in two.
    """
    if "split" not in rows[0]:
        return {}
    of_patient: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        part, patient = row["split"].lower(), row["patient_id"]
        if not patient:
            continue  # quarantined in its place
        if part not in PARTS:
            raise InputError(f"{table}, row {line}: split {row['split']!r}; expected {', '.join(PARTS)}")
        if of_patient.setdefault(patient, part) != part:
            raise InputError(
                f"{table}, row {line}: patient {patient} is in {part} and in {of_patient[patient]}; "
                "expected each patient in one part of the split"
            )
    return {row["lesion_id"]: of_patient[row["patient_id"]] for row in rows if row["patient_id"]}


def make_splits(usable: Sequence[Mapping[str, Any]], parts: Mapping[str, str]) -> dict[str, splits.Parts]:
    """The datalists that the lesions allow: by patient, in folds, by lesion as the paper did, and the table's own.

    Args:
        usable: the lesions' entries.
        parts: the part of each lesion in the table's own split, or nothing.
    """
    patients = {lesion["patient_id"] for lesion in usable}
    datalists: dict[str, splits.Parts] = {}
    if len(patients) >= splits.LEAST_PATIENTS:
        datalists["patient"] = splits.patient_split(usable)
        datalists["paper"] = splits.lesion_split(usable)
    if len(patients) >= splits.FOLDS:
        datalists |= {f"fold{number}": split for number, split in enumerate(splits.fold_splits(usable))}
    if parts:
        datalists["table"] = {
            part: [lesion for lesion in usable if parts[lesion["lesion_id"]] == part] for part in PARTS
        }
    return datalists
