from __future__ import annotations

from pathlib import Path

import itk
import nibabel
import numpy as np
import pytest

from custom.findings.spacing import Spacing
from custom.readers import MammogramReader, read_pixels
from scripts.common.prediction.outputs import Format, encode
from scripts.common.prediction.predictor import Mammogram
from tests.scripts.common.prediction.phantom import COLUMNS, ROWS, frame, mass

MASK = mass(30, 60)
# As in a file that a camera held upside down: x to the right and y to the front.
OWN = np.array([[0.1, 0, 0, -3.0], [0, 0.2, 0, 5.0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def mammogram(affine: np.ndarray | None = None, spacing: Spacing | None = None) -> Mammogram:
    return Mammogram(Path("a"), frame(MASK).astype(np.float32), frame(MASK) > 0, affine, spacing, {})


@pytest.mark.parametrize("form", ["nii.gz", "nrrd"])
@pytest.mark.parametrize("affine", [None, OWN], ids=["picture", "own affine"])
def test_a_volume_is_read_back_pixel_by_pixel_in_its_place(form: Format, affine: np.ndarray | None, tmp_path: Path):
    file = tmp_path / f"a.{form}"
    source = mammogram(affine, Spacing(0.2, 0.1, "test"))
    file.write_bytes(encode(MASK.astype(np.uint8), source, form))
    np.testing.assert_array_equal(read_pixels(file), MASK)
    metadata = MammogramReader().get_data(file)[1]
    np.testing.assert_allclose(metadata["pixel_spacing"], [0.1, 0.2])
    # MONAI's affines are RAS: x to the left and y to the back are negative.
    np.testing.assert_allclose(metadata["affine"], np.diag([-0.1, -0.2, 1, 1]) if affine is None else affine, atol=1e-6)
    again = encode(MASK.astype(np.uint8), source, form)
    assert again == file.read_bytes()


def test_both_formats_lie_where_itk_puts_a_picture(tmp_path: Path):
    for form in ("nii.gz", "nrrd"):
        file = tmp_path / f"a.{form}"
        file.write_bytes(encode(frame(MASK).astype(np.float32), mammogram(), form))  # type: ignore[arg-type]
        image = itk.imread(str(file))
        np.testing.assert_allclose(itk.array_from_matrix(image.GetDirection()), np.eye(3), atol=1e-6)
        np.testing.assert_allclose([*image.GetOrigin()], 0)
        np.testing.assert_allclose([*image.GetSpacing()], 1)
        np.testing.assert_array_equal(itk.array_from_image(image)[0].T, frame(MASK).astype(np.float32))
    assert nibabel.load(tmp_path / "a.nii.gz").shape == (COLUMNS, ROWS, 1)
