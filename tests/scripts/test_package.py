from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from custom.data import Datalist, boxed_items
from custom.errors import InputError
from custom.files import as_json
from custom.readers import read_mask
from custom.transforms import mask_box
from scripts.common import bundle
from scripts.common.bundle import read_recipe
from scripts.common.prediction.predictor import Predictor
from scripts.package import package
from tests.helpers import ROOT
from tests.scripts.common.prediction.phantom import write_run, write_small_run

pytestmark = pytest.mark.slow

NAME = "mammographic_mass_segmentation"

# What a user, MONAI Label and MONAI Deploy do with the unpacked bundle, which is the folder that it runs in.
IN_THE_BUNDLE = """
import json, runpy, sys, warnings
import numpy as np, onnxruntime, torch
from monai.bundle import ConfigParser, ckpt_export, load, onnx_export, verify_net_in_out

warnings.simplefilter("ignore")
given = json.loads(sys.argv[1])
config = {"config_file": "configs/inference.json"}
meta = config | {"meta_file": "configs/metadata.json"}
sys.argv[1:] = ["run", "inference", "--config_file", "configs/inference.json", "--dataset_dir", given["dataset"]]
runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)

verify_net_in_out("network_def", **meta, device="cpu")
crops = torch.load(given["crops"])
shape = [1, *crops.shape[1:]]
ckpt_export("network_def", filepath="models/model.ts", ckpt_file="models/model.pt", **meta)
onnx_export("network_def", filepath="models/model.onnx", ckpt_file="models/model.pt", input_shape=shape, **meta)
loaded = load(given["name"], workflow_type="inference", bundle_dir="..", device="cpu").eval()
session = onnxruntime.InferenceSession("models/model.onnx")
feed = session.get_inputs()[0].name
with torch.no_grad():
    results = {"load": loaded(crops), "torchscript": torch.jit.load("models/model.ts")(crops)}
results["onnx"] = torch.cat([torch.from_numpy(session.run(None, {feed: crop[None].numpy()})[0]) for crop in crops])

parser = ConfigParser()
parser.read_config("configs/inference.json")
parser["bundle_root"] = "."
item = parser.get_parsed_content("preprocessing")({"image": given["image"], "box": given["box"]})
with torch.no_grad():
    item["pred"] = parser.get_parsed_content("inferer")(item["image"][None], loaded)[0]
results["label"] = parser.get_parsed_content("postprocessing")(item)["pred"].as_tensor()
torch.save(results, given["results"])
named = [name for name in sys.modules if name.split(".")[0] in ("custom", "scripts", "tests")]
print(json.dumps({name: sys.modules[name].__file__ for name in named}))
"""


def unpacked(file: Path, folder: Path) -> Path:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    return folder / NAME


def crops_of(run: Path, real: str | None, dataset: Path) -> torch.Tensor:
    """Crops as the run's network takes them: of real mammograms where there are any."""
    predictor = Predictor(read_recipe(str(run)))
    if real:
        with Path(real, "manifest.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))[::300]
        boxed = [(Path(real, row["image"]), mask_box(read_mask(Path(real, row["mask"]))[None])) for row in rows]
    else:
        items = boxed_items(Datalist(dataset, "patient").part("test"))
        boxed = [(Path(item["image"]), item["box"]) for item in items]
    return torch.stack([predictor.crop(predictor.read(file), box)["image"].as_tensor() for file, box in boxed])


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_works_where_nothing_else_is(
    dataset: Path, tmp_path: Path, as_program: Callable, capsys: pytest.CaptureFixture
):
    run = write_small_run(tmp_path / "runs" / "small", margin=0.4, clahe_clip_limit=3.5, image_size=[48, 32])
    package(str(tmp_path / "made"), str(run))
    bundle = unpacked(tmp_path / "made" / f"{NAME}_v0.1.0.zip", tmp_path / "elsewhere")
    crops = crops_of(run, os.environ.get("MAMMO_REAL_DATA"), dataset)
    torch.save(crops, tmp_path / "crops.pt")
    item = boxed_items(Datalist(dataset, "patient").part("test"))[0]
    given = {
        "name": NAME,
        "dataset": str(dataset),
        "crops": str(tmp_path / "crops.pt"),
        "image": item["image"],
        "box": list(item["box"]),
        "results": str(tmp_path / "results.pt"),
    }
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", IN_THE_BUNDLE, json.dumps(given)]
    done = subprocess.run(command, cwd=bundle, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    modules = json.loads(done.stdout.splitlines()[-1])
    assert "custom.readers.mammogram" in modules
    assert all(Path(file).is_relative_to(bundle) for file in modules.values())

    as_program("monai.bundle", "run", args_file=run / "inference.json", dataset_dir=dataset)
    own, packaged = run / "inference" / "prepared_patient", bundle / "predictions" / "prepared_patient"
    masks = {file.name: file.read_bytes() for file in own.iterdir()}
    assert len(masks) > 1
    assert {file.name: file.read_bytes() for file in packaged.iterdir()} == masks

    results = torch.load(tmp_path / "results.pt")
    with torch.no_grad():
        expected = Predictor(read_recipe(str(run))).network.cpu()(crops)
    for kind in ("load", "torchscript", "onnx"):
        torch.testing.assert_close(results[kind], expected, rtol=0, atol=1e-4, msg=lambda text, kind=kind: kind + text)
    mask = read_mask(own / f"{item['lesion_id']}.png")
    assert 0 < mask.mean() < 0.9
    np.testing.assert_array_equal(results["label"][0].numpy() > 0, mask)


def test_the_same_run_gives_the_same_bytes_and_nothing_of_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    run = write_small_run(tmp_path / "runs" / "small", image_size=[64, 48], threshold=0.4)
    files = []
    for folder in ("first", "second"):
        package(str(tmp_path / folder), str(run))
        files += (tmp_path / folder).iterdir()
        os.utime(run / "model.pt", (0, 0))
        monkeypatch.setattr("time.time", lambda: 2e9)
    assert [file.name for file in files] == [f"{NAME}_v0.1.0.zip"] * 2
    assert files[0].read_bytes() == files[1].read_bytes()
    assert f"sha256 {hashlib.sha256(files[0].read_bytes()).hexdigest()}\n" in capsys.readouterr().out
    with zipfile.ZipFile(files[0]) as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
    places = [entry.filename.removeprefix(f"{NAME}/") for entry in entries]
    assert places == sorted(places)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    shipped = ROOT / "bundle"
    assert {*places} == {
        *(
            file.relative_to(shipped).as_posix()
            for file in (shipped / "configs").rglob("*.*")
            if "studies" not in str(file)
        ),
        *(f"docs/{file.name}" for file in (shipped / "docs").iterdir()),
        *(file.relative_to(ROOT).as_posix() for file in (ROOT / "custom").rglob("*.py")),
        "models/model.pt",
        "LICENSE",
    }
    bundle = unpacked(files[0], tmp_path / "unpacked")
    assert not any(str(tmp_path) in file.read_text() for file in (bundle / "configs").rglob("*.*"))
    weights = torch.load(bundle / "models" / "model.pt")
    of_run = {"features", "image_size", "threshold", "margin", "box_channel", "test_time_augmentation"}
    image = json.loads((bundle / "configs" / "metadata.json").read_text())["network_data_format"]["inputs"]["image"]
    assert (image["num_channels"], list(image["channel_def"])) == (1, ["0"])
    # Those of the run; `train.json` has the others of them itself.
    for name, expected in (("inference", of_run), ("train", {"features", "image_size", "threshold"})):
        text = (bundle / "configs" / f"{name}.json").read_text()
        config, repository = json.loads(text), json.loads((shipped / "configs" / f"{name}.json").read_text())
        assert as_json(config).decode() == text
        assert {key for key in config if config[key] != repository[key]} - {"initialize"} == expected
        assert config["image_size"] == [64, 48]
        ConfigParser(config).get_parsed_content("network_def").load_state_dict(weights)


def test_what_cannot_be_packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bundle, "RELEASED", tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"model\.pt: no such model; .* pass --run_dir runs/NAME"):
        package(str(tmp_path / "out"))
    run = write_run(tmp_path / "unfit")
    torch.save({}, run / "model.pt")
    with pytest.raises(InputError, match="its weights do not fit the network bright"):
        package(str(tmp_path / "out"), str(run))
    run = write_run(tmp_path / "other")
    args = json.loads((run / "inference.json").read_text())
    config = json.loads((ROOT / "bundle" / "configs" / "inference.json").read_text())
    del config["preprocessing"]["transforms"][-1]
    (run / "config.json").write_text(json.dumps(config))
    (run / "inference.json").write_text(json.dumps(args | {"config_file": [str(run / "config.json")]}))
    with pytest.raises(InputError, match="prepares an image otherwise"):
        package(str(tmp_path / "out"), str(run))
    assert not (tmp_path / "out").exists()
