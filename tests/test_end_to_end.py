"""The main job, from a prepared data set to masks, as a user runs it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import ROOT, SMALL, TRAIN, scalars
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from scripts.prepare.manifest import prepare_manifest

COLUMNS = [
    "lesion_id",
    "patient_id",
    "laterality",
    "view",
    "birads",
    "density",
    "pathology",
    "dice",
    "jaccard",
    "precision",
    "recall",
    "hausdorff95",
    "tp",
    "fp",
    "fn",
    "tn",
    "dice_all_foreground",
    "dice_ellipse",
    "box_x0",
    "box_y0",
    "box_x1",
    "box_y1",
    "lesion_pixels",
]
SCALARS = {
    "train_loss",
    "train_dice",
    "val_loss",
    "val_dice",
    "val_jaccard",
    "val_precision",
    "val_recall",
    "val_pixel_accuracy",
}


def test_training_evaluation_and_inference(train: Callable, as_program: Callable, dataset: Path):
    run = train(dataset)
    assert {file.name for file in run.iterdir() if "tfevents" not in file.name} == {
        "training.json",
        "evaluating.json",
        "inference.json",
        "model.pt",
        "last.pt",
    }
    assert len(list(run.glob("*tfevents*"))) == 1
    assert set(scalars(run)) == SCALARS
    assert all(len(values) == 2 for values in scalars(run).values())
    events = EventAccumulator(str(run))
    events.Reload()
    assert len(events.Tags()["images"]) == 4

    as_program("monai.bundle", "run", "evaluating", args_file=run / "evaluating.json", bootstrap_samples=50)
    results = run / "evaluation" / "prepared_patient"
    with (results / "lesions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    tested = json.loads((dataset / "datalists" / "patient.json").read_text())["test"]
    assert [row["lesion_id"] for row in rows] == [lesion["lesion_id"] for lesion in tested]
    summary = json.loads((results / "summary.json").read_text())
    assert summary["lesions"] == len(tested)
    assert summary["per_lesion"]["dice"]["mean"] == pytest.approx(np.mean([float(row["dice"]) for row in rows]))
    assert summary["parameters"] == sum(value.numel() for value in torch.load(run / "model.pt").values())
    assert summary["settings"]["image_size"] == [32, 32]
    assert summary["dataset"]["split"] == "patient"

    as_program("monai.bundle", "run", "inference", args_file=run / "inference.json")
    for lesion in tested:
        name = f"{lesion['lesion_id']}.png"
        predicted, evaluated = (
            cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
            for folder in (run / "inference" / "prepared_patient", results / "predictions")
        )
        assert predicted.shape == cv2.imread(str(dataset / lesion["image"]), cv2.IMREAD_UNCHANGED).shape
        assert set(np.unique(predicted)) <= {0, 255}
        np.testing.assert_array_equal(predicted, evaluated)


def test_the_same_seed_gives_the_same_run_and_its_args_file_repeats_it(
    train: Callable, as_program: Callable, dataset: Path, tmp_path: Path
):
    first = train(dataset, "first", box_jitter=0.1, seed=3)
    second = train(dataset, "second", box_jitter=0.1, seed=3, num_workers=2)
    as_program("monai.bundle", "run", args_file=first / "training.json", run_name="third")
    other = train(dataset, "other", box_jitter=0.1, seed=4)
    assert scalars(first) == scalars(second) == scalars(tmp_path / "runs" / "third")
    assert scalars(first) != scalars(other)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(train: Callable, dataset: Path, tmp_path: Path):
    whole = train(dataset, "whole", epochs=4)
    parts = train(dataset, "parts", epochs=2)
    moved = Path(shutil.copytree(dataset, tmp_path / "moved", symlinks=True))
    train(moved, "", epochs=4, resume=parts)
    assert scalars(whole) == scalars(parts)
    for file in ("model.pt", "last.pt"):
        torch.testing.assert_close(torch.load(whole / file), torch.load(parts / file), rtol=0, atol=0)
    for name in ("training.json", "evaluating.json"):
        assert json.loads((parts / name).read_text())["epochs"] == 4
        assert json.loads((parts / name).read_text())["dataset_dir"] == str(moved)


def test_eight_lesions_can_be_learnt_by_heart(train: Callable, as_program: Callable, own_dataset: Path):
    # The tests' four patients have eight lesions; here they are training, validation and test at once.
    datalist = own_dataset / "datalists" / "patient.json"
    content = json.loads(datalist.read_text())
    lesions = [lesion for part in ("training", "validation", "test") for lesion in content[part]]
    assert len(lesions) == 8
    datalist.write_text(json.dumps(content | dict.fromkeys(("training", "validation", "test"), lesions)))
    switches = {"features": "[8,8,16,32,64,8]", "image_size": "[64,64]", "epochs": 40, "batch_size": 2}
    run = train(own_dataset, **switches, val_interval=5, learning_rate=0.003)
    as_program("monai.bundle", "run", args_file=run / "evaluating.json", bootstrap_samples=10)
    summary = json.loads((run / "evaluation" / "prepared_patient" / "summary.json").read_text())
    assert summary["per_lesion"]["dice"]["mean"] > 0.95


@pytest.mark.parametrize(
    "switches",
    [
        {"deep_supervision": True},
        {"wiener": False, "clahe": False, "margin": 0.5, "square": False},
        {"remove_artifacts": True, "split": "fold0"},
        {"config_file": [TRAIN, TRAIN.replace("train.json", "paper.json")], "split": "patient"},
    ],
)
def test_switches(train: Callable, as_program: Callable, dataset: Path, switches: dict):
    run = train(dataset, epochs=1, **switches)
    as_program("monai.bundle", "run", args_file=run / "evaluating.json", bootstrap_samples=10)
    as_program("monai.bundle", "run", args_file=run / "inference.json")
    (masks,) = (run / "inference").iterdir()
    (results,) = (run / "evaluation").iterdir()
    for mask in masks.iterdir():
        assert mask.read_bytes() == (results / "predictions" / mask.name).read_bytes()


@pytest.mark.parametrize("place", ["root", "bundle", "elsewhere"])
def test_it_runs_from_any_folder(place: str, dataset: Path, tmp_path: Path):
    folder, config, more = {
        "root": (ROOT, "bundle/configs/train.json", []),
        "bundle": (ROOT / "bundle", "configs/train.json", []),
        "elsewhere": (tmp_path, TRAIN, ["--bundle_root", str(ROOT / "bundle")]),
    }[place]
    flags = [part for name, value in (SMALL | {"epochs": "1"}).items() for part in (f"--{name}", value)]
    where = ["--dataset_dir", str(dataset), "--output_dir", str(tmp_path / "runs"), "--run_name", "run"]
    command = [sys.executable, "-m", "monai.bundle", "run"]
    environment = {"PATH": "/usr/bin:/bin"}
    for arguments in (
        ["training" if place == "root" else "run", "--config_file", config, *flags, *where, *more],
        ["evaluating", "--args_file", str(tmp_path / "runs" / "run" / "evaluating.json")],
    ):
        done = subprocess.run([*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "run" / "evaluation" / "prepared_patient" / "summary.json").is_file()


def test_real_mammograms(train: Callable, as_program: Callable, real_data: Path, tmp_path: Path):
    with (real_data / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))[:24]
    table = tmp_path / "real" / "manifest.csv"
    for row in rows:
        for key in ("image", "mask"):
            (table.parent / row[key]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(real_data / row[key], table.parent / row[key])
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    prepare_manifest(str(table), str(tmp_path / "pack"))
    run = train(tmp_path / "pack", image_size="[64,64]", features="[8,8,16,32,32,8]", epochs=6, learning_rate=0.003)
    as_program("monai.bundle", "run", args_file=run / "evaluating.json", bootstrap_samples=50)
    summary = json.loads((run / "evaluation" / "pack_patient" / "summary.json").read_text())
    # Six epochs on a handful do not make a good model, but one that has learnt: a full crop would have Dice .43.
    assert summary["per_lesion"]["dice"]["mean"] > 0.6
    as_program("monai.bundle", "run", args_file=run / "inference.json")
    assert len(list((run / "inference" / "pack_patient").iterdir())) == summary["lesions"]
