"""Whole reports, from the folder of a run or a study to the page."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from custom.errors import InputError
from custom.handlers import read_lesions
from scripts.common.drawing import SETTINGS
from scripts.prepare.manifest import prepare_manifest
from scripts.report.command import report
from tests.helpers import snapshot, write_manifest, write_png
from tests.scripts.report.pictured_run import (
    OF_THE_TEST,
    made_study,
    write_calibration,
    write_curves,
    write_evaluation,
    write_run,
)

pytestmark = pytest.mark.slow

CURVES = {
    f"{part}/{quantity}": [0.5, 0.7]
    for part in ("train", "validation")
    for quantity in ("loss", "dice", "pixel_accuracy")
}
RUN = [
    *("The run", "Metrics", "Predictions", "Dice by subgroup", "Confusion matrix", "Calibration", "Training"),
    *("Preprocessing", "Both views", "Lesions of the data", "Audit of the data", "All lesions"),
]
STUDY = [
    *("The study", "Dice of the arms", "Predictions", "Confusion matrices", "Calibration", "Training"),
    *("Lesions of the data", "Audit of the data", "All lesions"),
]


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fine pictures and fonts to be edited take most of the time and show nothing to a test."""
    monkeypatch.setattr("scripts.report.page.DPI", 40)
    monkeypatch.setitem(SETTINGS, "pdf.fonttype", 3)


def whole_run(folder: Path, dataset: Path, **options: Any) -> Path:
    write_run(folder, dataset, **options)
    write_curves(folder, CURVES)
    for evaluation in folder.glob("evaluation/*"):
        write_calibration(evaluation, {0.0: 0.1, 0.9: 0.8})
    return folder


def titles(page: Path) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page.read_text())


def lacking(page: Path) -> dict[str, str]:
    return dict(re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", page.read_text(), re.DOTALL))


def test_a_run(tmp_path: Path, dataset: Path):
    run, page = whole_run(tmp_path / "runs" / "first", dataset), tmp_path / "out" / "first.html"
    report(str(run), str(page))
    assert titles(page) == RUN
    html = page.read_text()
    assert str(tmp_path) not in html
    assert str(dataset) not in html
    figures = {file.stem for file in (page.parent / "figures" / "first").iterdir()}
    assert {"dice_by_birads", "dice_by_size", "calibration", "confusion_matrix", "curve_of_dice"} <= figures


def test_a_run_with_one_lesion(tmp_path: Path, dataset: Path):
    run, page = whole_run(tmp_path / "run", dataset, lesions=1), tmp_path / "out" / "report.html"
    report(str(run), str(page))
    assert titles(page) == [title for title in RUN if title != "Both views"]
    before = snapshot(page.parent)
    report(str(run), str(page))
    assert snapshot(page.parent) == before


def test_a_run_without_birads(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=4)
    table.write_text(table.read_text().replace(",4,2,", ",,,"))
    prepare_manifest(str(table), str(tmp_path / "prepared"))
    page = tmp_path / "report.html"
    report(str(whole_run(tmp_path / "run", tmp_path / "prepared")), str(page))
    # Neither BI-RADS nor density, and nothing else is told of a data set's lesions.
    assert titles(page) == [title for title in RUN if title != "Lesions of the data"]
    assert "BI-RADS" not in page.read_text()
    assert {file.stem for file in (tmp_path / "figures").rglob("dice_by_*.png")} == {
        "dice_by_pathology",
        "dice_by_view",
        "dice_by_size",
    }


def test_synthetic_data_are_named_so(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=4)
    (table.parent / "phantoms.json").write_text("{}")
    prepare_manifest(str(table), str(tmp_path / "drawn"))
    page = tmp_path / "report.html"
    report(str(whole_run(tmp_path / "run", tmp_path / "drawn")), str(page))
    html = page.read_text()
    assert titles(page) == RUN
    assert "evaluated on synthetic drawn, split patient" in html
    # But for the place in the commands and the names of figures, the data set stands nowhere without the word.
    assert re.findall(r"(?<!synthetic[ _])(?<!data/)\bdrawn\b", html) == []


def test_a_run_that_was_neither_evaluated_nor_logged(tmp_path: Path, dataset: Path):
    page = tmp_path / "report.html"
    report(str(write_run(tmp_path / "run", dataset, tests=())), str(page))
    assert titles(page) == ["The run", "Lesions of the data", "Audit of the data", "Not in this report"]
    reasons = lacking(page)
    assert list(reasons) == ["Metrics", "Training"]
    assert "run evaluating --args_file runs/run/evaluating.json" in reasons["Metrics"]


def test_a_run_whose_data_are_gone(tmp_path: Path, own_dataset: Path):
    run, page = whole_run(tmp_path / "run", own_dataset), tmp_path / "report.html"
    own_dataset.rename(tmp_path / "moved")
    report(str(run), str(page))
    expected = ["Predictions", "Preprocessing", "Both views", "Lesions of the data", "Audit of the data"]
    assert list(lacking(page)) == expected
    assert all("--dataset_dir" in reason for reason in lacking(page).values())
    report(str(run), str(page), dataset_dir=str(tmp_path / "moved"))
    assert titles(page) == RUN


@pytest.mark.parametrize(
    ("file", "before", "after", "found"),
    [
        ("training.json", '"seed"', '"sowing"', "seed: field required"),
        ("training.json", "{", "[", "not a readable JSON file"),
        ("evaluation/{name}/summary.json", '"by"', '"of"', "by: field required"),
        ("evaluation/{name}/lesions.csv", "dice,", "score,", "dice not found"),
        ("evaluation/{name}/lesions.csv", "0.", "zero", "not a readable table"),
    ],
)
def test_a_damaged_file_makes_no_page(tmp_path: Path, dataset: Path, file: str, before: str, after: str, found: str):
    run = whole_run(tmp_path / "run", dataset)
    (evaluation,) = (run / "evaluation").iterdir()
    damaged = run / file.format(name=evaluation.name)
    damaged.write_text(damaged.read_text().replace(before, after, 1))
    with pytest.raises(InputError, match=found) as error:
        report(str(run), str(tmp_path / "page.html"))
    assert str(damaged.parent) in str(error.value)
    assert not (tmp_path / "page.html").exists()
    assert not (tmp_path / "figures").exists()


def write_study(folder: Path, dataset: Path) -> Path:
    made_study(folder, dataset, {"off": lambda truth, _: np.roll(truth, 3, axis=0), "exact": lambda truth, _: truth})
    for run in (folder / "runs").iterdir():
        write_curves(run, CURVES)
        write_calibration(run / "evaluation" / "test", {0.0: 0.1, 0.9: 0.8})
    return folder


def test_a_study_beside_a_run(tmp_path: Path, dataset: Path):
    study, run = write_study(tmp_path / "arms", dataset), whole_run(tmp_path / "first", dataset)
    page = tmp_path / "report.html"
    report([str(study), str(run)], str(page))
    assert titles(page) == [f"arms: {title}" for title in STUDY] + [f"first: {title}" for title in RUN]
    assert str(tmp_path) not in page.read_text()


def test_a_study_of_images(tmp_path: Path):
    study = tmp_path / "denoising"
    study.mkdir()
    (study / "table.md").write_text("# Denoising\n\n| filter | PSNR |\n| --- | --- |\n| Wiener | 31.2 |\n")
    page = tmp_path / "report.html"
    report(str(study), str(page))
    assert titles(page) == ["The study"]
    assert "31.2" in page.read_text()


def write_many(folder: Path, mammograms: int, lesions: int) -> Path:
    """A run tested on mammograms of 200 x 260 with so many lesions each, alike on all of them."""
    dataset = folder / "many"
    rng = np.random.default_rng(0)
    entries = []
    for number in range(lesions):
        column, row = divmod(number, 8)
        mask = np.zeros((200, 260), np.uint8)
        cv2.ellipse(
            mask, (row * 30 + 20, column * 27 + 18), tuple(map(int, rng.integers(5, 11, 2))), 0, 0, 360, 255, -1
        )
        write_png(dataset / "masks" / f"0_{number}.png", mask)
        about = {"laterality": "LEFT", "view": "CC", "birads": str(2 + number % 4), "density": str(1 + number % 3)}
        files = {"image": "images/0.png", "label": f"masks/0_{number}.png"}
        entries.append(files | {"lesion_id": f"0_{number}", "patient_id": "P_0", "pathology": "BENIGN", **about})
    noise = rng.integers(0, 255, (200, 260), dtype=np.uint8)
    write_png(dataset / "images" / "0.png", cv2.GaussianBlur(noise, (0, 0), 2))
    datalist = {"name": "many", "source": "made up", "training": [], "validation": [], "test": entries}
    (dataset / "datalists").mkdir()
    (dataset / "datalists" / "patient.json").write_text(json.dumps(datalist))
    run = write_run(folder / "run", dataset, tests=["test"])
    evaluation, rows = run / "evaluation" / "test", []
    for other in range(1, mammograms):
        os.link(dataset / "images" / "0.png", dataset / "images" / f"{other}.png")
        for entry in entries[:lesions]:
            name = entry["lesion_id"].replace("0_", f"{other}_", 1)
            os.link(dataset / entry["label"], dataset / "masks" / f"{name}.png")
            os.link(
                evaluation / "predictions" / f"{entry['lesion_id']}.png", evaluation / "predictions" / f"{name}.png"
            )
            own = {"image": f"images/{other}.png", "label": f"masks/{name}.png"}
            entries.append(entry | own | {"lesion_id": name, "patient_id": f"P_{other}"})
    (dataset / "datalists" / "patient.json").write_text(json.dumps(datalist))
    measured = read_lesions(evaluation / "lesions.csv")
    for other in range(mammograms):
        rows += [
            row | {"lesion_id": row["lesion_id"].replace("0_", f"{other}_", 1), "patient_id": f"P_{other}"}
            for row in measured
        ]
    settings = json.loads((run / "training.json").read_text())
    write_evaluation(evaluation, dataset, rows, settings | OF_THE_TEST)
    write_calibration(evaluation, {low / 10: low / 10 for low in range(10)})
    write_curves(run, CURVES)
    return run


def test_two_thousand_lesions(tmp_path: Path):
    run, page = write_many(tmp_path, 40, 50), tmp_path / "report.html"
    begin = time.monotonic()
    report(str(run), str(page))
    assert time.monotonic() - begin < 60
    assert page.stat().st_size < 15_000_000
    html = page.read_text()
    assert html.count("data:image/jpeg") >= 2000
    # One view alone, and no audit.
    expected = [title for title in RUN if title not in ("Both views", "Audit of the data")]
    assert titles(page) == [*expected[:3], "Worst cases", *expected[3:]]
