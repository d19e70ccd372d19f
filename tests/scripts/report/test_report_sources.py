from __future__ import annotations

from pathlib import Path

import pytest

from scripts.common.results import mean_over_seeds
from scripts.report.blocks import NotThere
from tests.scripts.report.bare_run import evaluation, lesion, run_of
from tests.scripts.report.pictured_run import made_study

ROWS = [lesion(0), lesion(1)]
OWN = evaluation("small_patient", ROWS)
ELSEWHERE = evaluation("inbreast_test", ROWS, dataset_dir="/data/inbreast", split="test")
OFFICIAL = evaluation("a_official", ROWS, split="official")
DISPLACED = evaluation("a_displaced", ROWS, box_displacement=0.1)
FURTHER = evaluation("b_displaced", ROWS, box_displacement=0.3)
OTHER_HEAD = evaluation("a_head", ROWS, head=1)
OTHER_PLACE = evaluation("a_place", ROWS, dataset_dir="/moved/small", num_workers=7)


def test_own_data_come_first_and_displaced_boxes_are_left_out():
    given = run_of(DISPLACED, OTHER_HEAD, ELSEWHERE, OFFICIAL, OWN)
    assert [found.name for found in given.principal] == ["small_patient", "a_official", "inbreast_test"]
    assert given.suffix(OFFICIAL) == "_a_official"
    assert run_of(OWN, DISPLACED).suffix(OWN) == ""


@pytest.mark.parametrize(
    ("evaluations", "expected"),
    [
        ([FURTHER, DISPLACED], [DISPLACED]),
        ([OTHER_HEAD], [OTHER_HEAD]),
        ([OTHER_PLACE, OWN], [OWN, OTHER_PLACE]),
        ([], []),
        ([evaluation(f"t{n}", ROWS, dataset_dir=f"/data/{n}") for n in range(5)], None),
    ],
)
def test_what_is_shown_in_full(evaluations: list, expected: list | None):
    assert run_of(*evaluations).principal == (evaluations[:3] if expected is None else expected)


def test_a_title_names_what_is_unlike_the_training():
    assert run_of().title(ELSEWHERE) == "inbreast, split test"
    assert run_of().title(DISPLACED) == "small, split patient, box displacement 0.1"
    phantoms = evaluation("phantoms", ROWS)
    phantoms.summary["dataset"]["source"] = "synthetic mammograms in the form of CBIS-DDSM"
    assert run_of().title(phantoms) == "synthetic small, split patient"


def test_the_seeds_of_an_arm_are_averaged():
    other = evaluation("test", [lesion(1, 0.5), lesion(0, 0.7)])
    (first, second) = mean_over_seeds("arm", [OWN.lesions, other.lesions])
    assert (first["lesion_id"], first["density"]) == ("L_0", "2")
    assert first["dice"] == pytest.approx(0.8)
    assert second["dice"] == pytest.approx(0.7)


def test_the_first_test_of_a_study(tmp_path: Path, dataset: Path):
    study = made_study(tmp_path / "study", dataset, {"off": lambda truth, _: truth, "exact": lambda truth, _: truth})
    assert [found.name for of_arm in study.first_tests().values() for found in of_arm] == ["test", "test"]
    study.runs["off"][0].evaluations[-1].summary["dataset"]["source"] = "another"
    assert list(study.comparable_tests()) == ["exact"]
    study.runs["exact"].clear()
    assert list(study.first_tests()) == ["off"]
    with pytest.raises(NotThere, match="The runs of the reference, exact, are gone"):
        study.comparable_tests()
