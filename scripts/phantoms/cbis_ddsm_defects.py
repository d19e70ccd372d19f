"""What goes wrong in CBIS-DDSM downloads, to be put into a raw tree on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from custom.files import write_if_changed
from scripts.phantoms.cbis_ddsm import COLLECTION, DESCRIPTIONS, CbisDdsmWriter, RawFile, RawMammogram, raw_files
from scripts.phantoms.encode import Pixels

# The film pitches 50 and 43.5 micrometres: the factor most often found between a mammogram and its mask.
PITCH_RATIO = 50 / 43.5

Files = list[RawFile]


def _first(files: Files, role: str) -> RawFile:
    """Find the first file of a role; a mammogram's first lesion stands for all."""
    return next(file for file in files if file.role == role)


def _change(files: Files, role: str, **values: object) -> Files:
    first = _first(files, role)
    return [replace(file, **values) if file is first else file for file in files]  # type: ignore[arg-type]


def _redraw(files: Files, role: str, draw: Callable[[Pixels], Pixels]) -> Files:
    return _change(files, role, pixels=draw(_first(files, role).pixels))


def _without(files: Files, role: str) -> Files:
    first = _first(files, role)
    return [file for file in files if file is not first]


def _resize(pixels: Pixels, across: float, down: float, interpolation: int) -> Pixels:
    rows, columns = pixels.shape
    return cv2.resize(pixels, (round(columns * across), round(rows * down)), interpolation=interpolation)


def _mask_resampled(files: Files) -> Files:
    files = _redraw(files, "mask", lambda mask: _resize(mask, PITCH_RATIO, PITCH_RATIO, cv2.INTER_NEAREST_EXACT))
    return _redraw(files, "crop", lambda crop: _resize(crop, PITCH_RATIO, PITCH_RATIO, cv2.INTER_LINEAR))


def _crop_other_place(files: Files) -> Files:
    image, (rows, columns) = _first(files, "mammogram").pixels, _first(files, "crop").pixels.shape
    top, left = image.shape[0] // 2, image.shape[1] // 2 - columns
    return _change(files, "crop", pixels=np.ascontiguousarray(image[top : top + rows, left : left + columns]))


def _two_mammograms(files: Files) -> Files:
    first = _first(files, "mammogram")
    smaller = _resize(first.pixels, 0.8, 0.8, cv2.INTER_AREA)
    return [replace(first, series="another scan", description="a scan", pixels=smaller), *files]


CROPPED = DESCRIPTIONS["crop"]
SWAPPED = "swapped_columns"
MAMMOGRAM_DEFECTS: dict[str, Callable[[Files], Files]] = {
    # Mask and crop were drawn on the film at another pitch.
    "mask_resampled": _mask_resampled,
    # The mask is not of this film: its sides differ by different factors.
    "mask_other_size": lambda files: _redraw(
        files, "mask", lambda mask: _resize(mask, PITCH_RATIO, 0.9, cv2.INTER_NEAREST_EXACT)
    ),
    # The mask is black.
    "mask_empty": lambda files: _redraw(files, "mask", np.zeros_like),
    # The mask is of 0 and 1 instead of 0 and 255.
    "mask_zero_one": lambda files: _redraw(files, "mask", lambda mask: mask // 255),
    # The mask is white around the lesion.
    "mask_inverted": lambda files: _redraw(files, "mask", lambda mask: 255 - mask),
    # The mask was not downloaded.
    "mask_missing": lambda files: _without(files, "mask"),
    # The crop was not downloaded.
    "crop_missing": lambda files: _without(files, "crop"),
    # The crop is of another place of the mammogram, in the size of the right one.
    "crop_other_place": _crop_other_place,
    # The crop is of a larger lesion.
    "crop_other_size": lambda files: _redraw(
        files, "crop", lambda crop: np.pad(crop, ((0, 12), (0, 12)), mode="reflect")
    ),
    # Neither mask nor crop was downloaded.
    "roi_missing": lambda files: _without(_without(files, "mask"), "crop"),
    # The full mammogram was not downloaded.
    "mammogram_missing": lambda files: _without(files, "mammogram"),
    # The download of the mammogram broke off.
    "unreadable_mammogram": lambda files: _change(files, "mammogram", kept=0.6),
    # Instead of the mask the server's excuse was saved.
    "unreadable_mask": lambda files: _change(files, "mask", kept=0),
    # The mammogram's key holds a second series, of another size, in front of the right one.
    "two_mammograms": _two_mammograms,
    # A series of the lesion is in two folders.
    "duplicate_series": lambda files: [
        *files, *(replace(file, copied=True) for file in files if file.role != "mammogram")
    ],
    # Crop and mask are in two series.
    "two_series": lambda files: _change(files, "crop", series=CROPPED, description=CROPPED, number=0),
    # The series of mask and crop is called `cropped images`.
    "series_descriptions": lambda files: [
        replace(file, description=CROPPED) if file.role != "mammogram" else file for file in files
    ],
    # The headers name no patient; the folders do.
    "no_patient_id": lambda files: [replace(file, patient_id="") for file in files],
    # The folders were renamed; the headers name the patient.
    "renamed_folders": lambda files: [replace(file, folder=f"case {number}") for number, file in enumerate(files)],
    # Mammogram and crop are stored dark = dense.
    "monochrome1": lambda files: [replace(file, inverted=file.role != "mask") for file in files],
    # The table names the crop as the mask and the mask as the crop: nothing changes in the files.
    SWAPPED: lambda files: files,
}  # fmt: skip
# Folders of calcifications and files that are no images, beside the others.
STRAY = "stray_files"
# Stray spaces and empty cells in the tables.
UNTIDY = "untidy_tables"


def write_stray_files(writer: CbisDdsmWriter, mammogram: RawMammogram) -> None:
    """Put a calcification's files and files that are no images beside the others, with no row in the tables."""
    calcification = replace(mammogram, patient_id=f"P_{99999 - int(mammogram.patient_id[2:]):05d}")
    files = [
        replace(file, key=key, patient_id=key, folder=key)
        for file in raw_files(calcification)
        for key in [file.key.replace("Mass-", "Calc-")]
    ]
    writer.write(replace(calcification, lesions=()), files)
    for name, content in {".DS_Store": b"\0\0\0\1Bud1", "LICENSE": b"CC BY 3.0\n"}.items():
        write_if_changed(writer.output_dir / COLLECTION / name, content)
