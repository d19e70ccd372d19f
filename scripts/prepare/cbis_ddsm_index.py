"""What lies in a CBIS-DDSM download, from headers alone: no layout is assumed, no pixel is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image
from pydicom.errors import InvalidDicomError
from tqdm import tqdm

from custom.errors import reason
from custom.readers.dicom import quiet_pydicom, read_dicom
from scripts.common.tables import read_content, read_table
from scripts.prepare.cbis_ddsm_tables import Key, Tables, parse_key
from scripts.prepare.walk import walk

MIRROR_TABLE = "dicom_info.csv"
JPEG_SUFFIXES = (".jpg", ".jpeg")
HEADER = ("SOPInstanceUID", "PatientID", "Rows", "Columns", "BitsAllocated")


@dataclass(frozen=True)
class SourceFile:
    """One image of the download.

    Attributes:
        path: relative to the source, with `/`.
        key: whose it is; None if nothing says so.
        jpeg: whether it is of the JPEG mirror; otherwise it is DICOM.
        size: columns and rows; zeros where the header cannot be read.
        bits: per pixel, as stored.
        uid: SOPInstanceUID; empty where the header has none.
        bytes: length of the file.
        fault: why the header cannot be read.
    """

    path: str
    key: Key | None
    jpeg: bool = False
    size: tuple[int, int] = (0, 0)
    bits: int = 0
    uid: str = ""
    bytes: int = 0
    fault: str = ""


@dataclass(frozen=True)
class Index:
    """The images of the lesions in the tables, and what else there is.

    Attributes:
        files: of each name: a lesion's crop and mask, a mammogram's full images; in the order of their paths.
        aside: the other files with the reason why they are of no lesion.
    """

    files: Mapping[str, tuple[SourceFile, ...]]
    aside: Mapping[str, str]


def index_source(source: Path, skipped: Path, tables: Tables) -> Index:
    """Find the files of the tables' lesions.

    Args:
        source: folder of the download, in any of its layouts, or several of them.
        skipped: a folder that is not looked into even if it lies in `source`: the prepared data set.
        tables: the official ones.

    Raises:
        InputError: the mirror's table of headers cannot be used.
    """
    paths = list(walk(source, skipped))
    series_keys = dict(tables.series_keys)
    for path in paths:
        if path.name == MIRROR_TABLE:
            series_keys |= _mirror_keys(path)
    wanted = {name for lesion in tables.lesions for name in (lesion.key.name, lesion.key.mammogram)}
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
    return Index(files, aside)


def _mirror_keys(table: Path) -> dict[str, Key]:
    """The key of each series, from the mirror's table of headers."""
    rows = read_table(read_content(table), table, ("image_path", "PatientID"))
    keys = {PurePosixPath(row["image_path"]).parent.name: parse_key(row["PatientID"]) for row in rows}
    return {series: key for series, key in keys.items() if key}


def _read_header(path: Path, relative: Path, series_keys: Mapping[str, Key]) -> SourceFile | None:
    """What the header says; None for a file that is no image."""
    name = relative.as_posix()
    from_folders = next(filter(None, map(parse_key, reversed(relative.parts[:-1]))), None)
    try:
        if path.exists() and not path.is_file():
            return None  # A pipe would keep its reader waiting.
        length = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(132)
    except OSError as error:
        return SourceFile(name, from_folders, fault=f"cannot be opened ({error.strerror})")
    if head.startswith(b"\xff\xd8\xff") or path.suffix.lower() in JPEG_SUFFIXES:
        key = series_keys.get(relative.parent.name) or from_folders
        try:
            with Image.open(path, formats=("JPEG", "PNG")) as image:
                return SourceFile(name, key, True, image.size, 8, "", length)
        except Exception as error:  # A broken header makes Pillow raise anything.
            fault = f"the header cannot be read ({reason(error)}); fetch it again"
            return SourceFile(name, key, True, bytes=length, fault=fault)
    if not head.endswith(b"DICM") and path.suffix.lower() != ".dcm":
        return None
    try:
        with quiet_pydicom():
            header = read_dicom(path, stop_before_pixels=True, specific_tags=list(HEADER))
            size = int(header.get("Columns") or 0), int(header.get("Rows") or 0)
            key = parse_key(str(header.get("PatientID") or "")) or from_folders
            return SourceFile(
                name, key, False, size, int(header.get("BitsAllocated") or 0), str(header.get("SOPInstanceUID") or ""),
                length,
            )  # fmt: skip
    except InvalidDicomError:
        fault = "not a DICOM file whatever its name says; fetch its series again"
    except Exception as error:  # A broken header makes pydicom raise anything.
        fault = f"the header cannot be read ({reason(error)}); fetch its series again"
    return SourceFile(name, from_folders, bytes=length, fault=fault)


def _without_copies(files: Iterable[SourceFile]) -> tuple[list[SourceFile], dict[str, str]]:
    """The files of one name, each instance once, and the others with the reason.

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
