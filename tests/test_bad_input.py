"""What a user can get wrong: one line that names the file or switch, and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
import torch

from tests.helpers import ROOT, SMALL, TRAIN, refused, scalars, write_png

NETWORK = TRAIN.replace("train.json", "networks/{}.json")


@pytest.fixture
def spoil(own_dataset: Path) -> Callable[[str, object], Path]:
    """Changes one value of the first training lesion and returns its image."""

    def change(key: str, value: object) -> Path:
        file = own_dataset / "datalists" / "patient.json"
        content = json.loads(file.read_text())
        content["training"][0][key] = value
        file.write_text(json.dumps(content))
        return own_dataset / content["training"][0]["image"]

    return change


def test_missing_and_empty_data_sets(train: Callable, tmp_path: Path):
    assert refused(train, "") == "--dataset_dir is missing: give it on the command line, such as --dataset_dir DIR"
    assert "nowhere: no such folder" in refused(train, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "empty: no datalists found" in refused(train, tmp_path / "empty")


def test_missing_split_and_part(train: Callable, own_dataset: Path):
    assert "--split takes paper, patient here" in refused(train, own_dataset, split="official")
    datalist = own_dataset / "datalists" / "patient.json"
    datalist.write_text(json.dumps(json.loads(datalist.read_text()) | {"training": [], "note": "for testing only"}))
    line = refused(train, own_dataset)
    assert "no lesions for training (for testing only)" in line
    assert "has validation, test" in line


@pytest.mark.parametrize("key", ["image", "label"])
def test_a_file_that_is_gone(train: Callable, own_dataset: Path, spoil: Callable, key: str):
    spoil(key, "images/gone.png")
    line = refused(train, own_dataset)
    assert "gone.png" in line
    assert f"the {key} of T_0" in line


def test_a_lesion_without_mask_can_be_predicted_but_not_trained_on(
    train: Callable, as_program: Callable, own_dataset: Path
):
    run = train(own_dataset, epochs=1)
    file = own_dataset / "datalists" / "patient.json"
    content = json.loads(file.read_text())
    for lesion in content["test"]:
        del lesion["label"]
    content["test"][0]["box"], content["test"][1]["box"] = [5, 6, 40, 50], [5.5, 6, 40, 50.25]
    file.write_text(json.dumps(content))
    as_program("monai.bundle", "run", args_file=run / "inference.json")
    assert len(list((run / "inference" / "prepared_patient").iterdir())) == 2
    assert "has no label, expected its mask" in refused(
        as_program, "monai.bundle", "run", args_file=run / "evaluating.json"
    )
    del content["test"][0]["box"]
    file.write_text(json.dumps(content))
    assert "has no box and no label" in refused(as_program, "monai.bundle", "run", args_file=run / "inference.json")


@pytest.mark.parametrize("workers", [0, 2])
def test_mask_of_another_size(train: Callable, own_dataset: Path, workers: int):
    mask = sorted((own_dataset / "masks").iterdir())[0]
    write_png(mask, np.full((31, 17), 255, np.uint8))
    line = refused(train, own_dataset, num_workers=workers)
    assert line.startswith(str(mask))
    assert "31 columns x 17 rows" in line


def test_empty_mask(train: Callable, own_dataset: Path):
    mask = sorted((own_dataset / "masks").iterdir())[0]
    write_png(mask, np.zeros_like(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)).T)
    assert refused(train, own_dataset).startswith(f"{mask}: the mask is empty")


def test_unknown_file_type(train: Callable, own_dataset: Path, spoil: Callable):
    (own_dataset / "images" / "notes.txt").write_text("not an image")
    spoil("image", "images/notes.txt")
    line = refused(train, own_dataset)
    assert "notes.txt: unknown file type" in line
    assert ".dcm" in line


def test_truncated_dicom(train: Callable, own_dataset: Path, spoil: Callable):
    whole = Path(pydicom.data.get_testdata_file("MR_small.dcm")).read_bytes()
    (own_dataset / "images" / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    spoil("image", "images/cut.dcm")
    assert "cut.dcm: cannot be decoded" in refused(train, own_dataset)


@pytest.mark.parametrize(
    ("box", "found"),
    [([10, 10, 10, 20], "the box is [10, 10, 10, 20]"), ([0, 0, 5000, 20], "0 <= x0 < x1"), ([1, 2, 3], "[1, 2, 3]")],
)
def test_box_without_area_or_outside(
    train: Callable, as_program: Callable, own_dataset: Path, box: list[float], found: str
):
    run = train(own_dataset, epochs=1)
    file = own_dataset / "datalists" / "patient.json"
    content = json.loads(file.read_text())
    content["test"][0]["box"] = box
    file.write_text(json.dumps(content))
    line = refused(as_program, "monai.bundle", "run", args_file=run / "inference.json")
    assert content["test"][0]["image"] in line
    assert found in line


@pytest.mark.parametrize(
    ("switch", "value", "line"),
    [
        ("epochs", "five", "--epochs: found 'five', expected a valid integer"),
        ("epochs", "0", "--epochs: found 0, expected greater than 0"),
        ("clahe", "false", "--clahe: found 'false', expected a valid boolean; on the command line write True or False"),
        ("image_size", "64", "--image_size: found 64, expected a valid list, such as [1,2]"),
        ("val_interval", "3", "--val_interval: found 3, expected at most the 2 epochs, or no model is ever the best"),
        ("image_size", "[64,16]", "--image_size: found 16, expected greater than or equal to 32"),
        ("features", "[8,16]", "--features: found [8, 16], expected at least 6 items"),
        ("head", "5", "--head: found 5, expected less than or equal to 4"),
        ("margin", "-0.1", "--margin: found -0.1, expected greater than or equal to 0"),
        ("wiener_window", "4", "wiener window: found 4, expected an odd whole number or a pair of them, such as 3"),
    ],
)
def test_switch_of_the_wrong_kind(train: Callable, dataset: Path, switch: str, value: str, line: str):
    assert refused(train, dataset, **{switch: value}) == line


@pytest.mark.parametrize(("name", "hint"), [("epoch", "did you mean --epochs?"), ("nonsense", "train.json")])
def test_unknown_switch(train: Callable, dataset: Path, name: str, hint: str):
    line = refused(train, dataset, **{name: "5"})
    assert line.startswith(f"--{name}: train.json has no such setting")
    assert hint in line


def test_a_network_that_is_only_named(train: Callable, dataset: Path):
    line = refused(train, dataset, network_name="unet")
    assert line.startswith("--network_name: found 'unet', but train.json defines 'unetpp'")
    assert line.endswith(f"add {NETWORK.format('unet')} to --config_file")
    line = refused(train, dataset, network_name="mine")
    assert line.endswith("leave it out, or add the file that defines it")
    line = refused(train, dataset, network_name="unetpp", config_file=[TRAIN, NETWORK.format("pspnet")])
    assert "train.json, pspnet.json defines 'pspnet'" in line


@pytest.mark.parametrize(("switch", "value"), [("deep_supervision", True), ("head", 3)])
def test_heads_of_a_network_that_has_one(train: Callable, dataset: Path, switch: str, value: object):
    line = refused(train, dataset, config_file=[TRAIN, NETWORK.format("unet")], **{switch: value})
    assert line == (
        f"--{switch}: found {value!r}, but the network is unet; only unetpp has several heads: leave --{switch} out"
    )


def test_a_head_that_was_not_trained(train: Callable, as_program: Callable, dataset: Path):
    run = train(dataset, epochs=1)
    for name in ("evaluating", "inference"):
        line = refused(as_program, "monai.bundle", "run", args_file=run / f"{name}.json", head=2)
        assert line.startswith("--head 2 --deep_supervision False: the model was trained without deep supervision")


def test_a_known_id_deep_in_the_config_is_accepted(train: Callable, dataset: Path):
    run = train(dataset, **{"network_def#network#dropout": "0.1", "epochs": 1})
    assert json.loads((run / "training.json").read_text())["network_def#network#dropout"] == 0.1
    assert json.loads((run / "inference.json").read_text())["network_def"]["network"]["dropout"] == 0.1


def test_a_component_given_on_the_command_line_is_kept(train: Callable, dataset: Path):
    run = train(dataset, epochs=1, loss="{'_target_':'GeneralizedDiceLoss','sigmoid':True}")
    for name in ("training", "evaluating"):
        assert json.loads((run / f"{name}.json").read_text())["loss"]["_target_"] == "GeneralizedDiceLoss"


@pytest.mark.promise(
    "A training whose loss is not finite stops, keeps its last good checkpoint, and names the learning rate"
)
def test_a_training_that_diverges(train: Callable, as_program: Callable, dataset: Path, tmp_path: Path):
    run = train(dataset, epochs=1)
    before = {name: (run / name).read_bytes() for name in ("model.pt", "last.pt")}
    args = json.loads((run / "training.json").read_text()) | {"learning_rate": 1e30, "epochs": 3}
    (run / "training.json").write_text(json.dumps(args))
    state = torch.load(run / "last.pt", weights_only=True)
    state["optimizer"]["param_groups"][0]["lr"] = 1e30
    torch.save(state, run / "last.pt")
    before["last.pt"] = (run / "last.pt").read_bytes()
    flags = {"args_file": run / "training.json", "resume": run}
    line = refused(as_program, "monai.bundle", "run", **flags)
    assert "no finite number in epoch 2" in line
    assert "--learning_rate below 1e+30" in line
    assert {name: (run / name).read_bytes() for name in before} == before


def test_a_damaged_datalist(train: Callable, own_dataset: Path):
    (own_dataset / "datalists" / "patient.json").write_text("{")
    assert "patient.json: not a readable JSON file" in refused(train, own_dataset)


def test_resuming_what_cannot_go_on(train: Callable, dataset: Path, tmp_path: Path):
    assert "no checkpoint last.pt found" in refused(train, dataset, "", resume=tmp_path)
    run = train(dataset)
    assert "has its 2 epochs already" in refused(train, dataset, "", resume=run)
    line = refused(train, dataset, "", resume=run, epochs=3, batch_size=2)
    assert "was trained with batch_size 4, found 2" in line
    assert str(run / "training.json") in line
    assert "never overwritten" in refused(train, dataset)


def test_a_run_that_ended_before_its_first_checkpoint_is_begun_anew(train: Callable, dataset: Path, tmp_path: Path):
    run = train(dataset, epochs=1)
    (run / "last.pt").unlink()
    line = refused(train, dataset)
    assert "never overwritten" in line
    assert "or remove that folder, which has no last.pt" in line
    (run / "model.pt").rename(run / ".model.pt.part")
    assert train(dataset, epochs=2) == run
    assert json.loads((run / "training.json").read_text())["epochs"] == 2
    assert len(scalars(run)["train/loss"]) == 2  # nothing of the first attempt
    assert not (run / ".model.pt.part").exists()


def test_model_that_is_gone(train: Callable, as_program: Callable, dataset: Path):
    run = train(dataset, epochs=1)
    (run / "model.pt").unlink()
    for name in ("evaluating", "inference"):
        line = refused(as_program, "monai.bundle", "run", args_file=run / f"{name}.json")
        assert line.startswith(f"{run / 'model.pt'}: no such model")


def test_no_run_folder_is_left_behind(train: Callable, own_dataset: Path, spoil: Callable, tmp_path: Path):
    spoil("image", "images/gone.png")
    refused(train, own_dataset)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_program_ends_in_one_line_and_exit_code_2(own_dataset: Path, tmp_path: Path, workers: str):
    image = sorted((own_dataset / "images").iterdir())[0]
    content = image.read_bytes()
    image.write_bytes(content[: len(content) // 2])
    flags = [part for name, value in (SMALL | {"num_workers": workers}).items() for part in (f"--{name}", value)]
    where = ["--dataset_dir", str(own_dataset), "--output_dir", str(tmp_path / "runs")]
    done = subprocess.run(
        [sys.executable, "-m", "monai.bundle", "run", "training", "--config_file", TRAIN, *flags, *where],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("Error: ")] == [done.stderr.splitlines()[-1]]
    assert f"Error: {image}: cannot be decoded" in done.stderr
