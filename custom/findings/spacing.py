"""The size of a mammogram's pixels in the breast, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from custom.errors import InputError, reason
from custom.readers import is_dicom
from custom.readers.dicom import quiet_pydicom, read_dicom


@dataclass(frozen=True)
class Spacing:
    """Distance between the centres of neighbouring pixels, in mm.

    Attributes:
        row: Distance between rows, down the image.
        column: Distance between columns, across the image.
        source: The part of the file that it comes from.
    """

    row: float
    column: float
    source: str


def read_spacing(file: PathLike | str, pixel_spacing: Sequence[float]) -> Spacing | None:
    """Read the spacing that a file gives, or None.

    In a DICOM file it is PixelSpacing. Without it, or where it only repeats ImagerPixelSpacing, which holds at the
    detector (DICOM PS3.3 section 10.7.1.3), it is ImagerPixelSpacing, divided by
    EstimatedRadiographicMagnificationFactor where that is given: the breast is nearer to the tube and appears
    enlarged. In NIfTI, NRRD and MetaImage it is the header's; PNG and JPEG give none.

    Args:
        file: A file of any kind that `MammogramReader` reads.
        pixel_spacing: The reader's metadata of this name, `(column, row)`; used where the file is not DICOM.

    Raises:
        InputError: The header cannot be read.
    """
    if is_dicom(file):
        return _read_dicom_spacing(Path(file))
    column, row = map(float, pixel_spacing)
    return Spacing(row, column, "header") if column > 0 and row > 0 else None


def _read_dicom_spacing(file: Path) -> Spacing | None:
    try:
        with quiet_pydicom():
            dataset = read_dicom(file, force=True, stop_before_pixels=True)
            pixel, imager = (_pair(dataset.get(name)) for name in ("PixelSpacing", "ImagerPixelSpacing"))
            magnification = float(dataset.get("EstimatedRadiographicMagnificationFactor") or 0)
            calibrated = bool(dataset.get("PixelSpacingCalibrationType"))
    except Exception as error:  # A broken file makes pydicom raise anything.
        raise InputError(
            f"{file}: its header cannot be read ({reason(error)}); expected an intact DICOM file; export it again"
        ) from error
    if pixel and (calibrated or pixel != imager):
        return Spacing(*pixel, "PixelSpacing")
    if not imager:
        return None
    if not magnification > 0:
        return Spacing(*imager, "ImagerPixelSpacing")
    row, column = (value / magnification for value in imager)
    return Spacing(row, column, "ImagerPixelSpacing / EstimatedRadiographicMagnificationFactor")


def _pair(value: object) -> tuple[float, float] | None:
    try:
        row, column = map(float, value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return None
    return (row, column) if 0 < row < float("inf") and 0 < column < float("inf") else None
