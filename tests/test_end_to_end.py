"""The main job, from a prepared data set to masks, as a user runs it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

from custom.handlers import SeedEpochs, read_lesions
from scripts.prepare.manifest import prepare_manifest
from tests.helpers import ROOT, SMALL, TRAIN, scalars, with_files

pytestmark = pytest.mark.slow

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
    "lesion_pixels",
    "box_x0",
    "box_y0",
    "box_x1",
    "box_y1",
]
SCALARS = {
    "train/loss",
    "train/dice",
    "train/pixel_accuracy",
    "validation/loss",
    "validation/dice",
    "validation/dice_best",
    "validation/jaccard",
    "validation/precision",
    "validation/recall",
    "validation/pixel_accuracy",
}


def parameters(events: EventAccumulator) -> dict[str, bool | float | str]:
    """What TensorBoard's table of parameters shows of a run."""
    content = events.SummaryMetadata(SESSION_START_INFO_TAG).plugin_data.content
    values = parse_session_start_info_plugin_data(content).hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()}


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
    assert [event.step for event in events.Tensors("validation/precision_recall")] == [1, 2]
    assert parameters(events)["image_size"] == "[32, 32]"
    assert not {"dataset_dir", "output_dir", "cache_dir"} & set(parameters(events))
    # Nothing in TensorBoard tells where on this machine anything lies.
    (file,) = run.glob("*tfevents*")
    assert not any(str(folder).encode() in file.read_bytes() for folder in (dataset, run, ROOT))

    as_program("monai.bundle", "run", "evaluating", args_file=run / "evaluating.json", bootstrap_samples=50)
    results = run / "evaluation" / "prepared_patient"
    with (results / "lesions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    tested = json.loads((dataset / "datalists" / "patient.json").read_text())["test"]
    assert [row["lesion_id"] for row in rows] == [lesion["lesion_id"] for lesion in tested]
    assert {file.name for file in results.iterdir()} == {
        "calibration.csv",
        "lesions.csv",
        "summary.json",
        "predictions",
    }
    bins = read_lesions(results / "calibration.csv")
    assert list(dict.fromkeys(row["lesion_id"] for row in bins)) == [lesion["lesion_id"] for lesion in tested]
    assert sum(row["pixels"] for row in bins) == len(tested) * 32 * 32
    written = [results / file for file in ("calibration.csv", "lesions.csv", "summary.json")]
    assert sorted(written, key=lambda file: file.stat().st_mtime_ns) == written
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
    first = train(dataset, "first", config_file=with_files("options/displaced_boxes"), seed=3)
    second = train(dataset, "second", config_file=with_files("options/displaced_boxes"), seed=3, num_workers=2)
    as_program("monai.bundle", "run", args_file=first / "training.json", run_name="third")
    other = train(dataset, "other", config_file=with_files("options/displaced_boxes"), seed=4)
    assert scalars(first) == scalars(second) == scalars(tmp_path / "runs" / "third")
    assert scalars(first) != scalars(other)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(train: Callable, dataset: Path, tmp_path: Path):
    files = with_files("options/averaged_weights")
    whole = train(dataset, "whole", config_file=files, epochs=4)
    parts = train(dataset, "parts", config_file=files, epochs=2)
    moved = Path(shutil.copytree(dataset, tmp_path / "moved", symlinks=True))
    train(moved, "", config_file=files, epochs=4, resume=parts)
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


OPTIONS = ("displaced_boxes", "strong_augmentation", "batch_norm", "cross_entropy", "cosine")


@pytest.mark.parametrize(
    "switches",
    [
        {"deep_supervision": True, "config_file": with_files("options/averaged_weights"), "ema_decay": 0.5},
        {"box_channel": True, "config_file": with_files(*(f"options/{name}" for name in OPTIONS))},
        {"config_file": with_files("released")},
        {"wiener": False, "clahe": False, "margin": 0.5, "square": False},
        {"remove_artifacts": True, "split": "fold0"},
        {"config_file": with_files("paper"), "split": "patient"},
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


def lesions_of(dataset: Path, part: str) -> int:
    return len(json.loads((dataset / "datalists" / "patient.json").read_text())[part])


@pytest.mark.parametrize("network", ["unetpp", "unet", "pspnet", "linknet", "pretrained"])
def test_every_network_is_trained_and_follows_its_run(
    train: Callable, as_program: Callable, dataset: Path, network: str
):
    files = [TRAIN] if network == "unetpp" else with_files(f"networks/{network}")
    # The last batch of the epoch is one lesion.
    run = train(dataset, epochs=1, batch_size=lesions_of(dataset, "training") - 1, config_file=files)
    as_program("monai.bundle", "run", args_file=run / "evaluating.json", bootstrap_samples=10)
    as_program("monai.bundle", "run", args_file=run / "inference.json")
    (masks,), (results,) = (run / "inference").iterdir(), (run / "evaluation").iterdir()
    assert len(list(masks.iterdir())) == lesions_of(dataset, "test")
    for mask in masks.iterdir():
        assert mask.read_bytes() == (results / "predictions" / mask.name).read_bytes()
    for name in ("training", "evaluating", "inference"):
        assert json.loads((run / f"{name}.json").read_text())["network_name"] == network


def test_a_run_with_deep_supervision_is_evaluated_and_exported_at_a_shallower_head(
    train: Callable, as_program: Callable, dataset: Path, tmp_path: Path
):
    run = train(dataset, epochs=1, deep_supervision=True)
    as_program("monai.bundle", "run", args_file=run / "evaluating.json", bootstrap_samples=10, head=2)
    as_program("monai.bundle", "run", args_file=run / "inference.json", head=2)
    (masks,), (results,) = (run / "inference").iterdir(), (run / "evaluation").iterdir()
    for mask in masks.iterdir():
        assert mask.read_bytes() == (results / "predictions" / mask.name).read_bytes()
    whole = torch.load(run / "model.pt")
    deeper = ("conv_3_0", "conv_4_0", "_0_3", "_0_4", "_1_2", "_1_3", "_2_1", "_2_2", "_3_1")
    kept = {name: value for name, value in whole.items() if not any(part in name for part in deeper)}
    assert json.loads((results / "summary.json").read_text())["parameters"] == sum(map(torch.numel, kept.values()))

    metadata = ROOT / "bundle" / "configs" / "metadata.json"
    of_run = {"args_file": run / "inference.json", "meta_file": metadata, "ckpt_file": run / "model.pt"}
    small = {"head": 2, "input_shape": "[1,1,32,32]"}
    exported = {command: tmp_path / f"model.{command}" for command in ("ckpt_export", "onnx_export")}
    for command, file in exported.items():
        as_program("monai.bundle", command, "network_def", filepath=file, **of_run, **small)
    scripted = torch.jit.load(exported["ckpt_export"])
    assert set(scripted.state_dict()) == kept.keys() - {f"network.final_conv_0_1.{kind}" for kind in ("weight", "bias")}
    images = torch.rand(1, 1, 32, 32)
    session = onnxruntime.InferenceSession(exported["onnx_export"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), scripted(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("place", ["bundle", "elsewhere"])
def test_it_runs_from_other_folders(place: str, dataset: Path, tmp_path: Path):
    folder, config, more = {
        "bundle": (ROOT / "bundle", "configs/train.json", []),
        "elsewhere": (tmp_path, TRAIN, ["--bundle_root", str(ROOT / "bundle")]),
    }[place]
    flags = [part for name, value in (SMALL | {"epochs": "1"}).items() for part in (f"--{name}", value)]
    where = ["--dataset_dir", str(dataset), "--output_dir", str(tmp_path / "runs"), "--run_name", "run"]
    command = [sys.executable, "-m", "monai.bundle", "run"]
    environment = {"PATH": "/usr/bin:/bin"}
    for arguments in (
        ["run", "--config_file", config, *flags, *where, *more],
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
    small = {"image_size": "[64,64]", "features": "[8,8,16,32,32,8]"}
    run = train(tmp_path / "pack", **small, epochs=6, learning_rate=0.003)
    as_program("monai.bundle", "run", args_file=run / "evaluating.json", bootstrap_samples=50)
    summary = json.loads((run / "evaluation" / "pack_patient" / "summary.json").read_text())
    # Six epochs on a handful do not make a good model, but one that has learnt: a full crop would have Dice .43.
    assert summary["per_lesion"]["dice"]["mean"] > 0.6
    as_program("monai.bundle", "run", args_file=run / "inference.json")
    assert len(list((run / "inference" / "pack_patient").iterdir())) == summary["lesions"]


def test_the_same_network_on_displaced_boxes(train: Callable, as_program: Callable, dataset: Path):
    run = train(dataset, epochs=1)
    rows = {}
    for displacement, folder in ((0.0, "prepared_patient"), (0.2, "prepared_patient_displaced20")):
        flags = {"args_file": run / "evaluating.json", "bootstrap_samples": 10, "box_displacement": displacement}
        as_program("monai.bundle", "run", **flags)
        with (run / "evaluation" / folder / "lesions.csv").open() as file:
            rows[displacement] = list(csv.DictReader(file))
    for exact, displaced in zip(rows[0.0], rows[0.2], strict=True):
        edges = [f"box_{edge}" for edge in ("x0", "y0", "x1", "y1")]
        before, after = (np.array([float(row[edge]) for edge in edges]) for row in (exact, displaced))
        sides = before[2:] - before[:2]
        assert (np.abs(after - before) <= np.tile(0.3 * sides, 2)).all()
        assert float(displaced["dice_ellipse"]) < float(exact["dice_ellipse"])


def test_seeds_share_no_random_numbers(dataset: Path):
    def orders(seed: int) -> list[list[int]]:
        parser = ConfigParser()
        parser.read_config(TRAIN)
        parser.update({"dataset_dir": str(dataset), "seed": seed, "cache_dir": None})
        loader = parser.get_parsed_content("train#dataloader")
        handler = SeedEpochs(seed, loader)
        found = []
        for epoch in range(1, 5):
            handler(SimpleNamespace(state=SimpleNamespace(epoch=epoch)))
            found.append([*loader.sampler, int(torch.randint(10**9, ()))])
        return found

    every = [tuple(order) for seed in range(4) for order in orders(seed)]
    assert len(set(every)) == len(every)
    assert orders(2) == orders(2)


def test_workers_that_live_through_a_training_give_what_one_process_gives(dataset: Path):
    def images(num_workers: int) -> list[torch.Tensor]:
        parser = ConfigParser()
        parser.read_config(with_files("options/displaced_boxes"))
        settings = {"dataset_dir": str(dataset), "cache_dir": None, "image_size": [32, 32]}
        parser.update({**settings, "num_workers": num_workers})
        loader = parser.get_parsed_content("train#dataloader")
        handler = SeedEpochs(0, loader)
        found = []
        for epoch in (1, 2, 3):
            handler(SimpleNamespace(state=SimpleNamespace(epoch=epoch)))
            found += [batch["image"] for batch in loader]
        return found

    for one, other in zip(images(0), images(2), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("left", [0, 0.5])
def test_a_cached_lesion_that_was_cut_off_is_made_again(dataset: Path, tmp_path: Path, left: float):
    parser = ConfigParser()
    parser.read_config(TRAIN)
    parser.update({"dataset_dir": str(dataset), "cache_dir": str(tmp_path)})
    lesions = parser.get_parsed_content("validate#dataset")
    expected = lesions[0]["image"]
    (file,) = tmp_path.iterdir()
    whole = file.stat().st_size
    os.truncate(file, int(left * whole))
    np.testing.assert_array_equal(lesions[0]["image"], expected)
    assert [found.stat().st_size for found in tmp_path.iterdir()] == [whole]
