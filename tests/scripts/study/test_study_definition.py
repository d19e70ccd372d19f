from __future__ import annotations

import json
from pathlib import Path

import pytest

from custom.errors import InputError
from scripts.study.definition import STUDIES, read_study
from scripts.study.plan import arm_settings, merged_config, plan, varied_ids

NAMES = sorted(file.stem for file in STUDIES.glob("*.json"))


def write(file: Path, **changes: object) -> str:
    content = {"description": "Two arms", "reference": "a", "arms": {"a": {}, "b": {"margin": 0.5}}}
    file.write_text(json.dumps({name: value for name, value in (content | changes).items() if value is not None}))
    return str(file)


def test_every_study_of_the_paper_is_there():
    assert set(NAMES) >= {
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
        assert settings["epochs"] == {"released": 50, "paper's setting": 22}.get(arm, 100)
        assert settings["split"] == study.arms[arm].get("split", "patient")


def test_arms_of_one_size_are_compared_on_displaced_boxes():
    study = read_study("robustness")
    paper, default = (merged_config(study.config_files(arm)) | study.overrides(arm) for arm in study.arms)
    assert [paper[name] for name in ("image_size", "features")] == [
        default[name] for name in ("image_size", "features")
    ]
    assert (paper.get("box_jitter"), paper["margin"], paper["split"]) == (None, 0.2, "patient")


# What `options/displaced_boxes.json` changes.
DISPLACED = {"box_jitter", "lesion_crop", "context_crop", "drawn_crop", "train"}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "robustness"])
def test_a_study_varies_one_thing(name: str):
    study = read_study(name)
    expected = {
        "filters": {"wiener", "clahe"},
        "networks": {"network_name", "network_def"},
        "improvements": {*DISPLACED, "margin", "box_channel", "deep_supervision"}
        | {"loss", "averaging", "validated_network", "ema_decay", "augmentations", "network_def"},
        "jitter": DISPLACED,
    }
    expected["sizes"] = {"features", "image_size"}
    others = {"artifacts": "remove_artifacts", "folds": "split"}
    assert varied_ids(study) == expected.get(name, {others.get(name, name)})


def test_an_improvement_is_one_change():
    study = read_study("improvements")
    for arm, overrides in study.arms.items():
        files = overrides.get("config_file", [])
        switches = {name: value for name, value in overrides.items() if name != "config_file"}
        changes = [*files[1:], *switches] if "options/displaced_boxes.json" in files else ["exact boxes"]
        assert len(changes) == (arm != study.reference)
    assert all(test["part"] == "validation" for test in study.tests.values())


def test_the_arms_are_those_of_the_paper():
    values = {name: [arm[name] for arm in read_study(name).arms.values()] for name in ("learning_rate", "batch_size")}
    assert values == {"learning_rate": [1e-4, 1e-3, 5e-3, 1e-2, 5e-2], "batch_size": [4, 8, 16, 32, 64]}
    assert [arm["margin"] for arm in read_study("margin").arms.values()] == [0, 0.1, 0.2, 0.5, 1]
    tests = read_study("jitter").tests
    assert [test["box_displacement"] for test in tests.values()] == [0, 0.05, 0.1, 0.2, 0.3]


def test_config_files_of_all_arms_come_before_those_of_one(tmp_path: Path):
    arms = {"a": {}, "b": {"config_file": ["paper.json"]}}
    study = read_study(write(tmp_path / "own.json", config_file=["options/cosine.json"], arms=arms))
    assert [Path(file).name for file in study.config_files("b")] == ["train.json", "cosine.json", "paper.json"]


def test_an_arm_may_have_tests_of_its_own(tmp_path: Path):
    tests = {"0 %": {"box_displacement": 0.0}, "10 %": {"box_displacement": 0.1}}
    study = read_study(write(tmp_path / "own.json", tests=tests, arms={"a": {}, "b": {"tests": ["10 %"]}}))
    assert list(study.tests_of("a")) == ["0 %", "10 %"]
    assert study.tests_of("b") == {"10 %": {"box_displacement": 0.1}}
    assert study.overrides("b") == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reference": "c"}, "found 'c' as reference or under paper, expected one of the arms a, b"),
        ({"arms": None}, "arms: field required"),
        ({"arms": {"a": 3}}, r"arms.a: input should be an object"),
        ({"arm": {}}, "arm: extra inputs are not permitted"),
        ({"paper": {"c": {"dice": "92"}}}, "found 'c' as reference or under paper, expected one of the arms a, b"),
        (
            {"paper": {"a": {"Dice": "92.92"}}},
            "arm a: paper's figure for 'Dice'; expected one of dice, precision, recall, jaccard, ",
        ),
        (
            {"paper": {"a": {"dice": "about 92"}}},
            "arm a: paper's figure 'about 92' for dice; expected a number such as",
        ),
        ({"arms": {"a": {}, "b": {"tests": ["x"]}}}, "arm 'b': found test 'x', expected one of "),
        ({"arms": {"a": {"tests": 3}, "b": {}}}, "arms.a.tests: input should be a valid "),
        ({"arms": {"a": {}, "b": {"config_file": "network_unet.json"}}}, "arms.b.config_file: input should be a valid"),
        ({"tests": {}}, "tests: dictionary should have at least 1 item"),
        ({"arms": {"a": {"tests": []}, "b": {}}}, "arm 'b': the reference 'a' is not put to test ''"),
        ({"arms": {"a": {}, "< 0.5": {}, "> 0.5": {}}}, "arms: the name '< 0.5' gives the folder '0.5'"),
        ({"arms": {"a": {}, "малый": {}}}, "arms: the name 'малый' gives the folder ''"),
        ({"tests": {"0 %": {}, "0": {}}}, "tests: the name '0 %' gives the folder '0'"),
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
        ({"marginn": 0.5}, "arm 'b': --marginn: train.json, cosine.json has no such setting; did you mean --margin"),
        ({"margin": "wide"}, "arm 'b': --margin: found 'wide', expected a valid number"),
        ({"seed": 3}, "arm 'b': --seed: is set by the study for each run"),
        ({"config_file": ["network_none.json"]}, "network_none.json: no such config file"),
        ({"split": "official"}, r"official.json: no such datalist; --split takes fold0"),
        ({"val_interval": 101}, "--val_interval: found 101, expected at most the 100 epochs"),
        ({"config_file": ["networks/unet.json"], "head": 2}, "--head: found 2, but the network is unet"),
    ],
)
def test_a_faulty_arm_is_told_before_anything_is_trained(tmp_path: Path, dataset: Path, arm: dict, expected: str):
    study = read_study(write(tmp_path / "own.json", config_file=["options/cosine.json"], arms={"a": {}, "b": arm}))
    with pytest.raises(InputError, match=expected):
        arm_settings(study, "b", str(dataset), "patient", {})


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"box_displacment": 0.1}, "arm 'a', test 't': --box_displacment: .* did you mean --box_displacement"),
        ({"box_displacement": "wide"}, "arm 'a', test 't': --box_displacement: found 'wide', expected a valid number"),
        ({"evaluation_dir": "x"}, "arm 'a', test 't': --evaluation_dir: is set by the study for each evaluation"),
        ({"model": "x"}, "arm 'a', test 't': --model: is set by the study for each evaluation"),
    ],
)
def test_a_faulty_test_is_told_before_anything_is_trained(tmp_path: Path, dataset: Path, test: dict, expected: str):
    study = read_study(write(tmp_path / "own.json", tests={"t": test}))
    with pytest.raises(InputError, match=expected):
        arm_settings(study, "a", str(dataset), "patient", {})


def test_a_config_file_says_the_split_where_nobody_else_does(tmp_path: Path, dataset: Path):
    study = read_study(write(tmp_path / "own.json", arms={"a": {}, "b": {"config_file": ["paper.json"]}}))
    assert [arm_settings(study, arm, str(dataset), None, {})["split"] for arm in study.arms] == ["patient", "paper"]
    assert arm_settings(study, "b", str(dataset), "fold0", {})["split"] == "fold0"
    assert arm_settings(study, "b", str(dataset), None, {"val_interval": 5})["val_interval"] == 5


@pytest.mark.parametrize(
    ("name", "switches", "expected"),
    [
        ("networks", {"network_def": {}}, "--network_def: is what the arms of study networks differ in"),
        ("networks", {"deep_supervision": True}, "arm 'U-Net': --deep_supervision: found True"),
        ("deep_supervision", {"head": 2}, "--head: is what the tests of study deep_supervision differ in"),
        ("filters", {"amp": True}, "--amp: is set by the study for each run"),
    ],
)
def test_switches_that_the_study_cannot_take(name: str, switches: dict, expected: str, dataset: Path, tmp_path: Path):
    with pytest.raises(InputError, match=expected):
        plan(read_study(name), tmp_path, str(dataset), None, 1, switches)


def test_paths_of_a_plan_are_absolute(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    jobs = plan(read_study("filters"), tmp_path / "studies" / "filters", str(dataset), None, 2, {"cache_dir": "cache"})
    assert [(job.arm, job.seed) for job in jobs[3:5]] == [("both", 0), ("none", 1)]
    assert jobs[0].settings["cache_dir"] == str(tmp_path / "cache")
