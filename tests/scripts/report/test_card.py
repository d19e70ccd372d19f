"""The verb `card`."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from custom.errors import InputError
from custom.files import file_sha256, write_csv
from scripts.common.bundle import RELEASED
from scripts.report.card import card
from tests.scripts.report.pictured_run import shifted, write_run


@pytest.fixture
def evaluations(tmp_path: Path, dataset: Path) -> Path:
    """Two evaluations of the released weights, the one on displaced boxes off by three pixels more."""
    run = write_run(tmp_path / "run", dataset, ("exact",))
    other = write_run(tmp_path / "other", dataset, ("by20",), lambda truth, number: shifted(truth, number + 3))
    (other / "evaluation" / "by20").rename(run / "evaluation" / "by20")
    for name, displacement in {"exact": 0.0, "by20": 0.2}.items():
        file = run / "evaluation" / name / "summary.json"
        summary = json.loads(file.read_text()) | {"model_sha256": file_sha256(RELEASED)}
        summary["settings"]["box_displacement"] = displacement
        file.write_text(json.dumps(summary))
    return run / "evaluation"


def test_the_card_holds_what_the_evaluations_say(evaluations: Path, tmp_path: Path):
    document = tmp_path / "README.md"
    document.write_text("Before.\n<!-- released weights -->\n<!-- end weights -->\nAfter.\n")
    for _ in range(2):
        card(str(document), str(evaluations))
        text = document.read_text()
        assert text.startswith("Before.\n<!-- released weights -->\n")
        assert text.endswith("<!-- end weights -->\nAfter.\n")
    found = {name: json.loads((evaluations / name / "summary.json").read_text()) for name in ("exact", "by20")}
    dice = [f"{found[name]['per_lesion']['dice']['mean']:.3f}".lstrip("0") for name in ("exact", "by20")]
    rows = {line.split(" | ")[0]: line.split(" | ")[1:] for line in text.splitlines() if line.startswith("| ")}
    assert rows["| exact"][1].startswith(dice[0])
    assert rows["| displaced and scaled by up to 20 %"][1].startswith(dice[1])
    assert dice[0] != dice[1]
    by = {value: group for value, group in found["by20"]["by"]["pathology"].items() if value}
    for value, group in by.items():
        lesions, patients, _, displaced = rows[f"| pathology {value.lower()}"]
        assert (int(lesions), int(patients)) == (group["lesions"], group["patients"])
        assert displaced.startswith(f"{group['per_lesion']['dice']['mean']:.3f}".lstrip("0"))
    assert by
    worst = min((row for row in (evaluations / "by20" / "lesions.csv").read_text().splitlines()[1:]), key=dice_of)
    assert f"| {worst.split(',')[0]} |" in text
    picture = cv2.imread(str(tmp_path / "README_failures.png"))
    colours = {tuple(int(value) for value in pixel) for row in picture for pixel in row}
    assert len(colours) > 2
    assert "](README_failures.png)" in text


def test_the_boxes_are_compared_with_the_exact_ones_and_the_lesion(evaluations: Path, dataset: Path, tmp_path: Path):
    """Every displaced box lies half its width to the right of the exact one."""
    file = evaluations / "by20" / "lesions.csv"
    with file.open(newline="") as table:
        rows = list(csv.DictReader(table))
    overlaps, outside = [], {}
    for row in rows:
        x0, x1, y0, y1 = (int(float(row[f"box_{edge}"])) for edge in ("x0", "x1", "y0", "y1"))
        width, by = x1 - x0, (x1 - x0) // 2
        row["box_x0"], row["box_x1"] = f"{x0 + by}.0", f"{x1 + by}.0"
        overlaps.append((width - by) / (width + by))
        mask = cv2.imread(str(dataset / "masks" / f"{row['lesion_id']}.png"), cv2.IMREAD_GRAYSCALE) > 0
        outside[row["lesion_id"]] = 1 - mask[y0:y1, x0 + by : x1 + by].sum() / mask.sum()
    write_csv(file, rows)
    document = tmp_path / "README.md"
    document.write_text("<!-- released weights -->\n<!-- end weights -->\n")
    card(str(document), str(evaluations))
    lines = document.read_text().splitlines()
    [displaced] = [line for line in lines if line.startswith("| displaced and scaled by up to 20 % |")]
    mean, fifth = (f"{value:.3f}".lstrip("0") for value in (np.mean(overlaps), np.percentile(overlaps, 5)))
    assert displaced.split(" | ")[1] == f"{mean} ({fifth})"
    told = {
        cells[0][2:]: cells[-2] for line in lines if len(cells := line.split(" | ")) == 9 and cells[0][2:] in outside
    }
    assert len(told) == min(8, len(rows))
    assert told == {name: f"{100 * outside[name]:.0f} %" for name in told}
    assert max(outside.values()) > 0.3


def test_evaluations_that_cannot_be_compared_are_refused(evaluations: Path, tmp_path: Path):
    file = evaluations / "by20" / "lesions.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match=r"by20: of other lesions than .*exact; take one of them away"):
        card(str(tmp_path / "README.md"), str(evaluations))
    shutil.rmtree(evaluations / "exact")
    with pytest.raises(InputError, match=r"no evaluation with exact boxes in it; run `evaluating` with --model"):
        card(str(tmp_path / "README.md"), str(evaluations))


def dice_of(line: str) -> float:
    header = "lesion_id,patient_id,laterality,view,birads,density,pathology,dice"
    return float(line.split(",")[header.split(",").index("dice")])


def test_evaluations_of_other_weights_are_refused(evaluations: Path, tmp_path: Path):
    file = evaluations / "exact" / "summary.json"
    summary = json.loads(file.read_text())
    summary["model_sha256"] = "0" * 64
    file.write_text(json.dumps(summary))
    with pytest.raises(InputError, match=r"exact: of other weights than .*model\.pt; evaluate these, or take it away"):
        card(str(tmp_path / "README.md"), str(evaluations))


def test_a_document_without_a_place_gets_no_figure(evaluations: Path, tmp_path: Path):
    (tmp_path / "README.md").write_text("Nothing.\n")
    with pytest.raises(InputError, match=r"README\.md: no place for the table of released weights"):
        card(str(tmp_path / "README.md"), str(evaluations))
    assert not list(tmp_path.glob("*.png"))


def test_without_evaluations_it_says_what_to_do(tmp_path: Path):
    with pytest.raises(InputError, match=r"no evaluation in it; run `evaluating` with --model"):
        card(str(tmp_path / "README.md"), str(tmp_path))
