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

from tqdm import tqdm

from custom.data import PARTS
from custom.errors import InputError
from scripts.common.tables import Row, read_content, read_table
from scripts.prepare.output import datalist_entry, finish, preparing, write_mammogram
from scripts.prepare.pairs import Verdict, judge, read_values
from scripts.prepare.splits import make_splits

REQUIRED = ("image", "mask", "patient_id")
METADATA = ("lesion_id", "patient_id", "laterality", "view", "birads", "density", "pathology")
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

    links = {image: f"images/{name}{suffix(image)}" for image, name in names.items()}
    by_image = defaultdict(list)
    owners: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        by_image[row["image"]].append(row)
        owners[row["mask"]] |= {row["patient_id"]} - {""}
    with preparing(target, source.parent, f"manifest {source.name}") as stated:
        found: dict[str, Row] = {}
        for image, lesions in tqdm(by_image.items(), desc="Preparing mammograms", unit="mammogram", disable=None):
            verdicts = judge_lesions(image, lesions, source.parent, owners)
            found |= write_mammogram(target, source.parent / image, links[image], verdicts, copy)
        audit = [row | found[row["lesion_id"]] for row in rows]
        usable = [entry(row, links[row["image"]]) for row in rows if found[row["lesion_id"]]["status"] != "quarantined"]
        datalists = make_splits(usable)
        if parts:
            datalists["table"] = {part: [one for one in usable if parts[one["lesion_id"]] == part] for part in PARTS}
        about = {
            "name": target.resolve().name,
            "source": stated,
            "manifest_sha256": hashlib.sha256(content).hexdigest(),
        }
        finish(target, source, about, audit, datalists)


def mammogram_names(images: Iterable[str]) -> dict[str, str]:
    """Name each image after its stem; where stems clash, after its folders too; with a number if all else fails."""
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
    """Return the suffix of an image file, `.nii.gz` in one piece; `.dcm` for DICOM files without one."""
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


def judge_lesions(
    image: str, lesions: Sequence[Row], folder: Path, owners: Mapping[str, set[str]]
) -> Iterator[tuple[str, Verdict]]:
    """Read one mammogram and the masks of its lesions, files relative to `folder`, and judge each.

    `owners` holds the patients of each mask file.
    """
    try:
        if suffix(image).lower() == ".mhd":  # one file is linked, or copied
            raise InputError(f"{image}: found a MetaImage whose pixels lie in another file; save it as one .mha file")
        pixels = read_values(image, folder)
    except InputError as error:
        yield from ((row["lesion_id"], Verdict(None, str(error))) for row in lesions)
        return
    for row in lesions:
        try:
            _check_row(row, pixels.shape, owners[row["mask"]])
            values = read_values(row["mask"], folder)
        except InputError as error:
            yield row["lesion_id"], Verdict(None, str(error))
        else:
            box = [row[edge] for edge in BOX if row.get(edge)]
            yield row["lesion_id"], judge(pixels, values, image, row["mask"], box)


def _check_row(row: Row, shape: tuple[int, ...], patients: set[str]) -> None:
    """Refuse a row without a patient, with a mask of several patients, or with a box that is not in the frame."""
    if not row["patient_id"]:
        raise InputError("no patient_id; a split by patient needs one")
    if row["mask"] and len(patients) > 1:
        raise InputError(f"{row['mask']}: stands in rows of {len(patients)} patients; expected the mask of one")
    given = [row[edge] for edge in BOX if row.get(edge)]
    if not given:
        return
    text = f"box ({', '.join(row.get(edge, '') for edge in BOX)})"
    try:
        x0, y0, x1, y1 = map(float, given)
    except ValueError as error:
        raise InputError(f"{text}: expected four numbers x0, y0, x1, y1") from error
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x0 >= x1 or y0 >= y1:
        raise InputError(f"{text}: expected x0 < x1 and y0 < y1")
    if x0 < 0 or y0 < 0 or x1 > shape[0] or y1 > shape[1]:
        raise InputError(f"{text} leaves the frame of {shape[0]} x {shape[1]} (columns x rows)")


def entry(row: Row, image: str) -> dict[str, Any]:
    """Return the datalist's entry of a row."""
    metadata = {name: row.get(name, "") for name in METADATA}
    known = (*BOX, "image", "label", "mask", "split")
    other = {name: value for name, value in row.items() if name not in known}
    box = {"box": [float(row[edge]) for edge in BOX]} if row.get("x0") else {}
    return datalist_entry(image, metadata | other) | box


def table_parts(rows: Sequence[Row], table: Path) -> dict[str, str]:
    """Read the part of each lesion from the table's `split` column; empty where it has none.

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
