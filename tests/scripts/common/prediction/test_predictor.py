from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from custom.errors import InputError
from scripts.common import bundle
from scripts.common.bundle import read_recipe
from scripts.common.prediction.predictor import Predictor
from tests.scripts.common.prediction.phantom import box_of, mass, write_image, write_run


@pytest.mark.parametrize("averaged", [False, True])
def test_one_pass_over_the_orientations_serves_agreement_and_outline(tmp_path: Path, averaged: bool):
    """The network looks to one side only, so that a rotated crop gets another outline."""
    seen = 0

    def to_the_left(batch: torch.Tensor) -> torch.Tensor:
        nonlocal seen
        seen += len(batch)
        return 20 * torch.roll(batch, 6, dims=2) - 10

    recipe = read_recipe(str(write_run(tmp_path / "run", test_time_augmentation=averaged)))
    one = Predictor(recipe, to_the_left)
    mammogram = one.read(write_image(tmp_path / "a.png", mass(30, 60)))
    (finding,) = one.outline(mammogram, {"a": one.crop(mammogram, box_of(30, 60))})
    assert seen == 8
    assert finding.quality.agreement < 0.8


def test_an_inferer_without_orientations_is_refused(tmp_path: Path):
    folder = write_run(tmp_path / "run")
    args = json.loads((folder / "inference.json").read_text())
    args["inferer"] = {"_target_": "monai.inferers.SimpleInferer"}
    (folder / "inference.json").write_text(json.dumps(args))
    with pytest.raises(InputError, match=r"model\.pt: the inferer of its run is SimpleInferer, expected CropInferer"):
        Predictor(read_recipe(str(folder)))


def test_weights_that_the_metadata_do_not_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model, metadata = tmp_path / "model.pt", tmp_path / "metadata.json"
    model.write_bytes(b"weights")
    metadata.write_text(json.dumps({"name": "a bundle"}))
    monkeypatch.setattr(bundle, "RELEASED", model)
    monkeypatch.setattr(bundle, "METADATA", metadata)
    with pytest.raises(InputError, match=r"metadata\.json: names no weights, found .*model\.pt; release"):
        read_recipe(None)
    model.unlink()
    with pytest.raises(InputError, match=r"model\.pt: no such model; expected the released weights: restore"):
        read_recipe(None)
