"""Reading a CBIS-DDSM download: the official mass tables, the keys that tie them to files, and the files' headers.

No layout of folders is assumed, and no pixel is decoded.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from PIL import Image
from pydicom.errors import InvalidDicomError
from tqdm import tqdm

from custom.errors import InputError, reason
from custom.readers.dicom import quiet_pydicom, read_dicom
from scripts.common.datasets import CBIS_DDSM_TABLES, UNKNOWN
from scripts.common.tables import Row, read_content, read_table

NAME = "cbis_ddsm_mass"
SOURCE = "CBIS-DDSM, The Cancer Imaging Archive, doi 10.7937/K9/TCIA.2016.7O02S9CY, CC BY 3.0"
OFFICIAL_MAMMOGRAMS, OFFICIAL_LESIONS = 1592, 1696

METADATA = {
    "patient_id": "patient_id",
    "laterality": "left or right breast",
    "view": "image view",
    "birads": "assessment",
    "density": "breast_density",
    "pathology": "pathology",
    "subtlety": "subtlety",
    "mass_shape": "mass shape",
    "mass_margins": "mass margins",
}
ABNORMALITY = "abnormality id"
PATHS = ("image file path", "cropped image file path", "ROI mask file path")

_KEY = re.compile(r"(Mass|Calc)-(Training|Test)_(P_\d{5}_(?:LEFT|RIGHT)_(?:CC|MLO))(?:_(\d+))?", re.ASCII)
MIRROR_TABLE = "dicom_info.csv"
JPEG_SUFFIXES = (".jpg", ".jpeg")
HEADER = ("SOPInstanceUID", "PatientID", "Rows", "Columns", "BitsAllocated")


@dataclass(frozen=True)
class Key:
    """The name of a mammogram or a lesion in this collection: a PatientID, a folder, the start of a table's path.

    Attributes:
        abnormality: `Mass` or `Calc`.
        part: Part of the official split, `Training` or `Test`.
        mammogram: Name of the mammogram, such as `P_00001_LEFT_CC`.
        number: Abnormality id; empty for the full mammogram.
    """

    abnormality: str
    part: str
    mammogram: str
    number: str = ""

    def __str__(self) -> str:
        return f"{self.abnormality}-{self.part}_{self.name}"

    @property
    def name(self) -> str:
        """The lesion's name, such as `P_00001_LEFT_CC_1`, or that of the full mammogram."""
        return f"{self.mammogram}_{self.number}" if self.number else self.mammogram


@dataclass(frozen=True)
class Tables:
    """Both tables.

    Attributes:
        lesions: `lesion_id`, `patient_id`, `laterality`, `view`, `birads`, `density`, `pathology` and more of each key,
            as text, sorted by name; `N/A` where the table has none.
        series_keys: Key of each SeriesInstanceUID in the tables' paths.
        files: Tables that were read.
        sha256: SHA-256 of their bytes, training first.
    """

    lesions: Mapping[Key, Row]
    series_keys: Mapping[str, Key]
    files: tuple[Path, ...]
    sha256: str


def parse_key(text: str) -> Key | None:
    """Parse a key, spaces around it aside; None if it is none."""
    match = _KEY.fullmatch(text.strip())
    return Key(match[1], match[2], match[3], match[4] or "") if match else None


def read_tables(folder: Path) -> Tables:
    """Read both official tables, wherever they lie in `folder`.

    Raises:
        InputError: a table is not there or there in two versions, or both are empty; a row names no lesion, or one that
            was there before.
    """
    lesions: dict[str, tuple[Key, Row]] = {}
    series_keys: dict[str, Key] = {}
    files = {part: _find(folder, name) for part, name in CBIS_DDSM_TABLES.items()}
    contents = [read_content(file) for file in files.values()]
    for (part, file), content in zip(files.items(), contents, strict=True):
        rows = read_table(content, file, (*METADATA.values(), ABNORMALITY, *PATHS))
        for number, row in enumerate(rows, start=2):
            lesion = _lesion(part, row, f"{file}, row {number}")
            name = lesion[0].name
            if lesions.setdefault(name, lesion) is not lesion:
                raise InputError(f"{file}, row {number}: {name} stands twice; expected one row per lesion")
            series_keys |= _series_keys(row)
    if not lesions:
        raise InputError(f"{', '.join(map(str, files.values()))}: no rows; expected one per lesion")
    ordered = dict(lesions[name] for name in sorted(lesions))
    return Tables(ordered, series_keys, tuple(files.values()), hashlib.sha256(b"".join(contents)).hexdigest())


def _find(folder: Path, name: str) -> Path:
    found = [file for file in walk(folder) if file.name == name]
    if not found:
        raise InputError(
            f"{folder}: {name} is not there; expected both official tables: fetch them from the collection's page "
            "and name their folder with --tables"
        )
    if len({read_content(file) for file in found}) > 1:
        raise InputError(f"{found[0]}: differs from {found[1]}; expected one version: name its folder with --tables")
    return found[0]


def _lesion(part: str, row: Row, place: str) -> tuple[Key, Row]:
    columns = (METADATA["patient_id"], METADATA["laterality"], METADATA["view"], ABNORMALITY)
    key = parse_key(f"Mass-{part}_" + "_".join(row[column] for column in columns))
    if key is None or not key.number:
        found = ", ".join(f"{column} {row[column]!r}" for column in columns)
        raise InputError(f"{place}: found {found}; expected such as P_00001, LEFT, CC, 1: fetch the table again")
    cells = {name: row[column] for name, column in METADATA.items()}
    return key, {"lesion_id": key.name} | {name: cell or UNKNOWN for name, cell in cells.items()}


def _series_keys(row: Row) -> dict[str, Key]:
    parts = [row[column].split("/") for column in PATHS]
    keys = {path[-2]: parse_key(path[0]) for path in parts if len(path) > 2}
    return {series: key for series, key in keys.items() if key}


@dataclass(frozen=True)
class SourceFile:
    """One image of the download.

    Attributes:
        path: Path relative to the source, with `/`.
        key: Mammogram or lesion that it belongs to; None if nothing says so.
        jpeg: Whether it is of the JPEG mirror; otherwise it is DICOM.
        size: Columns and rows; zeros where the header cannot be read.
        bits: Bits per pixel, as stored.
        uid: SOPInstanceUID; empty where the header has none.
        bytes: Length of the file.
        fault: Why the header cannot be read.
    """

    path: str
    key: Key | None
    jpeg: bool = False
    size: tuple[int, int] = (0, 0)
    bits: int = 0
    uid: str = ""
    bytes: int = 0
    fault: str = ""


def index_source(
    source: Path, skipped: Path, tables: Tables
) -> tuple[dict[str, tuple[SourceFile, ...]], dict[str, str]]:
    """Find the files of the tables' lesions in a download, in any of its layouts, or several of them.

    The folder `skipped`, which is the prepared data set, is left out even if it is in `source`.

    Returns:
        A lesion's crop and mask, or a mammogram's full images, by name and in the order of their paths; and why each of
        the other files is of no lesion, by its path.

    Raises:
        InputError: the mirror's table of headers cannot be used.
    """
    paths = list(walk(source, skipped))
    series_keys = dict(tables.series_keys)
    for path in paths:
        if path.name == MIRROR_TABLE:
            series_keys |= _mirror_keys(path)
    wanted = {name for key in tables.lesions for name in (key.name, key.mammogram)}
    table_paths = {table.resolve() for table in tables.files}
    aside: dict[str, str] = {}
    found: dict[str, list[SourceFile]] = {}
    for path in tqdm(paths, desc="Reading headers", unit="file", disable=None):
        if path.is_file() and path.resolve() in table_paths:  # A link to itself cannot be resolved.
            continue
        file = _read_header(path, path.relative_to(source), series_keys)
        name = path.relative_to(source).as_posix()
        if file is None:
            aside[name] = "not an image"
        elif file.key is None:
            aside[name] = file.fault or "of no known key: neither PatientID nor a folder names a lesion or mammogram"
        elif file.key.abnormality != "Mass":
            aside[name] = f"of a calcification, {file.key}"
        elif file.key.name not in wanted:
            aside[name] = f"of {file.key}, which the tables do not have"
        else:
            found.setdefault(file.key.name, []).append(file)
    files = {}
    for name, candidates in found.items():
        kept, doubled = _without_copies(candidates)
        files[name] = tuple(kept)
        aside |= doubled
    return files, aside


def _mirror_keys(table: Path) -> dict[str, Key]:
    """Read the key of each series from the mirror's table of headers."""
    rows = read_table(read_content(table), table, ("image_path", "PatientID"))
    keys = {PurePosixPath(row["image_path"]).parent.name: parse_key(row["PatientID"]) for row in rows}
    return {series: key for series, key in keys.items() if key}


def _read_header(path: Path, relative: Path, series_keys: Mapping[str, Key]) -> SourceFile | None:
    """Read what the header says; None for a file that is no image."""
    folder_key = next(filter(None, map(parse_key, reversed(relative.parts[:-1]))), None)
    file = SourceFile(relative.as_posix(), folder_key)
    try:
        if path.exists() and not path.is_file():
            return None  # A pipe would keep its reader waiting.
        file = replace(file, bytes=path.stat().st_size)
        with path.open("rb") as opened:
            head = opened.read(132)
    except OSError as error:
        return replace(file, bytes=0, fault=f"cannot be opened ({error.strerror})")
    jpeg = head.startswith(b"\xff\xd8\xff") or path.suffix.lower() in JPEG_SUFFIXES
    if jpeg:
        file = replace(file, jpeg=True, key=series_keys.get(relative.parent.name) or folder_key)
    elif not head.endswith(b"DICM") and path.suffix.lower() != ".dcm":
        return None
    try:
        if jpeg:
            with Image.open(path, formats=("JPEG", "PNG")) as image:
                return replace(file, size=image.size, bits=8)
        with quiet_pydicom():
            header = read_dicom(path, stop_before_pixels=True, specific_tags=list(HEADER))
            return replace(
                file,
                key=parse_key(str(header.get("PatientID") or "")) or folder_key,
                size=(int(header.get("Columns") or 0), int(header.get("Rows") or 0)),
                bits=int(header.get("BitsAllocated") or 0),
                uid=str(header.get("SOPInstanceUID") or ""),
            )
    except InvalidDicomError:
        fault = "not a DICOM file whatever its name says; fetch its series again"
    except Exception as error:  # A broken header makes Pillow and pydicom raise anything.
        fault = f"the header cannot be read ({reason(error)}); fetch {'it' if jpeg else 'its series'} again"
    return replace(file, fault=fault)


def _without_copies(files: Iterable[SourceFile]) -> tuple[list[SourceFile], dict[str, str]]:
    """Keep each instance of the files of one name once; return the others with the reason.

    Of several copies the longest stays, since a broken download leaves a short one. JPEG files stand back for DICOM.
    """
    files = sorted(files, key=lambda file: (-file.bytes, file.path))
    any_dicom = any(not file.jpeg and not file.fault for file in files)
    kept: dict[tuple[str, tuple[int, int], int], SourceFile] = {}
    aside = {}
    for file in files:
        if file.jpeg and any_dicom:
            aside[file.path] = f"JPEG form of {file.key}, whose DICOM form is used"
            continue
        first = kept.setdefault((file.uid or file.path, file.size, file.bits), file)
        if first is not file:
            aside[file.path] = f"duplicate of {first.path}"
    return sorted(kept.values(), key=lambda file: file.path), aside


def walk(source: Path, skipped: Path | None = None) -> Iterator[Path]:
    """Find all files below a folder, in the order of their names.

    A download may be spread over several disks: symbolic links to folders outside it are followed, each folder once,
    and none that holds the source. One to a folder inside it is not, since its files are found in their own place.
    The folder `skipped` is left out even if it is in the source.
    """
    root = source.resolve()
    seen = {root, *root.parents, *([skipped.resolve()] if skipped else [])}
    for folder, subfolders, names in os.walk(source, followlinks=True):
        fresh = []
        for name in sorted(subfolders):
            path = Path(folder, name)
            place = path.resolve()
            if place not in seen and not (path.is_symlink() and place.is_relative_to(root)):
                seen.add(place)
                fresh.append(name)
        subfolders[:] = fresh
        yield from (Path(folder, name) for name in sorted(names))
