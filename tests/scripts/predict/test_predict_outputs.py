from __future__ import annotations

from pathlib import Path

import itk
import nibabel
import numpy as np
import pytest

from custom.findings.finding import Finding
from custom.findings.overlay import BOX_COLOUR, PREDICTION_COLOUR
from custom.findings.spacing import Spacing
from custom.readers import MammogramReader, read_pixels
from scripts.predict.outputs import HEIGHT, Format, draw_overlay, volume_bytes
from scripts.predict.predictor import Mammogram
from tests.scripts.predict.phantom import COLUMNS, ROWS, box_of, frame, mass

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
    file.write_bytes(volume_bytes(MASK.astype(np.uint8), source, form))
    np.testing.assert_array_equal(read_pixels(file), MASK)
    metadata = MammogramReader().get_data(file)[1]
    np.testing.assert_allclose(metadata["pixel_spacing"], [0.1, 0.2])
    # MONAI's affines are RAS: x to the left and y to the back are negative.
    np.testing.assert_allclose(metadata["affine"], np.diag([-0.1, -0.2, 1, 1]) if affine is None else affine, atol=1e-6)
    again = volume_bytes(MASK.astype(np.uint8), source, form)
    assert again == file.read_bytes()


def test_both_formats_lie_where_itk_puts_a_picture(tmp_path: Path):
    for form in ("nii.gz", "nrrd"):
        file = tmp_path / f"a.{form}"
        file.write_bytes(volume_bytes(frame(MASK).astype(np.float32), mammogram(), form))  # type: ignore[arg-type]
        image = itk.imread(str(file))
        np.testing.assert_allclose(itk.array_from_matrix(image.GetDirection()), np.eye(3), atol=1e-6)
        np.testing.assert_allclose([*image.GetOrigin()], 0)
        np.testing.assert_allclose([*image.GetSpacing()], 1)
        np.testing.assert_array_equal(itk.array_from_image(image)[0].T, frame(MASK).astype(np.float32))
    assert nibabel.load(tmp_path / "a.nii.gz").shape == (COLUMNS, ROWS, 1)


def test_the_overlay_shows_the_mass_in_the_mammogram_and_enlarged():
    x0, y0, x1, y1 = box_of(30, 60)
    finding = Finding("a_1", (x0, y0, x1, y1), MASK, MASK.astype(np.float32), None, ())
    picture = draw_overlay(mammogram(), finding)
    width = round(COLUMNS * HEIGHT / ROWS)
    assert picture.shape == (HEIGHT, width + HEIGHT, 3)
    scale = HEIGHT / ROWS
    rows, columns = np.nonzero((picture[:, :width] == PREDICTION_COLOUR).all(axis=-1))
    assert [columns.min() / scale, columns.max() / scale] == pytest.approx([x0, x1], abs=1)
    assert [rows.min() / scale, rows.max() / scale] == pytest.approx([y0, y1], abs=1)
    # Beside it the box takes 20 of 44 pixels, with 12 on either side.
    for colour in (PREDICTION_COLOUR, BOX_COLOUR):
        rows, columns = np.nonzero((picture[:, width:] == colour).all(axis=-1))
        extent = [columns.min(), columns.max(), rows.min(), rows.max()]
        assert extent == pytest.approx([HEIGHT * edge / 44 for edge in (12, 32, 12, 32)], abs=8)
    # The upper right part of the L's square is outside the outline.
    corner = picture[round(HEIGHT * 15 / 44), width + round(HEIGHT * 28 / 44)]
    inside = picture[round(HEIGHT * 15 / 44), width + round(HEIGHT * 15 / 44)]
    assert corner.max() < inside.min()
