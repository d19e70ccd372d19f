"""The released weights, on the real mammograms that they were tested on."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from custom.findings.quality import LEAST_IN_BREAST, LEAST_OF_BREAST, MOST_OF_BREAST, box_and_breast
from custom.metrics.lesion import dice
from custom.readers import read_mask, read_pixels
from custom.transforms.artifacts import breast_mask
from scripts.common.bundle import RELEASED
from scripts.prepare.manifest import prepare_manifest
from scripts.prepare.splits import patient_split
from tests.helpers import ROOT, with_files

pytestmark = pytest.mark.slow

CARD = ROOT / "bundle" / "docs" / "README.md"


@pytest.fixture
def tested(real_data: Path) -> list[dict[str, str]]:
    """The rows of the internal test part, which the pack's table alone decides on."""
    with (real_data / "manifest.csv").open(newline="") as file:
        return list(patient_split(list(csv.DictReader(file)))["test"])


def test_the_card_says_what_the_weights_do(
    real_data: Path, tested: list[dict[str, str]], as_program: Callable, tmp_path: Path
):
    for folder in ("images", "masks"):
        (tmp_path / folder).symlink_to(real_data / folder)
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tested[0])
        writer.writeheader()
        writer.writerows(tested)
    prepare_manifest(str(tmp_path / "manifest.csv"), str(tmp_path / "pack"))
    datalist = tmp_path / "pack" / "datalists" / "patient.json"
    content = json.loads(datalist.read_text())
    lesions = [lesion for part in ("training", "validation", "test") for lesion in content[part]]
    datalist.write_text(json.dumps(content | {"test": lesions}))
    files = {"config_file": with_files("released", "evaluate"), "model": RELEASED, "dataset_dir": tmp_path / "pack"}
    place = {"evaluation_dir": tmp_path / "results", "num_workers": 0, "bootstrap_samples": 10}
    as_program("monai.bundle", "run", "evaluating", **files, **place, box_displacement=0.2)
    summary = json.loads((tmp_path / "results" / "summary.json").read_text())
    lines = CARD.read_text().splitlines()
    (names,) = (line for line in lines if line.startswith("| boxes |"))
    (cells,) = (line for line in lines if line.startswith("| displaced and scaled by up to 20 % |"))
    told = dict(zip(names.split(" | "), cells.split(" | "), strict=True))
    assert summary["lesions"] == len(tested) == 127
    for name in ("Dice", "Jaccard", "precision", "recall"):
        mean = summary["per_lesion"][name.lower()]["mean"]
        assert mean == pytest.approx(float(told[name].split()[0]), abs=0.001), name


def test_boxes_of_masses_raise_no_flag(real_data: Path):
    with (real_data / "manifest.csv").open(newline="") as file:
        parts = patient_split(list(csv.DictReader(file)))
    assert len(parts["training"]) + len(parts["validation"]) == 1177
    by_image = defaultdict(list)
    for row in [*parts["training"], *parts["validation"]]:
        by_image[row["image"]].append(row)
    for image in sorted(by_image)[::8]:
        breast = breast_mask(read_pixels(real_data / image))
        for row in by_image[image]:
            x0, y0, x1, y1 = (float(row[edge]) for edge in ("x0", "y0", "x1", "y1"))
            inside, size = box_and_breast((x0, y0, x1, y1), breast)
            assert inside >= LEAST_IN_BREAST, row["lesion_id"]
            assert LEAST_OF_BREAST <= size <= MOST_OF_BREAST, row["lesion_id"]


def test_a_prediction_needs_no_run(real_data: Path, tested: list[dict[str, str]], as_program: Callable, tmp_path: Path):
    row = tested[0]
    box = [float(row[edge]) for edge in ("x0", "y0", "x1", "y1")]
    as_program("scripts", "predict", image=real_data / row["image"], boxes=[box], output_dir=tmp_path)
    (mask,) = tmp_path.rglob("*_mask.png")
    assert dice(read_mask(mask), read_mask(real_data / row["mask"])) > 0.75
