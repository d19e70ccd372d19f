"""Studies as a user runs them, on phantoms and at toy size."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.utils import set_determinism
from PIL import Image

from custom.data import PARTS
from custom.errors import InputError
from custom.files import read_json
from scripts.phantoms import phantoms
from scripts.prepare.manifest import prepare_manifest
from scripts.study.command import study_training
from scripts.study.definition import read_study
from scripts.study.job import run_job
from scripts.study.plan import plan
from scripts.study.table import COLUMNS
from tests.helpers import SMALL

pytestmark = pytest.mark.slow

TOY = {name: json.loads(value) for name, value in SMALL.items()}


@pytest.fixture(scope="module")
def phantom_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    phantoms(str(folder / "raw"), layout="manifest", patients=10, image_size=[160, 240])
    prepare_manifest(str(folder / "raw" / "manifest.csv"), str(folder / "prepared"))
    return folder / "prepared"


def states(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(file.relative_to(folder)): (file.stat().st_mtime_ns, file.read_bytes())
        for file in folder.rglob("*")
        if file.is_file()
    }


def check_tables(folder: Path, rows: list[dict[str, str]]) -> None:
    texts = {"arm", "test", "reference", "significance_test", "dice_of_seeds", *(c for c in COLUMNS if "paper_" in c)}
    for row in rows:
        assert list(row) == list(COLUMNS)
        numbers = {name: float(value) for name, value in row.items() if name not in texts and value != ""}
        assert all(np.isfinite(value) for value in numbers.values())
        for name in ("dice", "precision", "recall", "jaccard", "dice_ellipse", "dice_all_foreground", "val_dice"):
            assert 0 <= numbers[name] <= 1
        assert numbers["dice_low"] <= numbers["dice"] <= numbers["dice_high"]
        assert numbers["parameters"] == int(numbers["parameters"]) > 1000
        assert numbers["multiply_adds"] > numbers["parameters"]
        assert (numbers["seeds"], numbers["epochs"]) == (2, 2)
        assert numbers["seconds_per_epoch"] > 0
        assert (row["arm"] == row["reference"]) == (row["p_holm"] == "")
    table = (folder / "table.md").read_text()
    assert all(f"| {row['arm']} |" in table for row in rows)
    assert "python -m scripts study " in table
    assert str(folder) not in table
    with Image.open(folder / "figure.png") as figure:
        assert figure.width > 500


def test_more_seeds_later_and_tests_of_the_same_runs(phantom_dataset: Path, tmp_path: Path):
    definition = {
        "description": "Tests",
        "reference": "exact",
        "arms": {"exact": {}},
        "tests": {"0 %": {"box_displacement": 0.0}, "20 %": {"box_displacement": 0.2}},
    }
    (tmp_path / "own.json").write_text(json.dumps(definition))
    place = {"dataset_dir": str(phantom_dataset), "split": "fold0", "output_dir": str(tmp_path / "studies")}
    document = tmp_path / "results.md"
    document.write_text("<!-- study own -->\n<!-- end own -->\n")
    study_training(str(tmp_path / "own.json"), **place, **TOY)
    folder = tmp_path / "studies" / "own"
    before = states(folder / "runs")
    study_training(str(tmp_path / "own.json"), **place, **TOY, seeds=2, document=str(document))
    after = states(folder / "runs")
    assert after.items() >= before.items()
    assert {Path(file).parts[0] for file in after.keys() - before.keys()} == {"exact_seed1"}
    with (folder / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["test"] for row in rows] == ["0 %", "20 %"]
    check_tables(folder, rows)
    assert all(len(row["dice_of_seeds"].split()) == 2 for row in rows)
    assert float(rows[0]["dice_ellipse"]) > float(rows[1]["dice_ellipse"])
    assert "study own --dataset_dir" not in document.read_text()  # a file of one's own is named as it was given
    assert "results_own.png" in document.read_text()
    assert "synthetic prepared" in document.read_text()

    with pytest.raises(InputError, match=r'has results of switches .*"epochs": 2.*found .*"epochs": 3.*--output_dir'):
        study_training(str(tmp_path / "own.json"), **place, **{**TOY, "epochs": 3})
    for changed, expected in (
        ({"arms": {"exact": {"margin": 0.5}}}, r"has results of arm 'exact' .*found .*\"margin\": 0.5"),
        ({"tests": {"0 %": {"threshold": 0.4}}}, r"has results of test '0 %' .*0.0.*found .*0.4"),
    ):
        (tmp_path / "own.json").write_text(json.dumps(definition | changed))
        with pytest.raises(InputError, match=expected):
            study_training(str(tmp_path / "own.json"), **place, **TOY)
    added = definition | {"arms": {"exact": {}, "wide": {"marginn": 0.5}}}
    (tmp_path / "own.json").write_text(json.dumps(added))
    with pytest.raises(InputError, match="arm 'wide': --marginn"):
        study_training(str(tmp_path / "own.json"), **place, **TOY)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"wiener": False}, "--wiener: is what the arms of study filters differ in"),
        ({"seed": 3}, "--seed: is set by the study for each run"),
        ({"seeds": 0}, "--seeds: found 0, expected at least 1"),
        ({"epoch": 3}, "--epoch: train.json has no such setting; did you mean --epochs"),
        ({"split": "table"}, r"table.json: no such datalist"),
    ],
)
def test_a_faulty_call_is_told_before_anything_is_written(
    flags: dict, expected: str, phantom_dataset: Path, tmp_path: Path
):
    with pytest.raises(InputError, match=expected):
        study_training("filters", str(phantom_dataset), output_dir=str(tmp_path), **flags)
    assert os.listdir(tmp_path) == []


def test_an_arm_goes_on_after_its_last_epoch(phantom_dataset: Path, tmp_path: Path):
    study = read_study("filters")
    whole, first = (
        plan(study, tmp_path / name, str(phantom_dataset), None, 1, {**TOY, "epochs": epochs})[0]
        for name, epochs in (("whole", 3), ("parts", 1))
    )
    for job in (whole, first, replace(first, settings={**first.settings, "epochs": 3})):
        run_job(replace(job, tests={}))
    assert re.findall(r"SupervisedTrainer: Epoch\[(\d)\] Complete", first.log_file.read_text()) == ["1", "2", "3"]
    for file in ("model.pt", "last.pt"):
        expected = torch.load(whole.run_dir / file)
        torch.testing.assert_close(torch.load(first.run_dir / file), expected, rtol=0, atol=0)


def test_an_arm_that_fails_says_where_to_look(phantom_dataset: Path, tmp_path: Path, scheduler: str):
    definition = {"description": "x", "reference": "a", "arms": {"a": {"train#trainer#max_epochs": "many"}}}
    (tmp_path / "own.json").write_text(json.dumps(definition))
    with pytest.raises(InputError, match=r"logs/a_seed0.log: training of arm 'a' with seed 0 ended with exit code 1"):
        study_training(
            str(tmp_path / "own.json"), str(phantom_dataset), output_dir=str(tmp_path), scheduler=scheduler, **TOY
        )


def test_each_fold_starts_from_the_weights_of_the_seed(phantom_dataset: Path, tmp_path: Path, as_program: Callable):
    # A step of 1e-60 changes no weight, so that the model that was kept is the one that the training began with.
    study = read_study("folds")
    switches = {**TOY, "epochs": 1, "learning_rate": 1e-60}
    jobs = plan(study, tmp_path / "folds", str(phantom_dataset), "patient", 2, switches)
    hashes: dict[int, set[str]] = {0: set(), 1: set()}
    for job in jobs:
        if job.seed == 0 or job.arm == "fold 0":
            as_program("monai.bundle", "run", args_file=job.write_args())
            hashes[job.seed].add(hash_weights(torch.load(job.run_dir / "model.pt")))
    for seed, found in hashes.items():
        parser = ConfigParser()
        parser.read_config(jobs[0].config_files)
        parser.update({"features": TOY["features"]})
        set_determinism(seed)
        assert found == {hash_weights(parser.get_parsed_content("network_def").state_dict())}
    assert hashes[0] != hashes[1]


def hash_weights(state: dict[str, torch.Tensor]) -> str:
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in state.values())).hexdigest()


def test_no_patient_is_in_two_folds(phantom_dataset: Path):
    folds = [arm["split"] for arm in read_study("folds").arms.values()]
    tested = []
    for fold in folds:
        content = read_json(phantom_dataset / "datalists" / f"{fold}.json")
        patients = [{lesion["patient_id"] for lesion in content[part]} for part in PARTS]
        assert sum(map(len, patients)) == len(set.union(*patients)) == 10
        tested.append(patients[PARTS.index("test")])
    assert sum(map(len, tested)) == len(set.union(*tested)) == 10
