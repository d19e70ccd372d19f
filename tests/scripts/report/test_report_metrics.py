from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from custom.metrics.summary import clustered_interval
from scripts.report.blocks import Figure, Figures, NotThere, Table
from scripts.report.metrics import confusion, confusion_figure, metrics, study_confusion
from scripts.report.sources import StudyResults
from tests.scripts.report.bare_run import evaluation, lesion, run_of
from tests.scripts.report.pictured_run import made_study

ROWS = [lesion(0, 0.5), lesion(1, 0.7), lesion(2, 0.9, hausdorff95=4.26)]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.drawing.get_axes()[0].texts]


def test_cells_are_those_of_the_lesions():
    table, _ = metrics(run_of(evaluation("e", ROWS)))
    assert isinstance(table, Table)
    cells = {row[0]: dict(zip(table.headings[1:], row[1:], strict=True)) for row in table.rows}
    low, high = clustered_interval(np.array([0.5, 0.7, 0.9]), ["P_0", "P_0", "P_1"], 50, 0.95, 0) or ()
    assert cells["Dice"] == {
        "mean": ".700",
        "sd": ".200",
        "median": ".700",
        "95 % interval": f"{low:.3f} to {high:.3f}".replace("0.", "."),
        # 2 * 80 / (100 + 100) of each lesion
        "pooled": ".800",
    }
    assert cells["pixel accuracy"]["pooled"] == ".900"
    assert cells["Hausdorff 95, pixels"]["mean"] == "3.4"
    assert cells["Dice above that of the ellipse"]["mean"] == "-.150"
    assert cells["Dice of the whole box"]["pooled"] == ""
    assert "small, split patient: over 3 lesions of 2 patients." in table.caption


def test_one_lesion_has_neither_sd_nor_interval():
    table, _ = metrics(run_of(evaluation("e", [lesion(0)])))
    assert isinstance(table, Table)
    assert table.rows[0] == ["Dice", ".900", "", ".900", "", ".800"]
    assert "over 1 lesion of 1 patient." in table.caption


def test_all_evaluations_beside_each_other():
    own, displaced = evaluation("e", ROWS), evaluation("d", ROWS[:1], box_displacement=0.1)
    overview, violins, table, _ = metrics(run_of(displaced, own))
    assert isinstance(overview, Table)
    assert isinstance(table, Table)
    assert [row[:3] for row in overview.rows] == [
        ["small, split patient, box displacement 0.1", "1 (1)", ".500"],
        ["small, split patient", "3 (2)", f".700 ({table.rows[0][4]})"],
    ]
    assert overview.caption.endswith("In full below: small, split patient.")
    assert isinstance(violins, Figures)
    assert violins.figures[0].name == "dice_by_evaluation"
    assert ".500 in small, split patient, box displacement 0.1 (n = 1)" in violins.figures[0].alt


def test_a_run_without_evaluation_tells_how_to_evaluate():
    with pytest.raises(
        NotThere, match=r"python -m monai\.bundle run evaluating --args_file runs/told/evaluating\.json"
    ):
        metrics(run_of())
    assert confusion(run_of()) == []


def test_a_confusion_matrix_is_normalised_by_row():
    figure = confusion_figure("confusion_matrix", np.array([[1500, 500], [100, 900]]), "Some pixels")
    assert texts(figure) == ["75.0 %\n1,500", "25.0 %\n500", "10.0 %\n100", "90.0 %\n900"]
    axes = figure.drawing.get_axes()[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["lesion", "background"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("prediction", "truth")
    assert "75.0 % of the lesion pixels" in figure.alt


def test_a_class_without_pixels_is_said_to_have_none():
    assert texts(confusion_figure("c", np.array([[3, 1], [0, 0]]), ""))[2:] == ["no pixels"] * 2


def test_each_principal_evaluation_has_its_matrix():
    elsewhere = evaluation("other_test", ROWS, dataset_dir="/data/other")
    (block,) = confusion(run_of(evaluation("e", ROWS), elsewhere))
    assert isinstance(block, Figures)
    assert [figure.name for figure in block.figures] == ["confusion_matrix_e", "confusion_matrix_other_test"]
    assert texts(block.figures[0])[0] == "80.0 %\n240"


def test_a_studys_matrices_hold_the_pixels_of_all_seeds(tmp_path: Path, dataset: Path):
    study = made_study(tmp_path / "study", dataset, {"off": lambda truth, _: truth, "exact": lambda truth, _: truth})
    (run,) = study.runs["off"]
    tested = next(evaluation for evaluation in run.evaluations if evaluation.name == "test")
    run.evaluations[:] = [tested, tested]
    counts = tested.summary["confusion_matrix"]["counts"]
    (block,) = study_confusion(study)
    assert isinstance(block, Figures)
    off, exact = block.figures
    assert (off.name, exact.name) == ("confusion_matrix_off", "confusion_matrix_exact")
    assert texts(off)[0] == f"100.0 %\n{2 * counts[0][0]:,}"
    assert off.caption.startswith("off: the pixels in the crops of 4 lesions of 2 patients, 2 seeds together.")
    assert "seeds" not in exact.caption
    assert study_confusion(StudyResults(tmp_path / "denoising", {})) == []
