from __future__ import annotations

import json
from pathlib import Path

import pytest

from custom.errors import InputError
from custom.runs.settings import CommandLine, check_values


def test_the_command_line_is_read_as_fire_reads_it():
    command = CommandLine.parse(
        [
            "run",
            "training",
            "--config_file",
            "['a.json','b.json']",
            "--batch-size",
            "8",
            "--learning_rate=1e-4",
            "--image_size",
            "[1,2]",
            "--margin",
            "-0.5",
            "--clahe",
            "--train::trainer::max_epochs=3",
        ]
    )
    assert command.config_files == ["a.json", "b.json"]
    assert command.overrides == {
        "batch_size": 8,
        "learning_rate": 1e-4,
        "image_size": [1, 2],
        "margin": -0.5,
        "clahe": True,
        "train#trainer#max_epochs": 3,
    }


def test_the_command_line_goes_over_the_args_file(tmp_path: Path):
    args = tmp_path / "training.json"
    args.write_text(json.dumps({"run_id": "training", "config_file": ["a.json"], "epochs": 3, "seed": 1}))
    command = CommandLine.parse(["run", "--args_file", str(args), "--epochs", "5"])
    assert command.config_files == ["a.json"]
    assert command.overrides == {"epochs": 5, "seed": 1}


@pytest.mark.parametrize("content", [None, "{"])
def test_an_args_file_that_cannot_be_read(tmp_path: Path, content: str | None):
    args = tmp_path / "training.json"
    if content is not None:
        args.write_text(content)
    with pytest.raises(InputError, match="not a readable JSON file"):
        CommandLine.parse(["--args_file", str(args)])


def test_good_settings_pass():
    check_values({"epochs": 3, "learning_rate": 1, "clahe": True, "image_size": [64, 32], "resume": ""})


def test_a_setting_that_has_no_kind_is_refused():
    with pytest.raises(InputError, match="--unknown"):
        check_values({"unknown": 3})
