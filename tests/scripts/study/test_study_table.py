from __future__ import annotations

import csv
import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from made_up_study import ABOUT, ORIGIN, arm_result, curve, lesion, study

from custom.errors import InputError
from custom.files import write_csv
from custom.metrics.summary import clustered_interval
from custom.metrics.vocabulary import METRICS
from scripts.common.formatting import text_table
from scripts.study.collect import ArmResult
from scripts.study.page import baseline_label, markdown
from scripts.study.statistics import holm
from scripts.study.table import COLUMNS, as_csv, study_rows
from tests.helpers import ROOT

REFERENCE = arm_result("UNet++", [[0.9, 0.8, 0.7, 0.6], [0.8, 0.7, 0.6, 0.5]], paper={"dice": "92.92 ± .03"})
OTHER = arm_result("U-Net", [[0.8, 0.7, 0.6, 0.5], [0.8, 0.7, 0.6, 0.38]])


def table_of(text: str, number: int) -> list[list[str]]:
    """The cells of a table of a Markdown page, without its rule."""
    headings, _, *lines = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)[number].splitlines()
    return [
        [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")] for line in (headings, *lines)
    ]


def test_rows_by_hand():
    first, second = study_rows([REFERENCE, OTHER], "UNet++")
    assert (first["lesions"], first["patients"], first["seeds"]) == (4, 2, 2)
    assert first["dice"] == pytest.approx(0.7)
    assert first["dice_of_seeds"] == pytest.approx([0.75, 0.65])
    assert first["dice_sd"] == pytest.approx(0.1 / math.sqrt(2))
    # Two patients of two lesions each: the interval reaches from one to the other.
    assert (first["dice_low"], first["dice_high"]) == pytest.approx((0.6, 0.8))
    assert (first["dice_ellipse"], first["dice_all_foreground"]) == pytest.approx((0.6, 0.5))
    assert (first["precision"], first["recall"], first["hausdorff95"]) == pytest.approx((0.65, 0.75, 10))
    assert (first["hausdorff95_sd"], first["best_epoch"], first["seconds_per_epoch"]) == (0, 1.5, 4)
    assert (first["paper_dice"], first["paper_recall"]) == ("92.92 ± .03", None)
    assert [first[name] for name in ("difference", "p", "p_holm", "effect_size", "significance_test")] == [None] * 5
    # Averaged over the seeds the lesions differ by -.05, -.05, -.05, -.11.
    assert second["difference"] == pytest.approx(-0.065)
    assert (second["difference_low"], second["difference_high"]) == pytest.approx((-0.08, -0.05))
    # Four lesions, all negative: 2 of 16 sign patterns.
    assert second["p"] == second["p_holm"] == pytest.approx(2 / 16)
    assert second["effect_size"] == -1
    assert all(list(row) == list(COLUMNS) for row in (first, second))


def test_intervals_are_those_of_an_evaluation():
    rows = [lesion(f"L{number}", f"P{number // 3}", 0.5 + 0.03 * number) for number in range(12)]
    row = study_rows([ArmResult("a", "", [rows], [curve(1, 1)], OTHER.cost, {})], "a")[0]
    for name in ("dice", "jaccard"):
        values, patients = np.array([lesion[name] for lesion in rows]), [lesion["patient_id"] for lesion in rows]
        assert [row[f"{name}_low"], row[f"{name}_high"]] == clustered_interval(values, patients, 2000, 0.95, 0)
    assert row["confidence"] == 0.95


def test_each_test_has_its_own_reference_and_all_comparisons_are_corrected_together():
    rows = study_rows(study(["a", "b", "c"], ("0 %", "10 %")), "b")
    assert [(row["arm"], row["test"]) for row in rows] == [(arm, test) for test in ("0 %", "10 %") for arm in "abc"]
    means = {(row["arm"], row["test"]): row["dice"] for row in rows}
    compared = [row for row in rows if row["arm"] != "b"]
    for row in compared:
        assert row["difference"] == pytest.approx(row["dice"] - means["b", row["test"]])
    assert [row["p_holm"] for row in compared] == holm([row["p"] for row in compared])
    assert len(compared) == 4


def test_arms_with_their_own_test_lesions_are_compared_unpaired():
    fold = dataclasses.replace(OTHER, lesions=[[lesion(f"M{n}", f"Q{n}", 0.6 + n / 10) for n in range(3)]])
    rows = study_rows([REFERENCE, fold], "UNet++")
    assert rows[1]["significance_test"] == "Mann-Whitney"
    assert rows[1]["difference"] == pytest.approx(0.0)
    page = markdown(rows, ABOUT)
    assert [line[1] for line in table_of(page, 0)] == ["lesions (patients)", "4 (2)", "3 (3)"]
    assert "Mann-Whitney: U test" in page
    assert "Wilcoxon" not in page


def test_what_does_not_exist_is_absent():
    alone = ArmResult("a", "", [[lesion("L", "P", 0.8)]], [curve(1, math.nan)], OTHER.cost, {})
    row = study_rows([alone], "a")[0]
    for name in ("dice_sd", "dice_low", "dice_high", "p", "p_holm", "difference", "seconds_per_epoch", "paper_dice"):
        assert row[name] is None, name
    page = markdown([row], ABOUT)
    assert table_of(page, 0) == [
        ["arm", "Dice", "minus a", "ellipse in the box", "whole box"],
        ["a", ".800", "reference", ".600", ".500"],
    ]
    assert "s / epoch" not in page
    assert "Holm" not in page
    assert "published" not in page
    assert "nan" not in page.lower()
    assert "One seed" in page
    assert "1 lesion of 1 patient." in page


def test_seconds_are_averaged_over_the_seeds_that_have_them():
    two = dataclasses.replace(OTHER, curves=[curve(1, math.nan), curve(2, 6.0)])
    assert study_rows([two], "U-Net")[0]["seconds_per_epoch"] == 6


def test_main_table():
    page = markdown(study_rows([REFERENCE, OTHER], "UNet++"), ABOUT)
    headings, first, second = table_of(page, 0)
    assert dict(zip(headings, first, strict=True)) == {
        "arm": "UNet++",
        "Dice": ".700 ± .071 (.600 to .800)",
        "minus UNet++": "reference",
        "p (Holm)": "",
        "significance test": "",
        "effect size": "",
        "ellipse in the box": ".600",
        "whole box": ".500",
        "published, on other data": "paper: 92.92 ± .03 %",
    }
    assert second[1:6] == [".635 ± .021 (.520 to .750)", "-.065 (-.080 to -.050)", ".125", "Wilcoxon", "-1.00"]
    assert second[8] == ""


def test_further_tables():
    paper = {"precision": "92.33 ± .5", "jaccard": "87.05 ± .05"}
    page = markdown(study_rows([dataclasses.replace(REFERENCE, paper=paper), OTHER], "UNet++"), ABOUT)
    # Dice .9, .8, .7, .6, .5 is Jaccard .8182, .6667, .5385, .4286, .3333.
    assert table_of(page, 1)[1] == [
        "UNet++",
        ".650 ± .071 (.550 to .750)",
        ".750 ± .071 (.650 to .850)",
        ".552 ± .086 (.432 to .672)",
        "10.0 ± 0.0 (10.0 to 10.0)",
        "paper: 92.33 ± .5 / none / 87.05 ± .05 %",
    ]
    headings, first, _ = table_of(page, 2)
    assert dict(zip(headings, first, strict=True)) == {
        "arm": "UNet++",
        "training loss": ".100",
        "training Dice": ".900",
        "validation loss": ".200",
        "validation Dice": ".800",
        "best epoch": "1.5 of 3",
        "parameters": "604,260",
        "multiply-adds": "6.12 G",
        "s / epoch": "4.0",
        "ms / lesion": "12.3",
    }


def test_several_tests_stand_in_a_column_and_training_once_an_arm():
    page = markdown(study_rows(study(["a", "b"], ("0 %", "10 %")), "a"), ABOUT | {"test": "box displaced by"})
    assert [line[:2] for line in table_of(page, 0)] == [
        ["arm", "box displaced by"],
        ["a", "0 %"],
        ["b", "0 %"],
        ["a", "10 %"],
        ["b", "10 %"],
    ]
    assert [line[0] for line in table_of(page, 2)] == ["arm", "a", "b"]


def test_the_page_says_where_it_comes_from():
    page = markdown(study_rows([REFERENCE, OTHER], "UNet++"), ABOUT)
    said = [ABOUT[name] for name in ("name", "description", "command")]
    for value in (*said, *ORIGIN, *ORIGIN.values(), "4 lesions of 2 patients", "Seeds of an arm: 2."):
        assert str(value) in page
    unknown = ABOUT | {"origin": ORIGIN | {"SHA-256 of its table": None}}
    for absent in ("SHA-256 of its table", "a" * 64, "None"):
        assert absent not in markdown(study_rows([OTHER], "U-Net"), unknown)


def test_a_bar_in_a_name_does_not_break_the_table():
    page = markdown(study_rows([arm_result("Wiener | CLAHE", [[0.5, 0.6]])], "Wiener | CLAHE"), ABOUT)
    assert r"| Wiener \| CLAHE | .550 |" in page


def test_csv_holds_every_number_in_full(tmp_path: Path):
    rows = study_rows([REFERENCE, OTHER], "UNet++")
    write_csv(tmp_path / "table.csv", as_csv(rows))
    first = (tmp_path / "table.csv").read_bytes()
    write_csv(tmp_path / "table.csv", as_csv(study_rows([REFERENCE, OTHER], "UNet++")))
    assert (tmp_path / "table.csv").read_bytes() == first
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == list(COLUMNS)
    for row, texts in zip(rows, read, strict=True):
        assert [float(text) for text in texts.pop("dice_of_seeds").split(" ")] == row["dice_of_seeds"]
        for name, text in texts.items():
            value = row[name]
            assert (float(text) if isinstance(value, (int, float)) else text) == ("" if value is None else value), name


def test_page_does_not_change_from_run_to_run():
    assert len({markdown(study_rows([REFERENCE, OTHER], "UNet++"), ABOUT) for _ in range(2)}) == 1


def test_a_metric_of_the_vocabulary_is_a_column_by_itself():
    page = markdown(study_rows([REFERENCE, OTHER], "UNet++"), ABOUT)
    shown = [cell for number in range(2) for cell in table_of(page, number)[0]]
    for name, metric in METRICS.items():
        heading = baseline_label(name) if metric.baseline else metric.heading
        assert (heading in shown) == (name in COLUMNS) == (metric.studied or metric.baseline)


def test_reference_that_is_no_arm():
    with pytest.raises(InputError, match=r"^reference 'u-net': no arm of this study; expected one of UNet\+\+, U-Net$"):
        study_rows([REFERENCE, OTHER], "u-net")
    with pytest.raises(InputError, match=r"no arm of test 10 %; expected one of U-Net"):
        study_rows([REFERENCE, dataclasses.replace(OTHER, test="10 %")], "UNet++")


def test_seeds_with_different_lesions():
    with pytest.raises(
        InputError, match=r"^arm a: seed number 2 was tested on other lesions than the first \(1 and 2\)"
    ):
        study_rows([arm_result("a", [[0.5, 0.6], [0.5]])], "a")


def test_the_guide_explains_every_column():
    assert all(COLUMNS.values())
    columns_table = text_table(("column", "what it is"), [(f"`{name}`", what) for name, what in COLUMNS.items()])
    assert columns_table in (ROOT / "bundle" / "docs" / "studies.md").read_text()
