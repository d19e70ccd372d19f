from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.report.blocks import Table, Text
from scripts.report.reading import read_run
from scripts.report.run_card import ROOT, evaluating_command, run_card
from tests.scripts.report.bare_run import evaluation, lesion, run_of
from tests.scripts.report.pictured_run import write_curves, write_run


def test_a_card_says_what_the_run_was(tmp_path: Path, dataset: Path):
    folder = write_run(tmp_path / "runs" / "first", dataset, model=str(tmp_path / "runs" / "first" / "model.pt"))
    write_curves(folder, {"train/loss": [0.5, 0.4], "validation/dice": [0.8, 0.75]})
    card, *_ = run_card(read_run(folder, []))
    assert isinstance(card, Table)
    told = {name: value for name, value in card.rows}
    assert told["run"] == "first"
    assert (told["data set"], told["split"], told["seed"]) == ("prepared", "patient", "3")
    assert told["test"] == "4 lesions of 2 patients"
    assert told["evaluated on prepared, split patient"] == "4 lesions of 2 patients"
    assert (told["network"], told["parameters"]) == ("unetpp", "340,501")
    assert told["filters"] == "Wiener, window 3; CLAHE, clip limit 2, 8 x 8 tiles"
    assert told["crop"] == "square, margin 20 % of the box, 32 x 32 pixels"
    assert told["epochs"] == "2 of 2"
    assert told["epoch whose model was kept"] == "1, where the Dice of the validation was highest: .800"
    assert (told["learning_rate"], told["head"], told["model"]) == ("0.002", "4", "model.pt")
    assert told["versions at the evaluation"] == "bundle 0.1.0, monai 1.6.1"
    assert len(told["SHA-256 of the datalist"]) == 64


def test_a_card_of_a_run_without_data_or_events():
    card, *_ = run_card(run_of())
    assert isinstance(card, Table)
    told = {name: value for name, value in card.rows}
    assert (told["data set"], told["split"], told["epochs"]) == ("small", "patient", "2")
    assert "parameters" not in told
    assert "test" not in told


@pytest.mark.parametrize("study", [False, True])
def test_commands_repeat_the_run(tmp_path: Path, dataset: Path, study: bool):
    folder = tmp_path / ("studies/my arms/runs" if study else "runs") / "first"
    write_run(folder, dataset)
    if study:
        (tmp_path / "studies" / "my arms" / "table.md").write_text("")
    place = "'studies/my arms/runs/first'" if study else "runs/first"
    commands = [block.text for block in run_card(read_run(folder, [])) if isinstance(block, Text) and block.command]
    assert commands == [
        f"python -m monai.bundle run {task} --args_file {place}/{task}.json --dataset_dir data/prepared"
        for task in ("training", "evaluating")
    ]


@pytest.mark.parametrize("dataset_dir", ["demo/cbis_ddsm", str(ROOT / "demo" / "cbis_ddsm")])
def test_commands_name_the_places_that_lie_in_the_repository(dataset_dir: str):
    of_demo = evaluation("e", [lesion(0)], dataset_dir=dataset_dir)
    run = replace(run_of(of_demo), folder=ROOT / "demo" / "runs" / "demo_1")
    run.args["dataset_dir"] = dataset_dir
    commands = [block.text for block in run_card(run) if isinstance(block, Text) and block.command]
    assert commands == [
        f"python -m monai.bundle run {task} --args_file demo/runs/demo_1/{task}.json --dataset_dir demo/cbis_ddsm"
        for task in ("training", "evaluating")
    ]


def test_a_command_names_what_the_evaluation_changed():
    changed = evaluation("e", [lesion(0)], dataset_dir="/x/my set", split="test", box_displacement=0.1, head=2)
    command = evaluating_command(run_of(), changed)
    assert command.endswith("--dataset_dir 'data/my set' --split test --box_displacement 0.1 --head 2")
