from __future__ import annotations

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from scripts.common.phantom import measure
from scripts.common.phantom.cohort import draw_patient
from scripts.common.phantom.film import BORDER_LIMIT
from scripts.common.phantom.generate import Phantom, generate_phantom

SIZE = (240, 380)


def generate(number: int, view: str, *, seed: int = 0, size: tuple[int, int] = SIZE, **what: object) -> Phantom:
    artifacts = bool(what.pop("artifacts", False))
    return generate_phantom(seed, draw_patient(seed, number, **what), view, size, artifacts)


@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize("side", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("density", [1, 4])
@pytest.mark.parametrize("size", [SIZE, (160, 160), (200, 600)])
def test_every_kind_of_phantom_is_sound(view: str, side: str, density: int, size: tuple[int, int]) -> None:
    for number in range(1, 5):
        phantom = generate(number, view, densities=(density,), sides=(side,), size=size)
        patient = phantom.patient
        assert (patient.laterality, patient.density) == (side, density)
        assert phantom.mammogram_id == f"S_{number:05d}_{side}_{view}"
        assert phantom.image.shape == phantom.inside.shape == size[::-1]
        assert phantom.image.dtype == np.uint16
        assert phantom.image.min() >= 1
        assert 1500 < phantom.image.max() <= 4095
        chest, air = (0, -1) if side == "LEFT" else (-1, 0)
        assert phantom.inside[:, chest].any()
        assert not phantom.inside[:, air].any()
        assert phantom.image[phantom.inside].mean() > 5 * phantom.image[~phantom.inside].mean()
        check_masks(phantom)


def check_masks(phantom: Phantom) -> None:
    assert len(phantom.masks) == len(phantom.patient.lesions) >= 1
    columns = phantom.image.shape[1]
    for lesion, mask in zip(phantom.patient.lesions, phantom.masks, strict=True):
        assert mask.shape == phantom.image.shape
        assert set(np.unique(mask)) == {0, 255}
        assert cv2.connectedComponents(mask)[0] == 2
        assert phantom.inside[mask > 0].all()
        y, x = np.nonzero(mask)
        longer = max(np.ptp(x), np.ptp(y)) + 1
        assert 5 <= longer <= max(6, lesion.diameter * columns) + 2.5
        assert 0.25 * longer**2 < (mask > 0).sum() <= 0.93 * longer**2
        edge = BORDER_LIMIT * columns
        assert edge < x.min() <= x.max() < columns - 1 - edge
    assert np.sum([mask > 0 for mask in phantom.masks], axis=0).max() == 1


def test_the_lesion_of_both_views_lies_at_the_same_distance_from_the_nipple() -> None:
    gaps = []
    for number in range(1, 13):
        distances = []
        for view in ("CC", "MLO"):
            phantom = generate(number, view, sides=("LEFT",))
            y, x = np.nonzero(phantom.masks[0])
            tip = np.flatnonzero(phantom.inside.any(axis=0))[-1]
            nipple_y = np.flatnonzero(phantom.inside[:, tip]).mean()
            distances.append(np.hypot(x.mean() - tip, y.mean() - nipple_y))
        gaps.append(abs(distances[0] - distances[1]))
    assert np.median(gaps) < 0.1 * SIZE[0]


def test_the_mass_is_in_the_image() -> None:
    faint, strong = (generate(3, "CC", contrast=contrast) for contrast in (0.1, 1.5))
    gain = strong.image.astype(float) - faint.image
    mask = faint.masks[0] > 0
    expected = 1.4 * draw_patient(0, 3).lesions[0].contrast * 4095
    assert gain[mask].mean() == pytest.approx(expected, rel=0.3)
    far = cv2.dilate(np.max(faint.masks, axis=0), np.ones((99, 99))) == 0
    assert np.abs(gain[far]).max() == 0


def test_artefacts_come_only_on_request_and_spare_breast_and_masks() -> None:
    changed = []
    for number in range(1, 7):
        plain, marked = (generate(number, "CC", artifacts=artifacts) for artifacts in (False, True))
        for one, two in zip(plain.masks, marked.masks, strict=True):
            np.testing.assert_array_equal(one, two)
        away = cv2.distanceTransform((~plain.inside).astype(np.uint8), cv2.DIST_L2, 5) > 5
        away[:, :30] = away[:, -30:] = False
        assert plain.image[away].max() < 250
        changed.append((marked.image[away] > 1000).mean())
        inner = cv2.erode(plain.inside.astype(np.uint8), np.ones((15, 15)), borderValue=0) > 0
        assert (plain.image[inner] != marked.image[inner]).mean() < 0.01
    assert min(changed) > 0.001


def test_the_texture_has_an_exponent_near_three() -> None:
    exponents = []
    for number, view in ((1, "CC"), (2, "MLO"), (3, "CC")):
        grey = generate(number, view, size=(800, 1300)).image.astype(np.float32) / np.float32(16)
        spectrum = measure.power_spectrum(grey, measure.breast_interior(grey))
        assert spectrum is not None
        exponents.append(measure.fit_exponent(spectrum))
    assert np.mean(exponents) == pytest.approx(3.0, abs=0.25)


@pytest.mark.skipif("MAMMO_REAL_DATA" not in os.environ, reason="MAMMO_REAL_DATA is not set")
def test_grey_levels_and_exponent_are_those_of_real_mammograms() -> None:
    folder = Path(os.environ["MAMMO_REAL_DATA"])
    with (folder / "manifest.csv").open(newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["density"] == "2" and row["view"] == "CC"][:60:4]
    real = [cv2.imread(str(folder / row["image"]), cv2.IMREAD_GRAYSCALE).astype(np.float32) for row in rows]
    drawn = [generate(n, "CC", size=(800, 1300), densities=(2,)).image / np.float32(16) for n in range(1, 7)]
    found = []
    for images in (real, drawn):
        masks = [measure.breast_interior(grey) for grey in images]
        spectra = [measure.power_spectrum(grey, mask) for grey, mask in zip(images, masks, strict=True)]
        exponent = np.median([measure.fit_exponent(s) for s in spectra if s is not None])
        found.append((exponent, np.median([grey[mask].mean() for grey, mask in zip(images, masks, strict=True)])))
    assert found[1][0] == pytest.approx(found[0][0], abs=0.4)
    assert found[1][1] == pytest.approx(found[0][1], abs=25)


def test_without_noise_the_rest_of_the_phantom_is_the_same() -> None:
    patient = draw_patient(0, 2)
    noisy, clean = (generate_phantom(0, patient, "CC", SIZE, noise=noise) for noise in (True, False))
    assert all(np.array_equal(a, b) for a, b in zip(noisy.masks, clean.masks, strict=True))
    difference = noisy.image.astype(float) - clean.image
    # In the air hardly anything but the grain of 6 grey levels is left.
    assert difference[~clean.inside].std() == pytest.approx(6, rel=0.05)
    assert abs(difference.mean()) < 0.5
    assert difference[clean.inside].std() > 10
