"""The configs as MONAI, a reader and the other configs see them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, verify_net_in_out
from monai.inferers import Inferer
from monai.transforms import Compose

from custom.files import as_json
from custom.runs.settings import switches
from tests.helpers import ROOT

CONFIGS = ROOT / "bundle" / "configs"
TRAIN, EVALUATE, INFERENCE, PAPER, RELEASED = (
    str(CONFIGS / f"{name}.json") for name in ("train", "evaluate", "inference", "paper", "released")
)
NETWORKS = sorted(map(str, (CONFIGS / "networks").iterdir()))
OPTIONS = sorted(map(str, (CONFIGS / "options").iterdir()))


def load(file: str) -> dict:
    return json.loads(Path(file).read_text())


def shared_switches() -> list[str]:
    """The switches that decide what the network is given, what it is, and what is made of what it gives."""
    train = load(TRAIN)
    pieces = ["frame_transforms", "lesion_crop", "sizing_transforms", "network_def", "in_channels"]
    named = set(re.findall(r"@(\w+)", json.dumps([train[name] for name in pieces])))
    return ["threshold", "test_time_augmentation", "network_name", *(name for name in switches(train) if name in named)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    network = ConfigParser(load(TRAIN)).get_parsed_content("network_def")
    file = tmp_path / "run" / "model.pt"
    file.parent.mkdir()
    torch.save(network.state_dict(), file)
    return file


@pytest.mark.parametrize("file", sorted(CONFIGS.rglob("*.json")), ids=lambda file: file.name)
def test_style(file: Path):
    text = file.read_text()
    assert as_json(json.loads(text)).decode() == text, "write it with custom.files.as_json"
    assert not re.search(r'"/(home|Users|root|work|tmp)/', text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "kind"),
    [([TRAIN], "train"), ([TRAIN, EVALUATE], "train"), ([INFERENCE], "infer")]
    + [([TRAIN, recipe], "train") for recipe in (PAPER, RELEASED, *OPTIONS)]
    + [([TRAIN, network], "train") for network in NETWORKS]
    + [([INFERENCE, network], "infer") for network in NETWORKS],
)
def test_properties(files: list[str], kind: str, dataset: Path, model: Path, tmp_path: Path):
    workflow = ConfigWorkflow(
        workflow_type=kind,
        config_file=files,
        logging_file=False,
        bundle_root=str(ROOT / "bundle"),
        dataset_dir=str(dataset),
        output_dir=str(tmp_path / "runs"),
        split="patient",
        **({"model": str(model)} if EVALUATE in files or INFERENCE in files else {}),
    )
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize(
    "files", [[TRAIN, RELEASED], [INFERENCE], *([TRAIN, RELEASED, network] for network in NETWORKS)]
)
def test_network_takes_and_gives_what_the_metadata_says(files: list[str]):
    verify_net_in_out(net_id="network_def", meta_file=str(CONFIGS / "metadata.json"), config_file=files, device="cpu")


@pytest.mark.parametrize("file", NETWORKS)
def test_a_network_file_changes_the_network_and_its_name_alone(file: str):
    assert list(load(file)) == ["network_name", "network_def"]
    assert Path(file).stem == load(file)["network_name"]


LOOKED_UP = (
    "bundle_root device network_def preprocessing inferer postprocessing",
    "dataset dataloader evaluator handlers output_dir",
)


@pytest.mark.parametrize("name", " ".join(LOOKED_UP).split())
def test_inference_has_what_other_tools_look_up(name: str):
    assert name in load(INFERENCE)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bundle_root", str),
        ("device", torch.device),
        ("network_def", torch.nn.Module),
        ("preprocessing", Compose),
        ("inferer", Inferer),
        ("postprocessing", Compose),
        ("output_dir", str),
    ],
)
def test_other_tools_build_parts_of_the_inference_without_a_data_set(name: str, kind: type):
    parser = ConfigParser()
    parser.read_config(INFERENCE)
    parser["bundle_root"] = str(ROOT / "bundle")
    assert isinstance(parser.get_parsed_content(name), kind)


def test_metadata():
    metadata = load(str(CONFIGS / "metadata.json"))
    mandatory = [
        "version",
        "monai_version",
        "pytorch_version",
        "numpy_version",
        "required_packages_version",
        "task",
        "description",
        "authors",
        "copyright",
        "network_data_format",
    ]
    assert set(mandatory) <= set(metadata)
    assert metadata["version"] in metadata["changelog"]
    assert metadata["schema"].endswith("meta_schema_20240725.json")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    named = {"monai": "monai_version", "torch": "pytorch_version", "numpy": "numpy_version"}
    assert {package: metadata[key] for package, key in named.items()} == {
        package: pins.pop(package) for package in named
    }
    assert metadata["required_packages_version"] == pins


@pytest.mark.parametrize(
    "given", [{}, {"wiener": False, "margin": 0.5}, {"clahe": False, "remove_artifacts": True}, {"box_channel": True}]
)
def test_inference_prepares_an_image_as_training_does(dataset: Path, given: dict):
    of_train = {name: load(TRAIN)[name] for name in shared_switches()}

    def prepared(file: str, chain: str, entry: dict) -> dict:
        parser = ConfigParser(load(file))
        parser.update({"dataset_dir": str(dataset), **of_train, "image_size": [64, 48], **given})
        transforms = parser.get_parsed_content(chain)
        return transforms(entry)

    lesion = load(str(dataset / "datalists" / "patient.json"))["training"][0]
    files = {key: str(dataset / lesion[key]) for key in ("image", "label")}
    trained = prepared(TRAIN, "validate#preprocessing", files | {"lesion_id": lesion["lesion_id"]})
    inferred = prepared(INFERENCE, "preprocessing", {"image": files["image"], "box": list(trained["box"])})
    assert trained["image"].shape == (1 + given.get("box_channel", False), 64, 48)
    assert set(np.unique(trained["label"])) == {0, 1}
    np.testing.assert_array_equal(trained["image"], inferred["image"])


def test_training_and_validation_share_the_deterministic_transforms():
    parser = ConfigParser(load(TRAIN))
    trained = parser.get_parsed_content("train#deterministic_transforms")
    assert parser.get_parsed_content("validate#preprocessing").transforms == tuple(trained)


def test_inference_has_the_settings_of_the_released_recipe():
    recipe, inference = load(TRAIN) | load(RELEASED), load(INFERENCE)
    for name in (*shared_switches(), "network_def"):
        assert inference[name] == recipe[name], name


def test_every_switch_has_a_kind_and_is_named_once():
    for file in (TRAIN, INFERENCE):
        config = load(file)
        plain = {name for name, value in config.items() if isinstance(value, (bool, int, float))}
        assert plain <= set(switches(config))
        assert list(config.values()).count(config["settings"]) == 1


def test_the_released_recipe_is_made_of_the_options():
    released = load(RELEASED)
    for name in ("displaced_boxes", "cross_entropy", "cosine"):
        assert load(str(CONFIGS / "options" / f"{name}.json")).items() <= released.items()


def test_the_paper_shows_each_lesion_three_times(dataset: Path):
    parser = ConfigParser()
    parser.read_config([TRAIN, PAPER])
    parser.update({"dataset_dir": str(dataset), "split": "patient", "cache_dir": None, "image_size": [32, 32]})
    parser["remove_artifacts"] = False
    joined = parser.get_parsed_content("train#dataset")
    lesions = len(parser.get_parsed_content("train#items"))
    assert len(joined) == 3 * lesions
    as_it_is, rotated, flipped = (joined[index * lesions]["image"][0].numpy() for index in range(3))
    assert any(np.array_equal(rotated, np.rot90(as_it_is, times)) for times in (1, 2, 3))
    assert any(np.array_equal(flipped, np.flip(as_it_is, axis)) for axis in (0, 1))
