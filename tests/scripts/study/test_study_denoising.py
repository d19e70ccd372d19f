from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter, uniform_filter
from scipy.signal import wiener

from scripts.common.phantom.cohort import draw_patient
from scripts.common.phantom.generate import generate_phantom
from scripts.prepare.manifest import prepare_manifest
from scripts.study import denoising
from scripts.study.command import study_images
from scripts.study.denoising import FILTERS, NO_FILTER, NOISES, measure_phantom, mse, psnr
from tests.helpers import snapshot

pytestmark = pytest.mark.slow

SIZE = (200, 320)


@pytest.fixture(autouse=True)
def small_phantoms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoising, "PHANTOM_SIZE", SIZE)


def read(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def grainy(shape: tuple[int, int] = (60, 90)) -> np.ndarray:
    """A bright disc on a dark ground with noise of standard deviation 5, 8 bit."""
    x, y = np.mgrid[: shape[0], : shape[1]]
    smooth = 60 + 90 * (np.hypot(x - 30, y - 40) < 18)
    return np.rint(smooth + np.random.default_rng(0).normal(0, 5, shape)).astype(np.uint8)


def test_errors_by_hand() -> None:
    image = np.array([[0, 10], [20, 255]], np.uint8)
    reference = np.array([[1, 10], [18, 0]], np.uint8)
    # (1 + 0 + 4 + 65025) / 4, and without the last pixel (1 + 0 + 4) / 3.
    assert mse(image, reference) == pytest.approx(16257.5)
    assert mse(image, reference, np.array([[True, True], [True, False]])) == pytest.approx(5 / 3)
    assert psnr(255**2) == 0
    assert psnr(65.025) == pytest.approx(30)
    assert psnr(0.0) == math.inf


def test_the_filters_are_what_their_parameters_say() -> None:
    frame = grainy()
    values = frame.astype(float)
    variance = uniform_filter(values**2, 3, mode="mirror") - uniform_filter(values, 3, mode="mirror") ** 2
    independent = {
        "Gaussian": gaussian_filter(values, 1, mode="mirror"),
        "median": median_filter(values, 3, mode="mirror"),
        "Wiener": wiener(values, 3, noise=variance.mean()),
    }
    inner = np.s_[3:-3, 3:-3]  # scipy's Wiener filter takes black for the outside
    for name, expected in independent.items():
        result = FILTERS[name](frame)
        assert result.dtype == np.uint8
        # Half a grey level is rounding; OpenCV cuts the Gaussian at 3 sigma, scipy at 4.
        tolerance = 1.1 if name == "Gaussian" else 0.501
        assert np.abs(result - expected)[inner].max() <= tolerance


def test_non_local_means_removes_what_its_strength_covers() -> None:
    rng = np.random.default_rng(1)
    left = {sd: FILTERS["non-local means"](np.rint(rng.normal(100, sd, (80, 80))).astype(np.uint8)) for sd in (1, 12)}
    assert left[1].std() < 0.5
    assert left[12].std() > 11


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("grey", [20, 128, 240])
def test_the_noise_has_the_stated_strength(name: str, grey: int) -> None:
    noise = NOISES[name]
    noisy = noise.add(np.random.default_rng(2), np.full((400, 400), grey, np.uint8))
    assert noisy.mean() == pytest.approx(grey, abs=0.08)
    assert noisy.std() == pytest.approx(math.sqrt(grey / noise.quanta + noise.sd**2), rel=0.01)
    assert noise.sd_at(grey) == pytest.approx(math.sqrt(grey / noise.quanta + noise.sd**2))


def test_each_noise_is_twice_as_strong_as_the_one_before() -> None:
    weak, medium, strong = (noise.sd_at(77) for noise in NOISES.values())
    assert medium == pytest.approx(2 * weak)
    assert strong == pytest.approx(2 * medium)


def test_a_noisy_phantom_is_as_far_from_the_clean_one_as_its_noise_says() -> None:
    name, rows, _ = measure_phantom(0, 2)
    phantom = generate_phantom(0, draw_patient(0, 2), "CC", SIZE, noise=False)
    assert name == phantom.mammogram_id
    image = phantom.image.astype(float)
    clean = (255 * (image - image.min()) / np.ptp(image))[phantom.inside]
    for row in rows:
        if row["filter"] == NO_FILTER:
            noise = NOISES[row["noise"]]
            # Rounding to whole grey levels adds 1/12.
            assert row["mse"] == pytest.approx(clean.mean() / noise.quanta + noise.sd**2 + 1 / 12, rel=0.05)
        if row["filter"] == "Gaussian" and row["noise"] == "strong":
            assert row["mse"] < 0.3 * (clean.mean() / 3.125 + 16)


def test_the_tables_are_complete_and_the_same_again(dataset: Path, tmp_path: Path) -> None:
    study_images("denoising", str(dataset), seed=3, output_dir=str(tmp_path))
    folder = tmp_path / "denoising"
    rows = read(folder / "table.csv")
    assert list(rows[0]) == ["case", "filter", "reference", "noise", "psnr", "mse"]
    against_input = [row for row in rows if row["reference"] == "input"]
    against_clean = [row for row in rows if row["reference"] == "clean"]
    assert len(against_input) + len(against_clean) == len(rows)
    assert len({(row["case"], row["filter"]) for row in against_input}) == len(against_input) == 5 * 4
    assert len({(row["case"], row["filter"], row["noise"]) for row in against_clean}) == len(against_clean) == 5 * 5 * 3
    for row in rows:
        assert float(row["psnr"]) == pytest.approx(10 * math.log10(65025 / float(row["mse"])))
    page = (folder / "table.md").read_text()
    for part in (
        "35.8 to 42.1",
        "manifest_sha256",
        "datalist_sha256",
        "| seed | 3 |",
        *(r["case"] for r in against_input),
    ):
        assert part in page
    for name in ("figure.png", "cases.png"):
        assert (folder / name).stat().st_size > 10_000
    before = snapshot(folder)
    study_images("denoising", str(dataset), seed=3, output_dir=str(tmp_path))
    assert snapshot(folder) == before


def test_given_cases_are_filtered_and_nothing_else(dataset: Path, tmp_path: Path) -> None:
    study_images(
        "denoising", str(dataset), cases=["T_003_LEFT_CC_1"], split="fold0", part="training", output_dir=str(tmp_path)
    )
    rows = read(tmp_path / "denoising" / "table.csv")
    assert {row["case"] for row in rows if row["reference"] == "input"} == {"T_003_LEFT_CC"}


def test_real_mammograms_give_the_order_and_the_size_of_the_published_figures(real_data: Path, tmp_path: Path) -> None:
    with (real_data / "manifest.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader if row["abnormality_match"] == "single"][:400:50]
    for row in rows:
        for key in ("image", "mask"):
            (tmp_path / row[key]).parent.mkdir(exist_ok=True)
            shutil.copy(real_data / row[key], tmp_path / row[key])
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    prepare_manifest(str(tmp_path / "manifest.csv"), str(tmp_path / "prepared"))
    study_images("denoising", str(tmp_path / "prepared"), output_dir=str(tmp_path))
    found: dict[str, list[float]] = {}
    for row in read(tmp_path / "denoising" / "table.csv"):
        if row["reference"] == "input":
            found.setdefault(row["filter"], []).append(float(row["psnr"]))
    assert len(found["Wiener"]) == 5
    for column in found.values():
        assert 35 < min(column) <= max(column) < 60
    assert np.all(np.array(found["Wiener"]) > found["median"])
    assert np.all(np.array(found["median"]) > found["Gaussian"])
