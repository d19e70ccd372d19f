from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from scripts.common.drawing import BLUE, ORANGE
from scripts.report.blocks import Figure, Figures, NotThere, Table
from scripts.report.panels import both_views, prediction_panels, study_panels, worst_cases
from scripts.report.reading import read_run
from tests.scripts.report.pictured_run import Predict, made_run, made_study

ARMS: dict[str, Predict] = {"off": lambda truth, _: np.roll(truth, 3, axis=0), "exact": lambda truth, _: truth}


def figures(blocks: list) -> list[Figure]:
    return [figure for block in blocks if isinstance(block, Figures) for figure in block.figures]


def outlines(figure: Figure) -> list[list[tuple[float, ...]]]:
    """Of each tile of a figure the colours of its outlines."""
    return [
        [tuple(contour.get_edgecolor()[0][:3]) for contour in tile.collections] for tile in figure.drawing.get_axes()
    ]


def titles(figure: Figure) -> list[str]:
    return [tile.get_title() for tile in figure.drawing.get_axes()]


def test_panels_show_a_crop_its_truth_and_its_prediction(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset)
    shown = figures(prediction_panels(run))
    lesions = sorted(run.evaluations[0].lesions, key=lambda row: row["dice"])
    assert [figure.name for figure in shown] == [f"case_{row['lesion_id']}" for row in lesions]
    assert all(figure.photographic for figure in shown)
    assert all(row["lesion_id"] in figure.caption for figure, row in zip(shown, lesions, strict=True))
    assert titles(shown[0]) == ["crop", "truth", "prediction"]
    assert outlines(shown[0]) == [[], [to_rgb(BLUE)], [to_rgb(BLUE), to_rgb(ORANGE)]]
    dice = f"{lesions[0]['dice']:.3f}".lstrip("0")
    assert shown[0].drawing.get_axes()[2].get_xlabel() == f"Dice {dice}\nellipse 1.000"
    assert str(tmp_path) not in "".join(figure.alt + figure.caption for figure in shown)


def test_one_lesion_with_an_empty_prediction(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset, predict=lambda truth, _: np.zeros_like(truth), lesions=1)
    (figure,) = figures(prediction_panels(run))
    assert outlines(figure)[2] == [to_rgb(BLUE)]
    assert "nothing was predicted" in figure.alt
    assert worst_cases(run) == []


def test_a_prediction_that_is_gone_leaves_the_truth(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset, lesions=1)
    next(run.evaluations[0].folder.glob("predictions/*")).unlink()
    (figure,) = figures(prediction_panels(run))
    assert outlines(figure) == [[], [to_rgb(BLUE)], []]
    assert "is gone" in figure.caption


def test_mammograms_that_are_gone_are_told(tmp_path: Path, own_dataset: Path):
    run = made_run(tmp_path / "run", own_dataset)
    entry = run.evaluations[0].entry(run.evaluations[0].lesions[0])
    Path(entry["image"]).unlink()
    with pytest.raises(NotThere, match="is gone from the data set") as error:
        prediction_panels(run)
    assert str(own_dataset) not in str(error.value)
    own_dataset.rename(tmp_path / "moved")
    with pytest.raises(NotThere, match="--dataset_dir"):
        prediction_panels(read_run(run.folder, []))


def test_worst_cases_are_the_lowest_of_many(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("scripts.report.panels.SPANNING", 2)
    monkeypatch.setattr("scripts.report.panels.WORST", 2)
    run = made_run(tmp_path / "run", dataset, predict=lambda truth, number: truth | np.roll(truth, 1 + number, axis=0))
    lowest = sorted(run.evaluations[0].lesions, key=lambda row: row["dice"])
    table, shown = worst_cases(run)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == [row["lesion_id"] for row in lowest[:2]]
    told = dict(zip(table.headings, table.rows[0], strict=True))
    assert told["view"] == lowest[0]["view"]
    assert told["size, pixels"] == f"{lowest[0]['lesion_pixels']:.0f}"
    assert told["recall"] == "1.000"
    assert float(told["predicted / true size"]) == pytest.approx(1 / lowest[0]["precision"], abs=0.005)
    assert [figure.name for figure in figures([shown])] == [f"worst_case_{row[0]}" for row in table.rows]
    assert [figure.name for figure in figures(prediction_panels(run))] == [
        f"case_{row['lesion_id']}" for row in (lowest[0], lowest[-1])
    ]


def test_displaced_boxes_are_left_to_their_table(tmp_path: Path, dataset: Path):
    plain = made_run(tmp_path / "plain", dataset, lesions=1)
    both = made_run(tmp_path / "both", dataset, tests=["small_patient", "small_patient_displaced30"], lesions=1)
    assert len(figures(prediction_panels(both))) == len(figures(prediction_panels(plain))) == 1


def test_a_study_shows_each_arm_on_the_lesions_of_the_reference(tmp_path: Path, dataset: Path):
    study = made_study(tmp_path / "study", dataset, ARMS)
    shown = figures(study_panels(study))
    assert titles(shown[0]) == ["truth", "off", "exact"]
    assert outlines(shown[0])[1:] == [[to_rgb(BLUE), to_rgb(ORANGE)]] * 2
    labels = [tile.get_xlabel() for tile in shown[0].drawing.get_axes()]
    assert labels[2] == "Dice 1.000"
    assert re.fullmatch(r"Dice \.\d{3}", labels[1])


def test_lesions_that_every_arm_was_tested_on_are_chosen(tmp_path: Path, dataset: Path):
    study = made_study(tmp_path / "study", dataset, ARMS)
    study.runs["off"][0].evaluations[-1].lesions[1:] = []
    (figure,) = figures(study_panels(study))
    assert figure.name == f"case_{study.runs['off'][0].evaluations[-1].lesions[0]['lesion_id']}"


def test_arms_that_share_no_lesion_are_shown_on_the_references(tmp_path: Path, dataset: Path):
    study = made_study(tmp_path / "study", dataset, ARMS)
    study.runs["off"][0].evaluations[-1].lesions[1:] = []
    study.runs["exact"][0].evaluations[-1].lesions[:1] = []
    shown = figures(study_panels(study))
    assert len(shown) == len(study.runs["exact"][0].evaluations[-1].lesions)
    assert {tuple(titles(figure)) for figure in shown} == {("truth", "exact", "")}


def test_both_views_of_one_breast(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset)
    (block,) = both_views(run)
    assert isinstance(block, Figures)
    (figure,) = block.figures
    tiles = figure.drawing.get_axes()
    assert [tile.get_title() for tile in tiles] == ["CC", "MLO", "", ""]
    rows = {row["lesion_id"]: row for row in run.evaluations[0].lesions}
    cc, mlo = (rows[name] for name in rows if name in figure.caption)
    assert (cc["patient_id"], cc["view"], mlo["view"]) == (mlo["patient_id"], "CC", "MLO")
    (box,) = [patch for patch in tiles[0].patches if isinstance(patch, Rectangle)]
    assert (box.get_x() + 0.5, box.get_y() + 0.5) == (cc["box_x0"], cc["box_y0"])
    assert box.get_width() == cc["box_x1"] - cc["box_x0"]
    assert [len(tile.collections) for tile in tiles] == [2, 2, 2, 2]


def test_a_single_view_is_not_shown(tmp_path: Path, dataset: Path):
    assert both_views(made_run(tmp_path / "run", dataset, lesions=1)) == []


def test_breasts_whose_side_is_not_known_are_not_joined(tmp_path: Path, own_dataset: Path):
    for file in (own_dataset / "datalists").glob("*.json"):
        file.write_text(file.read_text().replace('"LEFT"', '"N/A"').replace('"RIGHT"', '"N/A"'))
    assert both_views(made_run(tmp_path / "run", own_dataset)) == []
