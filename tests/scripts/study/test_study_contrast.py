from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from custom.errors import InputError
from scripts.study.command import study_images
from scripts.study.contrast import METHODS, contrast_to_noise, tissue_ring
from tests.helpers import snapshot, write_png

pytestmark = pytest.mark.slow


def disc(shape: tuple[int, int], centre: tuple[int, int], radius: float) -> np.ndarray:
    x, y = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(x - centre[0], y - centre[1]) <= radius


@pytest.fixture
def breast() -> np.ndarray:
    """Tissue of 90 and 110 in a chequered pattern on the left, film-black air from column 140 on, `(X, Y)`."""
    frame = 100 + 10 * (-1.0) ** np.indices((200, 240)).sum(0)
    frame[140:] = 2
    return frame.astype(np.float32)


def test_the_ratio_by_hand(breast: np.ndarray) -> None:
    lesion = disc(breast.shape, (60, 120), 20)
    ring = tissue_ring(breast, lesion, np.zeros_like(lesion))
    # The ring has mean 100 and standard deviation 10.
    for level, expected in ((150, 5), (70, -3)):
        image = np.where(lesion, level, breast)
        assert contrast_to_noise(image, lesion, ring) == pytest.approx(expected, rel=0.01)
        assert contrast_to_noise(image.astype(np.uint8), lesion, ring) == pytest.approx(expected, rel=0.01)


def test_the_ring_is_half_as_wide_as_the_lesions_radius(breast: np.ndarray) -> None:
    lesion = disc(breast.shape, (60, 120), 24)
    ring = tissue_ring(breast, lesion, np.zeros_like(lesion))
    assert not (ring & lesion).any()
    assert not (ring & ~disc(breast.shape, (60, 120), 37)).any()
    assert ring.sum() == pytest.approx(np.pi * (36**2 - 24**2), rel=0.03)


def test_other_lesions_and_air_are_left_out_of_the_ring(breast: np.ndarray) -> None:
    lesion, other = disc(breast.shape, (115, 120), 20), disc(breast.shape, (90, 120), 8)
    ring = tissue_ring(np.where(lesion | other, 200, breast).astype(np.float32), lesion, other)
    assert not (ring & other).any()
    assert not ring[140:].any()
    assert ring[136:140].any()
    full = disc(breast.shape, (115, 120), 30) & ~lesion & ~other
    full[140:] = False
    assert ring.sum() == pytest.approx(full.sum(), rel=0.06)


def test_dark_tissue_inside_the_breast_stays_in_the_ring(breast: np.ndarray) -> None:
    lesion, dark = disc(breast.shape, (60, 120), 20), disc(breast.shape, (85, 120), 3)
    ring = tissue_ring(np.where(dark, 2, breast).astype(np.float32), lesion, np.zeros_like(lesion))
    assert (ring & dark).sum() > 20


def test_a_ring_ends_at_the_frame(breast: np.ndarray) -> None:
    lesion = disc(breast.shape, (5, 120), 20)
    ring = tissue_ring(breast, lesion, np.zeros_like(lesion))
    assert ring[0].any()
    assert not ring[40:].any()


def test_histogram_equalisation_is_the_classic_one() -> None:
    frame = np.array([[0, 0, 0, 0], [50, 50, 100, 255]], np.float32)
    # Of the 4 pixels above the darkest level 2, 3, 4 are at or below 50, 100, 255: 255 * 2/4, 3/4, 4/4.
    expected = [[0, 0, 0, 0], [128, 128, 191, 255]]
    assert METHODS["histogram equalisation"](frame).tolist() == expected


def test_the_tables_are_complete_and_the_same_again(dataset: Path, tmp_path: Path) -> None:
    study_images("contrast", str(dataset), seed=2, output_dir=str(tmp_path))
    folder = tmp_path / "contrast"
    with (folder / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["case", "method", "cnr"]
    assert [row["method"] for row in rows] == ["none", "histogram equalisation", "CLAHE"] * 5
    assert len({row["case"] for row in rows}) == 5
    # The ellipses are 70 grey levels above noise of some 15.
    assert all(float(row["cnr"]) > 1 for row in rows)
    page = (folder / "table.md").read_text()
    for part in ("0.83 to 1.21", "manifest_sha256", "datalist_sha256", "| seed | 2 |", *(row["case"] for row in rows)):
        assert part in page
    for name in ("figure.png", "cases.png"):
        assert (folder / name).stat().st_size > 10_000
    before = snapshot(folder)
    study_images("contrast", str(dataset), seed=2, output_dir=str(tmp_path))
    assert snapshot(folder) == before


def test_a_mask_that_cannot_be_measured_is_told_in_one_line(own_dataset: Path, tmp_path: Path) -> None:
    entry = json.loads((own_dataset / "datalists" / "patient.json").read_text())["training"][0]
    file = own_dataset / entry["label"]
    shape = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE).T.shape
    spoilt = {
        "the mask is empty": np.zeros(shape, np.uint8),
        "no tissue but flat grey": np.full(shape, 255, np.uint8),
        "found a mask of": np.full((9, 9), 255, np.uint8),
    }
    for told, mask in spoilt.items():
        write_png(file, mask)
        with pytest.raises(InputError, match=told) as error:
            study_images("contrast", str(own_dataset), cases=[entry["lesion_id"]], output_dir=str(tmp_path))
        assert "\n" not in str(error.value)
        assert file.name in str(error.value)
    assert not (tmp_path / "contrast").exists()
