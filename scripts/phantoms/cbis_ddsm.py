"""Raw CBIS-DDSM trees: any mammograms with masks and metadata, as the collection's downloads lay them out.

`raw_files` says which files a mammogram has, `cbis_ddsm_defects` spoils them, a variant says where a file lies, and
`CbisDdsmWriter` writes files and tables. Every UID, file order and pixel margin comes from a hash of names, so that the
same mammograms give the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from pydicom.uid import SecondaryCaptureImageStorage

from custom.files import write_csv, write_if_changed
from scripts.common.datasets import CBIS_DDSM_TABLES
from scripts.phantoms import encode
from scripts.phantoms.encode import Pixels

UID_ROOT = "1.3.6.1.4.1.9590.100.1.2"
COLLECTION = "CBIS-DDSM"
DESCRIPTIONS = {"mammogram": "full mammogram images", "crop": "cropped images", "mask": "ROI mask images"}
COLUMNS = (
    "patient_id", "breast_density", "left or right breast", "image view", "abnormality id", "abnormality type",
    "mass shape", "mass margins", "assessment", "pathology", "subtlety", "image file path", "cropped image file path",
    "ROI mask file path",
)  # fmt: skip
# The crop is up to this many pixels wider than the mask's box on each side.
CROP_MARGIN = 2


@dataclass(frozen=True)
class RawLesion:
    """A row of the table and its mask, 0 and 255, `(rows, columns)` of the mammogram."""

    number: int
    shape: str
    margins: str
    birads: str
    pathology: str
    subtlety: str
    mask: Pixels


@dataclass(frozen=True)
class RawMammogram:
    """A mammogram as the collection holds it.

    Attributes:
        part: `Training` or `Test`.
        patient_id: Such as `P_00001`.
        image: Grey levels, 8 or 16 bit, bright = dense, `(rows, columns)`.
    """

    part: str
    patient_id: str
    laterality: str
    view: str
    density: str
    image: Pixels
    lesions: tuple[RawLesion, ...]

    @property
    def key(self) -> str:
        """Such as `Mass-Training_P_00001_LEFT_CC`."""
        return f"Mass-{self.part}_{self.patient_id}_{self.laterality}_{self.view}"


@dataclass(frozen=True)
class RawFile:
    """One file of a raw tree.

    Attributes:
        key: PatientID, and name of the outermost folder: that of the mammogram, or of the lesion.
        role: `mammogram`, `crop` or `mask`.
        series: Tells the series of a key apart; files of one name share one.
        description: SeriesDescription.
        number: Place in the series, from 0.
        pixels: 16 bit, masks 8 bit, `(rows, columns)`.
        patient_id: PatientID in the header.
        folder: Name of the outermost folder.
        inverted: Whether it is stored as MONOCHROME1.
        kept: Share of the bytes that is left; 0 for a file of something else.
        copied: Whether it is in a second folder, with the same UIDs.
    """

    key: str
    role: str
    series: str
    description: str
    number: int
    pixels: Pixels
    patient_id: str
    folder: str
    inverted: bool = False
    kept: float = 1.0
    copied: bool = False

    @property
    def study_uid(self) -> str:
        """UID of the study: one for each key."""
        return make_uid(self.key)

    @property
    def series_uid(self) -> str:
        """UID of the series."""
        return make_uid(self.key, self.series)

    @property
    def sop_uid(self) -> str:
        """UID of the file."""
        return make_uid(self.key, self.series, self.role, str(self.number))


def digest(*names: str) -> int:
    """Return a number that looks random and depends on the names alone."""
    return int.from_bytes(hashlib.sha256("/".join(names).encode()).digest()[:14], "big")


def make_uid(*names: str) -> str:
    """Make a UID of the names, below the root that the collection's own have."""
    return f"{UID_ROOT}.{digest(*names)}"


def raw_files(mammogram: RawMammogram) -> list[RawFile]:
    """Make the files of a sound mammogram: the full image, and for each lesion crop and mask in one series."""
    image = mammogram.image.astype(np.uint16)

    def file(key: str, role: str, pixels: Pixels, number: int) -> RawFile:
        series = DESCRIPTIONS["mammogram" if role == "mammogram" else "mask"]
        return RawFile(key, role, series, series, number, pixels, patient_id=key, folder=key)

    files = [file(mammogram.key, "mammogram", image, 0)]
    for lesion in mammogram.lesions:
        key = f"{mammogram.key}_{lesion.number}"
        mask_first = digest(key, "order") % 2
        crop = _crop(image, lesion.mask, digest(key, "margin") % (CROP_MARGIN + 1))
        files += [file(key, "crop", crop, mask_first), file(key, "mask", lesion.mask, 1 - mask_first)]
    return files


def _crop(image: Pixels, mask: Pixels, margin: int) -> Pixels:
    """Cut the mammogram at the mask's box, `margin` pixels wider on each side where there is room."""
    x, y, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    rows, columns = slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin)
    return np.ascontiguousarray(image[rows, columns])


PATHS: dict[str, Callable[[RawFile], str]] = {
    # As the download tool names a file today, and as it did before.
    "classic": lambda file: (
        f"{file.folder}/10-04-2016-DDSM-NA-{file.study_uid[-5:]}/"
        f"1.000000-{file.description}-{file.series_uid[-5:]}/1-{file.number + 1}.dcm"
    ),
    "older": lambda file: (
        f"{file.folder}/10-04-2016-DDSM-{file.study_uid[-5:]}/"
        f"1-{file.description}-{file.series_uid[-5:]}/{file.number:06d}.dcm"
    ),
    # As the tables do.
    "uid": lambda file: f"{file.folder}/{file.study_uid}/{file.series_uid}/{file.number:06d}.dcm",
    # As the JPEG mirror does; the number says nothing.
    "jpeg": lambda file: f"{file.series_uid}/1-{(digest(file.series_uid) + file.number) % 1000:03d}.jpg",
}
VARIANTS = (*PATHS, "mixed")


class CbisDdsmWriter:
    """Write a raw tree mammogram by mammogram; what is there already is not written again.

    The variant `mixed` takes the others in turn. `untidy` tables have stray spaces and empty cells.
    """

    def __init__(self, output_dir: Path, variant: str = "classic", untidy: bool = False) -> None:
        self.output_dir, self.variant, self.untidy = output_dir, variant, untidy
        self.mammograms = 0
        self.rows: dict[str, list[list[str]]] = {part: [] for part in CBIS_DDSM_TABLES}
        self.mirrored: list[dict[str, object]] = []

    def write(self, mammogram: RawMammogram, files: Sequence[RawFile], swapped: bool = False) -> None:
        """Write a mammogram's files, as `raw_files` gives them or spoiled, and note its rows.

        If `swapped`, the paths of crop and mask are in each other's column.
        """
        variant = tuple(PATHS)[self.mammograms % len(PATHS)] if self.variant == "mixed" else self.variant
        self.mammograms += 1
        for file in files:
            path = f"{'jpeg' if variant == 'jpeg' else COLLECTION}/{PATHS[variant](file)}"
            if file.copied:
                path = f"copy/{path}"
            content = encode.encode_jpeg(file.pixels) if variant == "jpeg" else encode_dicom(file)
            kept = content[: round(file.kept * len(content))] or b"<html>503 Service Unavailable</html>"
            write_if_changed(self.output_dir / path, kept)
            if variant == "jpeg":
                self.mirrored.append(_mirror_row(file))
        self.rows[mammogram.part] += [
            self._row(mammogram, lesion, {f.role: f for f in files if f.key.endswith(f"_{lesion.number}")}, swapped)
            for lesion in mammogram.lesions
        ]

    def write_tables(self) -> None:
        """Write the tables, after the last mammogram."""
        folder = self.output_dir / "csv" if self.variant == "jpeg" else self.output_dir
        for part, name in CBIS_DDSM_TABLES.items():
            text = io.StringIO()
            csv.writer(text).writerows([COLUMNS, *self.rows[part]])
            write_if_changed(folder / name, text.getvalue().encode())
        if self.mirrored:
            write_csv(self.output_dir / "csv/dicom_info.csv", self.mirrored)
            counts = Counter(row["SeriesInstanceUID"] for row in self.mirrored)
            series = {row["SeriesInstanceUID"]: row for row in self.mirrored}
            shared = ("SeriesInstanceUID", "StudyInstanceUID", "Modality", "SeriesDescription")
            rows = [
                {name: row[name] for name in shared} | {"Collection": COLLECTION, "ImageCount": counts[uid]}
                for uid, row in series.items()
            ]
            write_csv(self.output_dir / "csv/meta.csv", rows)

    def _row(self, mammogram: RawMammogram, lesion: RawLesion, files: dict[str, RawFile], swapped: bool) -> list[str]:
        key = f"{mammogram.key}_{lesion.number}"
        full = _table_path(mammogram.key, DESCRIPTIONS["mammogram"], 0)
        paths = [
            _table_path(key, files[role].series if role in files else DESCRIPTIONS["mask"], number)
            for number, role in enumerate(("crop", "mask"))
        ]
        cells = [
            mammogram.patient_id, mammogram.density, mammogram.laterality, mammogram.view, str(lesion.number), "mass",
            lesion.shape, lesion.margins, lesion.birads, lesion.pathology, lesion.subtlety, full,
            *(reversed(paths) if swapped else paths),
        ]  # fmt: skip
        if self.untidy:
            cells = [
                f" {cell} " if digest(key, column) % 3 == 0 else cell
                for cell, column in zip(cells, COLUMNS, strict=True)
            ]
            for name in ("mass shape", "mass margins"):
                if digest(key, name, "empty") % 4 == 0:
                    cells[COLUMNS.index(name)] = ("", "N/A")[digest(key, name) % 2]
        return [*cells[:-1], f"{cells[-1]}\n"]


def _table_path(key: str, series: str, number: int) -> str:
    return f"{key}/{make_uid(key)}/{make_uid(key, series)}/{number:06d}.dcm"


def _mirror_row(file: RawFile) -> dict[str, object]:
    rows, columns = file.pixels.shape
    return {
        "file_path": f"{COLLECTION}/dicom/{PATHS['uid'](file)}",
        "image_path": f"{COLLECTION}/jpeg/{PATHS['jpeg'](file)}",
        "BitsAllocated": 8 if file.role == "mask" else 16, "Columns": columns, "Modality": "MG",
        "PatientID": file.patient_id, "PhotometricInterpretation": "MONOCHROME2", "Rows": rows,
        "SOPInstanceUID": file.sop_uid, "SeriesDescription": file.description, "SeriesInstanceUID": file.series_uid,
        "StudyInstanceUID": file.study_uid,
    }  # fmt: skip


def encode_dicom(file: RawFile) -> bytes:
    """Encode a file as uncompressed DICOM: secondary capture, without pixel spacing, as the collection has it."""
    return encode.encode_dicom(
        file.pixels, 8 * file.pixels.dtype.itemsize, file.inverted,
        SOPClassUID=SecondaryCaptureImageStorage, SOPInstanceUID=file.sop_uid, StudyInstanceUID=file.study_uid,
        SeriesInstanceUID=file.series_uid, StudyID="", SeriesNumber=1, InstanceNumber=file.number + 1,
        StudyDate="20161004", StudyTime="120000", AccessionNumber="", ConversionType="WSD",
        SeriesDescription=file.description, PatientName=file.patient_id, PatientID=file.patient_id, PatientSex="",
        ReferringPhysicianName="", BodyPartExamined="BREAST", PatientOrientation=file.key.split("_")[4],
    )  # fmt: skip
