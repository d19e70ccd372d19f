"""Raw CBIS-DDSM trees: any mammograms with masks and metadata, as the collection's downloads lay them out.

`raw_files` says which files a mammogram has, `cbis_ddsm_defects` spoils them, a variant says where a file lies, and
`CbisDdsmWriter` writes files and tables. Every UID, file order and pixel margin comes from a hash of names, so that the
same mammograms give the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from custom.files import write_if_changed
from scripts.common.datasets import TABLES

UID_ROOT = "1.3.6.1.4.1.9590.100.1.2"
COLLECTION = "CBIS-DDSM"
DESCRIPTIONS = {"mammogram": "full mammogram images", "crop": "cropped images", "mask": "ROI mask images"}
COLUMNS = (
    "patient_id", "breast_density", "left or right breast", "image view", "abnormality id", "abnormality type",
    "mass shape", "mass margins", "assessment", "pathology", "subtlety", "image file path", "cropped image file path",
    "ROI mask file path",
)  # fmt: skip
MIRROR_COLUMNS = (
    "file_path", "image_path", "BitsAllocated", "Columns", "Modality", "PatientID", "PhotometricInterpretation", "Rows",
    "SOPInstanceUID", "SeriesDescription", "SeriesInstanceUID", "StudyInstanceUID",
)  # fmt: skip
META_COLUMNS = ("SeriesInstanceUID", "StudyInstanceUID", "Modality", "SeriesDescription", "Collection", "ImageCount")
# The crop is up to this many pixels wider than the mask's box on each side.
CROP_MARGIN = 2

Pixels = NDArray[Any]


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
        patient_id: such as `P_00001`.
        laterality: `LEFT` or `RIGHT`.
        view: `CC` or `MLO`.
        density: ACR class.
        image: grey levels, 8 or 16 bit, bright = dense, `(rows, columns)`.
        lesions: with their masks.
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
        series: tells the series of a key apart; files of one name share one.
        description: SeriesDescription.
        number: place in the series, from 0.
        pixels: 16 bit, masks 8 bit, `(rows, columns)`.
        patient_id: as the header has it.
        folder: name of the outermost folder.
        inverted: stored as MONOCHROME1.
        kept: the share of the bytes that is left; 0 for a file of something else.
        copied: lies in a second folder, with the same UIDs.
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

    @cached_property
    def series_uid(self) -> str:
        """UID of the series."""
        return make_uid(self.key, self.series)

    @property
    def sop_uid(self) -> str:
        """UID of the file."""
        return make_uid(self.key, self.series, self.role, str(self.number))


def digest(*names: str) -> int:
    """A number that looks random and depends on the names alone."""
    return int.from_bytes(hashlib.sha256("/".join(names).encode()).digest()[:14], "big")


def make_uid(*names: str) -> str:
    """A UID of the names, below the root that the collection's own have."""
    return f"{UID_ROOT}.{digest(*names)}"


def raw_files(mammogram: RawMammogram) -> list[RawFile]:
    """The files of a sound mammogram: the full one, and for each lesion crop and mask in one series, in any order."""
    image = mammogram.image.astype(np.uint16)
    files = [_file(mammogram.key, "mammogram", image, 0)]
    for lesion in mammogram.lesions:
        key = f"{mammogram.key}_{lesion.number}"
        mask_first = digest(key, "order") % 2
        files.append(
            _file(key, "crop", crop(image, lesion.mask, digest(key, "margin") % (CROP_MARGIN + 1)), mask_first)
        )
        files.append(_file(key, "mask", lesion.mask, 1 - mask_first))
    return files


def _file(key: str, role: str, pixels: Pixels, number: int) -> RawFile:
    series = DESCRIPTIONS["mammogram" if role == "mammogram" else "mask"]
    return RawFile(key, role, series, series, number, pixels, patient_id=key, folder=key)


def crop(image: Pixels, mask: Pixels, margin: int) -> Pixels:
    """The mammogram at the mask's box, `margin` pixels wider on each side where there is room."""
    x, y, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    rows, columns = slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin)
    return np.ascontiguousarray(image[rows, columns])


def classic_path(file: RawFile) -> str:
    """As the download tool names them today."""
    study = f"10-04-2016-DDSM-NA-{file.study_uid[-5:]}"
    return f"{file.folder}/{study}/1.000000-{file.description}-{file.series_uid[-5:]}/1-{file.number + 1}.dcm"


def older_path(file: RawFile) -> str:
    """As the download tool named them before."""
    study = f"10-04-2016-DDSM-{file.study_uid[-5:]}"
    return f"{file.folder}/{study}/1-{file.description}-{file.series_uid[-5:]}/{file.number:06d}.dcm"


def uid_path(file: RawFile) -> str:
    """As the tables name them."""
    return f"{file.folder}/{file.study_uid}/{file.series_uid}/{file.number:06d}.dcm"


def jpeg_path(file: RawFile) -> str:
    """As the JPEG mirror names them; the number says nothing."""
    return f"{file.series_uid}/1-{(digest(file.series_uid) + file.number) % 1000:03d}.jpg"


PATHS: dict[str, Callable[[RawFile], str]] = {
    "classic": classic_path,
    "older": older_path,
    "uid": uid_path,
    "jpeg": jpeg_path,
}
VARIANTS = (*PATHS, "mixed")


class CbisDdsmWriter:
    """Writes a raw tree mammogram by mammogram; nothing is written where it lies already.

    Args:
        output_dir: of the tree.
        variant: `classic`, `older`, `uid`, `jpeg`, or `mixed`: one after the other.
        untidy: tables with stray spaces and empty cells.
    """

    def __init__(self, output_dir: Path, variant: str = "classic", untidy: bool = False) -> None:
        self.output_dir, self.variant, self.untidy = output_dir, variant, untidy
        self.mammograms = 0
        self.rows: dict[str, list[list[str]]] = {part: [] for part in TABLES}
        self.mirrored: list[RawFile] = []

    def write(self, mammogram: RawMammogram, files: Sequence[RawFile], swapped: bool = False) -> None:
        """Write a mammogram's files and note its rows.

        Args:
            mammogram: what the table says of it.
            files: as `raw_files` gives them, or spoiled.
            swapped: write the paths of crop and mask into each other's column.
        """
        variant = tuple(PATHS)[self.mammograms % len(PATHS)] if self.variant == "mixed" else self.variant
        self.mammograms += 1
        for file in files:
            path = f"{'jpeg' if variant == 'jpeg' else COLLECTION}/{PATHS[variant](file)}"
            if file.copied:
                path = f"copy/{path}"
            content = encode_jpeg(file) if variant == "jpeg" else encode_dicom(file)
            write_if_changed(self.output_dir / path, damage(content, file.kept))
            if variant == "jpeg":
                # Pixels are not kept: the tables of the mirror need the shape only.
                self.mirrored.append(replace(file, pixels=np.broadcast_to(np.uint8(0), file.pixels.shape)))
        self.rows[mammogram.part] += [
            self._row(mammogram, lesion, {f.role: f for f in files if f.key.endswith(f"_{lesion.number}")}, swapped)
            for lesion in mammogram.lesions
        ]

    def write_tables(self) -> None:
        """Write the tables, after the last mammogram."""
        folder = self.output_dir / "csv" if self.variant == "jpeg" else self.output_dir
        for part, name in TABLES.items():
            write_if_changed(folder / name, _csv(COLUMNS, self.rows[part], "\r\n"))
        if self.mirrored:
            image_rows = [_image_row(file) for file in self.mirrored]
            write_if_changed(self.output_dir / "csv/dicom_info.csv", _csv(MIRROR_COLUMNS, image_rows))
            series = {file.series_uid: file for file in self.mirrored}
            counts = {uid: sum(file.series_uid == uid for file in self.mirrored) for uid in series}
            rows = [
                [uid, file.study_uid, "MG", file.description, COLLECTION, str(counts[uid])]
                for uid, file in series.items()
            ]
            write_if_changed(self.output_dir / "csv/meta.csv", _csv(META_COLUMNS, rows))

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


def _image_row(file: RawFile) -> list[str]:
    rows, columns = file.pixels.shape
    return [
        f"{COLLECTION}/dicom/{uid_path(file)}", f"{COLLECTION}/jpeg/{jpeg_path(file)}",
        "8" if file.role == "mask" else "16", str(columns), "MG", file.patient_id, "MONOCHROME2", str(rows),
        file.sop_uid, file.description, file.series_uid, file.study_uid,
    ]  # fmt: skip


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]], newline: str = "\n") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=newline)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def encode_dicom(file: RawFile) -> bytes:
    """The file as uncompressed DICOM: secondary capture, without pixel spacing, as the collection has it."""
    pixels = np.iinfo(file.pixels.dtype).max - file.pixels if file.inverted else file.pixels
    bits = 8 * pixels.dtype.itemsize
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = file.sop_uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = file.sop_uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = file.study_uid, file.series_uid
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20161004", "120000", ""
    dataset.Modality, dataset.ConversionType = "MG", "WSD"
    dataset.SeriesDescription = file.description
    dataset.PatientName = dataset.PatientID = file.patient_id
    dataset.PatientBirthDate = dataset.PatientSex = dataset.ReferringPhysicianName = dataset.StudyID = ""
    dataset.SeriesNumber, dataset.InstanceNumber = 1, file.number + 1
    dataset.BodyPartExamined, dataset.PatientOrientation = "BREAST", file.key.split("_")[4]
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME1" if file.inverted else "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)
    content = io.BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


def encode_jpeg(file: RawFile) -> bytes:
    """The file as the JPEG mirror has it: 8 bit, from its darkest to its brightest level."""
    pixels = cv2.normalize(file.pixels, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])


def damage(content: bytes, kept: float) -> bytes:
    """The first part of a file, or text instead of a file if nothing is kept."""
    return content[: round(kept * len(content))] if kept else b"<html>503 Service Unavailable</html>"
