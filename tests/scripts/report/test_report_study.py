from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.report.blocks import Document, Figures, Table
from scripts.report.sources import Study
from scripts.report.study import arms, confusions, document
from tests.scripts.report.pictured_run import made_study
from tests.scripts.report.told_run import lesion


@pytest.fixture
def study(tmp_path: Path, dataset: Path) -> Study:
    """Two arms, of which `off` has two seeds; the lesions of the first test are made up."""
    made = made_study(tmp_path / "study", dataset, {"off": lambda truth, _: truth, "exact": lambda truth, _: truth})
    rows = [lesion(0, 0.6, birads="3"), lesion(1, 0.8, birads="4"), lesion(2, 0.9, birads="N/A")]
    higher = [row | {"dice": row["dice"] + 0.1} for row in rows]
    for arm, seeds in {"off": [rows, higher], "exact": [higher]}.items():
        (run,) = made.runs[arm]
        tested = next(evaluation for evaluation in run.evaluations if evaluation.name == "test")
        run.evaluations[:] = [evaluation for evaluation in run.evaluations if evaluation is not tested]
        run.evaluations.extend(replace(tested, lesions=list(of_seed)) for of_seed in seeds)
    return made


def test_dice_of_the_arms(study: Study):
    block, table = arms(study)
    assert isinstance(block, Figures)
    (figure,) = block.figures
    axes = figure.drawing.get_axes()[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["off\nn = 3", "exact\nn = 3"]
    np.testing.assert_allclose(sorted(axes.lines[0].get_ydata()), [0.65, 0.85, 0.95])
    assert figure.caption.endswith("the line is the median. Of the study's tests, the first.")
    assert isinstance(table, Table)
    assert table.headings == ("group", "lesions", "off", "exact")
    assert table.rows[:2] == [["BI-RADS 3", "1", ".650", ".700"], ["BI-RADS 4", "1", ".850", ".900"]]
    assert ["view CC", "3", ".817", ".867"] in table.rows


def test_arms_tested_on_other_lesions_have_their_numbers(study: Study):
    evaluation = study.runs["exact"][0].evaluations[-1]
    del evaluation.lesions[0]
    _, table = arms(study)
    assert isinstance(table, Table)
    assert table.headings == ("group", "off", "exact")
    assert table.rows[:2] == [["BI-RADS 3", ".650 (1)", ""], ["BI-RADS 4", ".850 (1)", ".900 (1)"]]
    assert table.caption.endswith("in brackets the lesions.")


def test_pixels_of_the_seeds_together(study: Study):
    counts = study.runs["off"][0].evaluations[-1].summary["confusion_matrix"]["counts"]
    (block,) = confusions(study)
    assert isinstance(block, Figures)
    off, exact = block.figures
    assert (off.name, exact.name) == ("confusion_matrix_off", "confusion_matrix_exact")
    assert off.drawing.get_axes()[0].texts[0].get_text() == f"100.0 %\n{2 * counts[0][0]:,}"
    assert off.caption.startswith("off: the pixels in the crops of 4 lesions of 2 patients, 2 seeds together.")
    assert "seeds" not in exact.caption


def test_a_study_of_images_is_its_document(tmp_path: Path):
    study = Study(tmp_path / "denoising", {})
    assert document(study) == [Document(tmp_path / "denoising" / "table.md")]
    assert arms(study) == confusions(study) == []
