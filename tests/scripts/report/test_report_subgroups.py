from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.report.blocks import Figure, Figures, Table, Text
from scripts.report.figures import dice_violins
from scripts.report.sources import StudyResults
from scripts.report.subgroups import arms, group_by_size, running_median, subgroups
from tests.scripts.report.bare_run import evaluation, lesion, run_of
from tests.scripts.report.pictured_run import made_study


def of_diameter(number: int, diameter: float, **values: object) -> dict:
    return lesion(number, lesion_pixels=math.pi * (diameter / 2) ** 2, **values)


ROWS = [
    lesion(0, 0.6, birads="5", pathology="BENIGN_WITHOUT_CALLBACK"),
    lesion(1, 0.7, birads="4", pathology="MALIGNANT"),
    lesion(2, 0.8, birads="4", pathology="MALIGNANT"),
    lesion(3, 0.9, birads="N/A", pathology=""),
]


def figures(blocks: list) -> dict[str, Figure]:
    return {figure.name: figure for block in blocks if isinstance(block, Figures) for figure in block.figures}


def ticks(figure: Figure) -> list[str]:
    return [label.get_text().replace("\n", " ") for label in figure.drawing.get_axes()[0].get_xticklabels()]


def test_groups_have_their_names_and_numbers():
    shown = figures(subgroups(run_of(evaluation("e", ROWS))))
    assert ticks(shown["dice_by_birads"]) == ["4 n = 2", "5 n = 1"]
    assert ticks(shown["dice_by_pathology"]) == ["benign without callback n = 1", "malignant n = 2"]
    assert "left out: 1 lesion." in shown["dice_by_birads"].caption
    assert "left out" not in shown["dice_by_view"].caption
    assert ".750 in 4 (n = 2), .600 in 5 (n = 1)" in shown["dice_by_birads"].alt
    axes = shown["dice_by_birads"].drawing.get_axes()[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("BI-RADS", "Dice of a lesion (1 = perfect)")
    # The points of each group, then its median.
    assert [sorted(line.get_ydata()) for line in axes.lines] == [[0.7, 0.8], [0.75, 0.75], [0.6], [0.6, 0.6]]


def test_the_table_of_groups():
    (table,) = (block for block in subgroups(run_of(evaluation("e", ROWS))) if isinstance(block, Table))
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["BI-RADS 4"][:4] == ["2", "2", ".750", ".750"]
    assert rows["BI-RADS not known"] == ["1", "1", ".900", ".900", ""]
    assert list(rows).index("BI-RADS not known") == 2
    assert rows["pathology malignant"][0] == "2"
    assert rows["diameter 11 pixels"][0] == "4"


@pytest.mark.parametrize("value", ["", "N/A"])
def test_an_attribute_that_no_lesion_has_is_left_out(value: str):
    blocks = subgroups(run_of(evaluation("e", [lesion(n, birads=value) for n in range(3)])))
    assert "dice_by_birads" not in figures(blocks)
    assert not any("BI-RADS" in row[0] for block in blocks if isinstance(block, Table) for row in block.rows)


def test_one_lesion():
    shown = figures(subgroups(run_of(evaluation("e", ROWS[:1]))))
    assert ticks(shown["dice_by_size"]) == ["11 n = 1"]
    assert len(shown["dice_against_size"].drawing.get_axes()[0].lines) == 2


def test_several_evaluations_are_told_apart():
    elsewhere = evaluation("other_test", ROWS[:2], dataset_dir="/data/other")
    blocks = subgroups(run_of(evaluation("e", ROWS), elsewhere))
    told = [block.text for block in blocks if isinstance(block, Text)]
    assert told == [
        "On small, split patient: 4 lesions of 2 patients.",
        "On other, split patient: 2 lesions of 1 patient.",
    ]
    assert {"dice_by_birads_e", "dice_by_birads_other_test"} <= set(figures(blocks))


def test_quarters_by_size_share_no_end():
    # 13.4 and 12.6 are both 13 when rounded, and stay together.
    sizes = (10, 11, 12.6, 13.4, 20, 21, 30, 40)
    groups = group_by_size([of_diameter(number, size) for number, size in enumerate(sizes)])
    assert {name: len(members) for name, members in groups.items()} == {
        "10 to 11": 2,
        "13": 2,
        "20 to 21": 2,
        "30 to 40": 2,
    }


def test_equal_sizes_are_one_group():
    assert list(group_by_size([of_diameter(number, 25.2) for number in range(5)])) == ["25"]


def test_a_running_median_by_hand():
    # 24 points: windows of 10, a third of it apart.
    x = np.arange(24.0)[::-1]
    y = x**2
    centres, medians = running_median(x, y)
    # Between two neighbours each: 4 and 5, 7 and 8, ...
    np.testing.assert_allclose(centres, [4.5, 7.5, 10.5, 13.5, 16.5])
    np.testing.assert_allclose(medians, [20.5, 56.5, 110.5, 182.5, 272.5])


def test_dice_against_size_has_a_trend_from_twenty_lesions_on():
    few, many = (
        figures(subgroups(run_of(evaluation("e", [of_diameter(n, 10 + n) for n in range(number)]))))[
            "dice_against_size"
        ]
        for number in (19, 20)
    )
    assert [len(figure.drawing.get_axes()[0].lines) for figure in (few, many)] == [2, 4]
    points = many.drawing.get_axes()[0].lines[1]
    np.testing.assert_allclose(points.get_xdata(), np.arange(10, 30))
    assert "10 to 29 pixels" in many.alt


def test_violins_are_drawn_of_five_values_on_and_hold_their_points():
    lesions = [lesion(number, dice) for number, dice in enumerate((0.1, 0.2, 0.3, 0.4, 0.5))]
    figure = dice_violins("name", {"few": lesions[:4], "long name of a group": lesions}, "x")
    axes = figure.drawing.get_axes()[0]
    (body,) = axes.collections
    outline = body.get_paths()[0].vertices
    points = axes.lines[2].get_xydata()
    for x, y in points:
        near = outline[np.abs(outline[:, 1] - y) < 0.01]
        assert near[:, 0].min() <= x <= near[:, 0].max()
    assert figure.alt == "Dice of the lesions by x; medians: .250 in few (n = 4), .300 in long name of a group (n = 5)."


@pytest.fixture
def study(tmp_path: Path, dataset: Path) -> StudyResults:
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


def test_dice_of_the_arms(study: StudyResults):
    block, table = arms(study)
    assert isinstance(block, Figures)
    (figure,) = block.figures
    axes = figure.drawing.get_axes()[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["off\nn = 3", "exact\nn = 3"]
    np.testing.assert_allclose(sorted(axes.lines[0].get_ydata()), [0.65, 0.85, 0.95])
    assert figure.caption.endswith("Dice is averaged over the seeds. Of the study's tests, the first.")
    assert isinstance(table, Table)
    assert table.headings == ("group", "lesions", "off", "exact")
    assert table.rows[:2] == [["BI-RADS 3", "1", ".650", ".700"], ["BI-RADS 4", "1", ".850", ".900"]]
    assert ["view CC", "3", ".817", ".867"] in table.rows


def test_arms_tested_on_other_lesions_have_their_numbers(study: StudyResults):
    evaluation = study.runs["exact"][0].evaluations[-1]
    del evaluation.lesions[0]
    _, table = arms(study)
    assert isinstance(table, Table)
    assert table.headings == ("group", "off", "exact")
    assert table.rows[:2] == [["BI-RADS 3", ".650 (1)", ""], ["BI-RADS 4", ".850 (1)", ".900 (1)"]]
    assert table.caption.endswith("in brackets the lesions.")


def test_a_study_of_images_has_no_arms(tmp_path: Path):
    assert arms(StudyResults(tmp_path / "denoising", {})) == []
