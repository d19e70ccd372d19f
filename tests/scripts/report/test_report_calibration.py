from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts.report.blocks import Figure, Figures, NotThere
from scripts.report.calibration import calibration, calibration_error, pool, study_calibration
from tests.scripts.report.bare_run import evaluation, lesion, run_of
from tests.scripts.report.pictured_run import made_study


def row(number: int, low: float, pixels: int, probability: float, lesion: float) -> dict[str, Any]:
    return {
        **{"lesion_id": f"L_{number}", "patient_id": f"P_{number}"},
        **{"probability_low": low, "probability_high": low + 0.5},
        **{"pixels": pixels, "mean_probability": probability, "lesion_share": lesion},
    }


ROWS = [row(0, 0.5, 300, 0.8, 0.5), row(0, 0.0, 500, 0.1, 0.0), row(1, 0.5, 100, 0.6, 0.9), row(2, 0.0, 0, 0.0, 0.0)]


def figures(blocks: list) -> list[Figure]:
    (block,) = blocks
    assert isinstance(block, Figures)
    return list(block.figures)


def test_pixels_of_all_lesions_are_pooled():
    low, high = pool(ROWS, samples=200)
    assert (low.pixels, low.probability, low.lesion, low.interval) == (500, 0.1, 0.0, None)
    # (300 * .8 + 100 * .6) / 400 and (150 + 90) / 400
    assert (high.pixels, high.probability, high.lesion) == (400, pytest.approx(0.75), pytest.approx(0.6))
    # Either lesion drawn twice is the extreme.
    assert high.interval == pytest.approx([0.5, 0.9])
    # (500 * .1 + 400 * .15) / 900
    assert calibration_error([low, high]) == pytest.approx(110 / 900)


def test_the_diagram_shows_the_bins():
    (figure,) = figures(calibration(run_of(evaluation("e", [lesion(0)], ROWS))))
    assert figure.name == "calibration"
    above, below = figure.drawing.get_axes()
    points = next(line for line in above.lines if line.get_label() == "network")
    np.testing.assert_allclose(points.get_xydata(), [[0.1, 0.0], [0.75, 0.6]])
    assert [bar.get_height() for bar in below.patches] == pytest.approx([500 / 9, 400 / 9])
    assert "900 pixels in the crops of 3 lesions of 3 patients" in figure.caption
    assert "weighted by pixels: .122" in figure.caption
    assert "at a probability of .750, where .600 of the pixels are lesion" in figure.alt


def test_an_older_evaluation_tells_how_to_get_it():
    with pytest.raises(NotThere, match=r"has no calibration\.csv.*run evaluating .* --dataset_dir data/small"):
        calibration(run_of(evaluation("e", [lesion(0)])))
    assert calibration(run_of()) == []


def test_those_that_have_it_are_shown():
    elsewhere = evaluation("other_test", [lesion(0)], ROWS, dataset_dir="/data/other")
    (figure,) = figures(calibration(run_of(evaluation("e", [lesion(0)]), elsewhere)))
    assert figure.name == "calibration_other_test"


def test_a_study_has_a_line_for_each_arm(tmp_path: Path, dataset: Path):
    study = made_study(tmp_path / "study", dataset, {"off": lambda truth, _: truth, "exact": lambda truth, _: truth})
    assert study_calibration(study) == []
    (run,) = study.runs["off"]
    run.evaluations[:] = [replace(run.evaluations[-1], calibration=ROWS)]
    (figure,) = figures(study_calibration(study))
    arm, diagonal = figure.drawing.get_axes()[0].lines
    assert (arm.get_label(), diagonal.get_label()) == ("off .122", "perfect")
    np.testing.assert_allclose(arm.get_xydata(), [[0.1, 0.0], [0.75, 0.6]])
