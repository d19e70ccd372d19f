"""What goes wrong in CBIS-DDSM downloads, to be put into a raw tree on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from custom.files import write_if_changed
from scripts.phantoms.cbis_ddsm import DESCRIPTIONS, CbisDdsmWriter, Pixels, RawFile, RawMammogram, raw_files

# The film pitches 50 and 43.5 micrometres: the factor most often found between a mammogram and its mask.
PITCH_RATIO = 50 / 43.5

Files = list[RawFile]


def _change(files: Files, role: str, **values: object) -> Files:
    """The files with the first one of a role changed; a mammogram's first lesion stands for all."""
    first = next(file for file in files if file.role == role)
    return [replace(file, **values) if file is first else file for file in files]  # type: ignore[arg-type]


def _without(files: Files, role: str) -> Files:
    first = next(file for file in files if file.role == role)
    return [file for file in files if file is not first]


def _pixels(files: Files, role: str) -> Pixels:
    return next(file.pixels for file in files if file.role == role)


def _resize(pixels: Pixels, across: float, down: float, interpolation: int) -> Pixels:
    rows, columns = pixels.shape
    return cv2.resize(pixels, (round(columns * across), round(rows * down)), interpolation=interpolation)


def mask_resampled(files: Files) -> Files:
    """Mask and crop were drawn on the film at another pitch."""
    mask = _resize(_pixels(files, "mask"), PITCH_RATIO, PITCH_RATIO, cv2.INTER_NEAREST_EXACT)
    crop = _resize(_pixels(files, "crop"), PITCH_RATIO, PITCH_RATIO, cv2.INTER_LINEAR)
    return _change(_change(files, "mask", pixels=mask), "crop", pixels=crop)


def mask_other_size(files: Files) -> Files:
    """The mask is not of this film: its sides differ by different factors."""
    mask = _resize(_pixels(files, "mask"), PITCH_RATIO, 0.9, cv2.INTER_NEAREST_EXACT)
    return _change(files, "mask", pixels=mask)


def mask_empty(files: Files) -> Files:
    """The mask is black."""
    return _change(files, "mask", pixels=np.zeros_like(_pixels(files, "mask")))


def mask_zero_one(files: Files) -> Files:
    """The mask is of 0 and 1 instead of 0 and 255."""
    return _change(files, "mask", pixels=_pixels(files, "mask") // 255)


def mask_inverted(files: Files) -> Files:
    """The mask is white around the lesion."""
    return _change(files, "mask", pixels=255 - _pixels(files, "mask"))


def mask_missing(files: Files) -> Files:
    """The mask was not downloaded."""
    return _without(files, "mask")


def crop_missing(files: Files) -> Files:
    """The crop was not downloaded."""
    return _without(files, "crop")


def crop_other_place(files: Files) -> Files:
    """The crop is of another place of the mammogram, in the size of the right one."""
    image, (rows, columns) = _pixels(files, "mammogram"), _pixels(files, "crop").shape
    top, left = image.shape[0] // 2, image.shape[1] // 2 - columns
    return _change(files, "crop", pixels=np.ascontiguousarray(image[top : top + rows, left : left + columns]))


def crop_other_size(files: Files) -> Files:
    """The crop is of a larger lesion."""
    crop = _pixels(files, "crop")
    return _change(files, "crop", pixels=np.pad(crop, ((0, 12), (0, 12)), mode="reflect"))


def roi_missing(files: Files) -> Files:
    """Neither mask nor crop was downloaded."""
    return _without(_without(files, "mask"), "crop")


def mammogram_missing(files: Files) -> Files:
    """The full mammogram was not downloaded."""
    return _without(files, "mammogram")


def unreadable_mammogram(files: Files) -> Files:
    """The download of the mammogram broke off."""
    return _change(files, "mammogram", kept=0.6)


def unreadable_mask(files: Files) -> Files:
    """Instead of the mask the server's excuse was saved."""
    return _change(files, "mask", kept=0)


def two_mammograms(files: Files) -> Files:
    """The mammogram's key holds a second series, of another size, in front of the right one."""
    first = next(file for file in files if file.role == "mammogram")
    smaller = _resize(first.pixels, 0.8, 0.8, cv2.INTER_AREA)
    return [replace(first, series="another scan", description="a scan", pixels=smaller), *files]


def duplicate_series(files: Files) -> Files:
    """A series of the lesion lies in two folders."""
    return [*files, *(replace(file, copied=True) for file in files if file.role != "mammogram")]


def two_series(files: Files) -> Files:
    """Crop and mask lie in two series."""
    description = DESCRIPTIONS["crop"]
    return _change(files, "crop", series=description, description=description, number=0)


def series_descriptions(files: Files) -> Files:
    """The series of mask and crop is called `cropped images`."""
    return [replace(f, description=DESCRIPTIONS["crop"]) if f.role != "mammogram" else f for f in files]


def no_patient_id(files: Files) -> Files:
    """The headers name no patient; the folders do."""
    return [replace(file, patient_id="") for file in files]


def renamed_folders(files: Files) -> Files:
    """The folders were renamed; the headers name the patient."""
    return [replace(file, folder=f"case {number}") for number, file in enumerate(files)]


def monochrome1(files: Files) -> Files:
    """Mammogram and crop are stored dark = dense."""
    return [replace(file, inverted=file.role != "mask") for file in files]


def swapped_columns(files: Files) -> Files:
    """The table names the crop as the mask and the mask as the crop: nothing changes in the files."""
    return files


SWAPPED = "swapped_columns"
MAMMOGRAM_DEFECTS: dict[str, Callable[[Files], Files]] = {
    function.__name__: function
    for function in (
        mask_resampled, mask_other_size, mask_empty, mask_zero_one, mask_inverted, mask_missing, crop_missing,
        crop_other_place, crop_other_size, roi_missing, mammogram_missing, unreadable_mammogram, unreadable_mask,
        two_mammograms, duplicate_series, two_series, series_descriptions, no_patient_id, renamed_folders, monochrome1,
        swapped_columns,
    )
}  # fmt: skip
# Folders of calcifications and files that are no images, beside the others.
STRAY = "stray_files"
# Stray spaces and empty cells in the tables.
UNTIDY = "untidy_tables"


def spoil(mammogram: RawMammogram, defect: str | None) -> list[RawFile]:
    """The mammogram's files with a defect, or sound."""
    files = raw_files(mammogram)
    return MAMMOGRAM_DEFECTS[defect](files) if defect else files


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
        write_if_changed(writer.output_dir / "CBIS-DDSM" / name, content)


def assign(defects: Sequence[str]) -> list[str]:
    """The defects that strike one mammogram each, in the order of the mammograms."""
    return [name for name in MAMMOGRAM_DEFECTS if name in defects]
