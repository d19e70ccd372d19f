from __future__ import annotations

import json
from pathlib import Path

import pytest

from custom.errors import InputError
from scripts.study.definition import STUDIES, read_study
from scripts.study.training import arm_settings

NAMES = sorted(file.stem for file in STUDIES.glob("*.json"))


def write(file: Path, **changes: object) -> str:
    content = {"description": "Two arms", "reference": "a", "arms": {"a": {}, "b": {"margin": 0.5}}}
    file.write_text(json.dumps({name: value for name, value in (content | changes).items() if value is not None}))
    return str(file)


def test_every_study_of_the_paper_is_there():
    assert set(NAMES) == {
        "networks",
        "filters",
        "artifacts",
        "folds",
        "learning_rate",
        "batch_size",
        "margin",
        "jitter",
        "deep_supervision",
        "split",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_arm_of_every_study_can_be_trained(name: str, dataset: Path):
    study = read_study(name)
    for arm in study.arms:
        settings = arm_settings(study, arm, str(dataset), "patient", {})
        assert settings["epochs"] == 100
        assert settings["split"] == study.arms[arm].get("split", "patient")


@pytest.mark.parametrize("name", NAMES)
def test_a_study_varies_one_thing(name: str):
    study = read_study(name)
    varied = study.varied() | {"config_file" for arm in study.arms.values() if "config_file" in arm}
    assert len(varied) == (2 if name == "filters" else 1)


def test_the_arms_are_those_of_the_paper():
    values = {name: [arm[name] for arm in read_study(name).arms.values()] for name in ("learning_rate", "batch_size")}
    assert values == {"learning_rate": [1e-4, 1e-3, 5e-3, 1e-2, 5e-2], "batch_size": [4, 8, 16, 32, 64]}
    assert [arm["margin"] for arm in read_study("margin").arms.values()] == [0, 0.1, 0.2, 0.5, 1]
    tests = read_study("jitter").tests
    assert [test["box_displacement"] for test in tests.values()] == [0, 0.05, 0.1, 0.2, 0.3]


def test_an_arm_may_have_tests_of_its_own(tmp_path: Path):
    tests = {"0 %": {"box_displacement": 0.0}, "10 %": {"box_displacement": 0.1}}
    study = read_study(write(tmp_path / "own.json", tests=tests, arms={"a": {}, "b": {"tests": ["10 %"]}}))
    assert list(study.tests_of("a")) == ["0 %", "10 %"]
    assert study.tests_of("b") == {"10 %": {"box_displacement": 0.1}}
    assert study.overrides("b") == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reference": "c"}, "reference 'c'; expected one of the arms a, b"),
        ({"arms": None}, "arms: field required"),
        ({"arms": {"a": 3}}, r"arms.a: input should be an object"),
        ({"arm": {}}, "arm: extra inputs are not permitted"),
        ({"paper": {"c": {"dice": "92"}}}, "paper: 'c'; expected one of the arms a, b"),
        ({"arms": {"a": {}, "b": {"tests": ["x"]}}}, "arm 'b': test 'x'; expected one of "),
    ],
)
def test_a_faulty_file_is_told_in_one_line(tmp_path: Path, changes: dict, expected: str):
    file = write(tmp_path / "own.json", **changes)
    with pytest.raises(InputError, match=expected) as caught:
        read_study(file)
    assert "own.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_json_and_no_file(tmp_path: Path):
    (tmp_path / "own.json").write_text("{")
    with pytest.raises(InputError, match=r"own.json: the file: invalid JSON"):
        read_study(str(tmp_path / "own.json"))
    with pytest.raises(InputError, match=r"nothing: no such study; .* one of artifacts, batch_size, contrast, deep_"):
        read_study("nothing")


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        ({"marginn": 0.5}, "arm 'b': --marginn: train.json has no such setting; did you mean --margin"),
        ({"margin": "wide"}, "arm 'b': --margin: found 'wide', expected a valid number"),
        ({"seed": 3}, "arm 'b': --seed: is set by the study for each run"),
        ({"config_file": ["network_none.json"]}, "network_none.json: no such config file"),
        ({"split": "official"}, r"official.json: no such datalist; --split takes fold0"),
    ],
)
def test_a_faulty_arm_is_told_before_anything_is_trained(tmp_path: Path, dataset: Path, arm: dict, expected: str):
    study = read_study(write(tmp_path / "own.json", arms={"a": {}, "b": arm}))
    with pytest.raises(InputError, match=expected):
        arm_settings(study, "b", str(dataset), "patient", {})
