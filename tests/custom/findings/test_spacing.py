from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import itk
import nibabel
import numpy as np
import pytest

from custom.errors import InputError
from custom.findings.spacing import Spacing, read_spacing
from custom.readers import MammogramReader
from tests.custom.findings.dicom.mammogram import mass, write_mammogram

MAGNIFICATION = "EstimatedRadiographicMagnificationFactor"
CORRECTED = f"ImagerPixelSpacing / {MAGNIFICATION}"


def spacing_of(file: Path) -> Spacing | None:
    return read_spacing(file, MammogramReader().get_data(file)[1]["pixel_spacing"])


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, None),
        ({"PixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "PixelSpacing")),
        ({"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.4, 0.4]}, Spacing(0.2, 0.1, "PixelSpacing")),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "ImagerPixelSpacing")),
        ({"ImagerPixelSpacing": [0.2, 0.1], MAGNIFICATION: 2}, Spacing(0.1, 0.05, CORRECTED)),
        # PixelSpacing that only repeats the detector's is not that of the breast, unless it was calibrated.
        (
            {"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.2, 0.1], MAGNIFICATION: 2},
            Spacing(0.1, 0.05, CORRECTED),
        ),
        (
            {
                "PixelSpacing": [0.2, 0.1],
                "ImagerPixelSpacing": [0.2, 0.1],
                MAGNIFICATION: 2,
                "PixelSpacingCalibrationType": "FIDUCIAL",
            },
            Spacing(0.2, 0.1, "PixelSpacing"),
        ),
        ({"PixelSpacing": [0.0, 0.1]}, None),
    ],
)
def test_dicom(elements: dict[str, Any], expected: Spacing | None, tmp_path: Path):
    assert spacing_of(write_mammogram(tmp_path / "a.dcm", mass(), **elements)) == expected


def test_other_kinds_of_file(tmp_path: Path):
    pixels = np.arange(20, dtype=np.uint8).reshape(5, 4)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    nibabel.save(nibabel.Nifti1Image(pixels, np.diag([0.1, 0.2, 1, 1])), tmp_path / "a.nii.gz")
    image = itk.image_from_array(pixels)
    image.SetSpacing([0.1, 0.2])
    itk.imwrite(image, str(tmp_path / "a.nrrd"))
    assert spacing_of(tmp_path / "a.png") is None
    for name in ("a.nii.gz", "a.nrrd"):
        found = spacing_of(tmp_path / name)
        assert found is not None
        assert (found.row, found.column, found.source) == (pytest.approx(0.2), pytest.approx(0.1), "header")


def test_a_damaged_header_is_one_line_that_does_not_repeat_it(tmp_path: Path):
    file = write_mammogram(tmp_path / "a.dcm", mass(), **{MAGNIFICATION: 1.875})
    file.write_bytes(file.read_bytes().replace(b"1.875", b"Jane "))
    with pytest.raises(InputError, match="its header cannot be read") as caught:
        read_spacing(file, (np.nan, np.nan))
    assert "Jane" not in str(caught.value)
