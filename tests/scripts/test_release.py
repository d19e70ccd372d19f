"""The verb `release`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from custom.errors import InputError
from scripts import release as verb
from scripts.common import bundle as common
from scripts.common.bundle import bundled_config, load_network, read_recipe
from tests.scripts.common.prediction.phantom import write_small_run


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes what would be released."""
    folder = tmp_path / "bundle"
    (folder / "models").mkdir(parents=True)
    (folder / "metadata.json").write_text(json.dumps({"name": "a bundle"}))
    for module in (verb, common):
        monkeypatch.setattr(module, "RELEASED", folder / "models" / "model.pt")
        monkeypatch.setattr(module, "METADATA", folder / "metadata.json")
    return folder


def run(folder: Path, **others: object) -> Path:
    """A run with the settings of the bundle."""
    config = bundled_config()
    own = ("features", "image_size", "margin", "box_channel", "threshold", "test_time_augmentation")
    settings = {name: config[name] for name in own}
    return write_small_run(folder / "run", **{**settings, **others})


def test_the_released_weights_are_the_runs_in_half_precision(bundle: Path, tmp_path: Path):
    source = run(tmp_path)
    verb.release(str(source))
    file = bundle / "models" / "model.pt"
    trained, released = (torch.load(one, weights_only=True) for one in (source / "model.pt", file))
    assert list(trained) == list(released)
    for name, weights in trained.items():
        torch.testing.assert_close(released[name], weights.half(), rtol=0, atol=0)
    metadata = json.loads((bundle / "metadata.json").read_text())
    assert metadata == {
        "name": "a bundle",
        "weights": {"file": "models/model.pt", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
    }
    network = load_network(read_recipe(None), torch.device("cpu"))
    assert {weights.dtype for weights in network.parameters()} == {torch.float32}

    file.write_bytes((source / "model.pt").read_bytes())
    with pytest.raises(InputError, match=rf"model\.pt: its sha256 is .*, expected {metadata['weights']['sha256']}"):
        read_recipe(None)


def test_a_run_with_other_settings_is_not_released(bundle: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"run: was trained with margin 0\.7, expected 0\.4 as in bundle"):
        verb.release(str(run(tmp_path, margin=0.7)))
    assert not list((bundle / "models").iterdir())
