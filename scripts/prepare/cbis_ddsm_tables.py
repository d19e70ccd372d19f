"""The official CBIS-DDSM mass tables, and the keys that tie them to files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from custom.errors import InputError
from scripts.common.datasets import CBIS_DDSM_TABLES, UNKNOWN
from scripts.common.tables import Row, read_content, read_table
from scripts.prepare.walk import walk

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


@dataclass(frozen=True)
class Key:
    """What names a mammogram or a lesion in this collection: a PatientID, a folder, the start of a table's path.

    Attributes:
        abnormality: `Mass` or `Calc`.
        part: `Training` or `Test`, of the official split.
        mammogram: such as `P_00001_LEFT_CC`.
        number: the abnormality id; empty for the full mammogram.
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
class Lesion:
    """A row of the tables.

    Attributes:
        key: of the lesion.
        metadata: `lesion_id`, `patient_id`, `laterality`, `view`, `birads`, `density`, `pathology` and more, as text;
            `N/A` where the table has none.
    """

    key: Key
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Tables:
    """Both tables.

    Attributes:
        lesions: one per row, sorted by name.
        series_keys: the key of each SeriesInstanceUID in the tables' paths.
        files: the tables that were read.
        sha256: of their bytes, training first.
    """

    lesions: tuple[Lesion, ...]
    series_keys: Mapping[str, Key]
    files: tuple[Path, ...]
    sha256: str


def parse_key(text: str) -> Key | None:
    """The key that `text` is, spaces around it aside; None if it is none."""
    match = _KEY.fullmatch(text.strip())
    return Key(match[1], match[2], match[3], match[4] or "") if match else None


def read_tables(folder: Path) -> Tables:
    """Both official tables, wherever they lie in `folder`.

    Raises:
        InputError: a table is not there or there in two versions, or both are empty; a row names no lesion, or one that
            was there before.
    """
    lesions: dict[str, Lesion] = {}
    series_keys: dict[str, Key] = {}
    files = {part: _find(folder, name) for part, name in CBIS_DDSM_TABLES.items()}
    contents = [read_content(file) for file in files.values()]
    for (part, file), content in zip(files.items(), contents, strict=True):
        rows = read_table(content, file, (*METADATA.values(), ABNORMALITY, *PATHS))
        for number, row in enumerate(rows, start=2):
            lesion = _lesion(part, row, f"{file}, row {number}")
            if lesions.setdefault(lesion.key.name, lesion) is not lesion:
                raise InputError(f"{file}, row {number}: {lesion.key.name} stands twice; expected one row per lesion")
            series_keys |= _series_keys(row)
    if not lesions:
        raise InputError(f"{', '.join(map(str, files.values()))}: no rows; expected one per lesion")
    ordered = tuple(lesions[name] for name in sorted(lesions))
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


def _lesion(part: str, row: Row, place: str) -> Lesion:
    columns = (METADATA["patient_id"], METADATA["laterality"], METADATA["view"], ABNORMALITY)
    key = parse_key(f"Mass-{part}_" + "_".join(row[column] for column in columns))
    if key is None or not key.number:
        found = ", ".join(f"{column} {row[column]!r}" for column in columns)
        raise InputError(f"{place}: found {found}; expected such as P_00001, LEFT, CC, 1: fetch the table again")
    cells = {name: row[column] for name, column in METADATA.items()}
    return Lesion(key, {"lesion_id": key.name} | {name: cell or UNKNOWN for name, cell in cells.items()})


def _series_keys(row: Row) -> dict[str, Key]:
    parts = [row[column].split("/") for column in PATHS]
    keys = {path[-2]: parse_key(path[0]) for path in parts if len(path) > 2}
    return {series: key for series, key in keys.items() if key}
