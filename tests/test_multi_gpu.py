"""Training in two processes, started by `torchrun` as a user starts it; Gloo on the CPU in place of NCCL on GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray
from test_bad_input import refused

from custom.runs.settings import switches
from scripts.prepare.manifest import prepare_manifest
from tests.helpers import ROOT, SMALL, TRAIN, scalars, write_manifest

pytestmark = pytest.mark.slow

MULTI_GPU = TRAIN.replace("train.json", "multi_gpu_train.json")
PROCESSES = 2
BATCH_NORM = {
    "_target_": "custom.networks.FinalHead",
    "network": {
        "_target_": "BasicUNetPlusPlus",
        "spatial_dims": 2,
        "in_channels": "@in_channels",
        "out_channels": 1,
        "features": "@features",
        "norm": "batch",
    },
}


def launch(**flags: object) -> subprocess.CompletedProcess:
    """Run `torchrun ... -m monai.bundle run training` with two processes."""
    torchrun = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(PROCESSES), "-m"]
    given = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    return subprocess.run(
        [sys.executable, "-m", *torchrun, "monai.bundle", "run", "training", *given],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14 lesions to train on and 5 to validate, so that one process validates two batches of two, the other one."""
    folder = tmp_path_factory.mktemp("data")
    prepare_manifest(str(write_manifest(folder / "raw")), str(folder / "prepared"), copy=True)
    datalist = folder / "prepared" / "datalists" / "patient.json"
    content = json.loads(datalist.read_text())
    content["validation"].append(content["training"].pop())
    content["training"].pop()
    assert (len(content["training"]), len(content["validation"])) == (14, 5)
    datalist.write_text(json.dumps(content))
    return folder / "prepared"


@pytest.fixture(scope="module")
def run(dataset_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of two epochs, resumed for a third, by a network with batch normalisation."""
    folder = tmp_path_factory.mktemp("runs")
    observer = {"_target_": "observer.Observer", "folder": str(folder)}
    observer |= {"optimizer": "@optimizer", "network": "@network_def", "evaluator": "@validate#evaluator"}
    (folder / "observe.json").write_text(json.dumps({"+train#handlers": [observer]}))
    # A cosine would begin anew with the third epoch.
    switches = SMALL | {"batch_size": "2", "network_def": json.dumps(BATCH_NORM)}
    where = {"dataset_dir": dataset_dir, "output_dir": folder, "run_name": "run"}
    configs = [TRAIN, MULTI_GPU, str(folder / "observe.json")]
    for flags in (
        {"config_file": configs} | switches | where,
        {"args_file": folder / "run" / "training.json", "resume": folder / "run", "epochs": 3},
    ):
        done = launch(**flags)
        assert done.returncode == 0, done.stderr
    return folder / "run"


def observed(run: Path, epoch: int) -> list[dict[str, Any]]:
    return [torch.load(run.parent / f"epoch_{epoch}_rank_{rank}.pt", weights_only=False) for rank in range(PROCESSES)]


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_all_processes_hold_the_same(run: Path, epoch: int):
    first, second = observed(run, epoch)
    assert first["learning_rates"] == second["learning_rates"] == [0.001]
    assert first["metrics"] == second["metrics"]
    assert first["best"] == second["best"]
    torch.testing.assert_close(first["network"], second["network"], rtol=0, atol=0)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_the_processes_share_the_lesions(run: Path, dataset_dir: Path, epoch: int):
    datalist = json.loads((dataset_dir / "datalists" / "patient.json").read_text())
    shares = [state["lesions"] for state in observed(run, epoch)]
    assert [len(share) for share in shares] == [7, 7]
    assert sorted(chain(*shares)) == sorted(lesion["lesion_id"] for lesion in datalist["training"])


def test_one_process_writes(run: Path):
    assert {file.name for file in run.iterdir() if "tfevents" not in file.name} == {
        "training.json",
        "evaluating.json",
        "inference.json",
        "model.pt",
        "last.pt",
    }
    # One file of the training, one of the resumed training.
    assert len(list(run.glob("*tfevents*"))) == 2
    assert all(len(values) == 3 for values in scalars(run).values())
    assert len(list((run.parent / "cache").glob("*.pt"))) == 14 + 5


def test_the_precision_recall_curve_is_that_of_all_processes(run: Path):
    events = EventAccumulator(str(run))
    events.Reload()
    curves = events.Tensors("validation/precision_recall")
    assert [event.step for event in curves] == [1, 2, 3]
    for event in curves:
        tp, fp = make_ndarray(event.tensor_proto)[:2, 0]
        assert tp + fp == 5 * 32 * 32


def test_the_checkpoints_hold_the_bare_network_of_all_processes(run: Path):
    last = torch.load(run / "last.pt")
    torch.testing.assert_close(last["network"], observed(run, 3)[1]["network"], rtol=0, atol=0)
    best = observed(run, last["best"]["epoch"])[1]
    torch.testing.assert_close(torch.load(run / "model.pt"), best["network"], rtol=0, atol=0)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_the_metrics_are_those_of_one_process(run: Path, epoch: int):
    args = json.loads((run / "evaluating.json").read_text())
    parser = ConfigParser()
    parser.read_config(TRAIN)
    parser.update({name: args[name] for name in switches(parser) if name in args})
    parser.update({"network_def": BATCH_NORM, "validate#handlers": None})
    state = observed(run, epoch)[0]
    evaluator = parser.get_parsed_content("validate#evaluator")
    evaluator.network.load_state_dict(state["network"])
    evaluator.run()
    assert len(evaluator.state.metrics) == 6
    assert state["metrics"] == pytest.approx(evaluator.state.metrics, abs=1e-6)
    written = {name: values[epoch - 1] for name, values in scalars(run).items() if name in evaluator.state.metrics}
    assert written == pytest.approx(evaluator.state.metrics, abs=1e-6)


def test_one_process_evaluates_and_predicts(run: Path, as_program: Callable):
    as_program("monai.bundle", "run", args_file=run / "evaluating.json", bootstrap_samples=10)
    summary = json.loads((run / "evaluation" / "prepared_patient" / "summary.json").read_text())
    assert (summary["settings"]["batch_size"], summary["settings"]["processes"]) == (2, PROCESSES)
    as_program("monai.bundle", "run", args_file=run / "inference.json")


def test_another_number_of_processes_is_refused(run: Path, train: Callable, as_program: Callable, dataset_dir: Path):
    with_torchrun = refused(as_program, "monai.bundle", "run", args_file=run / "training.json")
    assert "multi_gpu_train.json: not started by torchrun" in with_torchrun
    assert "--processes: found 2, expected the number that train, 1" in refused(train, dataset_dir, processes=2)
    resumed = SMALL | {"batch_size": 2, "epochs": 4, "resume": run}
    assert "was trained with processes 2, found 1" in refused(train, dataset_dir, "", **resumed)


def test_an_input_error_of_one_process_ends_all_with_one_line(dataset_dir: Path, tmp_path: Path):
    # The fourth lesion of the validation is the second process's last; the first is done then, and must wait.
    datalist = json.loads((dataset_dir / "datalists" / "patient.json").read_text())
    image = dataset_dir / datalist["validation"][3]["image"]
    content = image.read_bytes()
    image.write_bytes(content[: len(content) // 2])
    where = {"dataset_dir": dataset_dir, "output_dir": tmp_path / "runs"}
    done = launch(config_file=[TRAIN, MULTI_GPU], **SMALL | where)
    image.write_bytes(content)
    assert [line for line in done.stderr.splitlines() if line.startswith("Error: ")] == [
        next(line for line in done.stderr.splitlines() if line.startswith(f"Error: {image}: cannot be decoded"))
    ]
    # `torchrun` ends with its own report, whose root cause is the process that found the error.
    assert done.stderr.count("Traceback") == 1
    assert "rank      : 1 (local_rank: 1)\n  exitcode  : 2" in done.stderr.split("Root Cause")[1]
    assert not (tmp_path / "runs").exists() or [file.name for file in (tmp_path / "runs").iterdir()] == ["cache"]
