from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from custom.errors import InputError
from scripts.common.bundle import read_recipe
from scripts.predict import predictor
from scripts.predict.predictor import Predictor
from tests.scripts.predict.phantom import box_of, mass, write_image, write_run


@pytest.mark.parametrize("averaged", [False, True])
def test_agreement_is_that_of_single_views_whatever_the_outline_is_made_of(tmp_path: Path, averaged: bool):
    """Looks to one side only, so that a turned crop gets another outline."""
    seen = 0

    def to_the_left(batch: torch.Tensor) -> torch.Tensor:
        nonlocal seen
        seen += len(batch)
        return 20 * torch.roll(batch, 6, dims=2) - 10

    recipe = read_recipe(str(write_run(tmp_path / "run", test_time_augmentation=averaged)))
    one = Predictor(recipe, to_the_left)
    mammogram = one.read(write_image(tmp_path / "a.png", mass(30, 60)))
    [(_, quality)] = one.outline(mammogram, ["a"], [one.crop(mammogram, box_of(30, 60))])
    assert seen == 8
    assert quality.agreement < 0.8


def test_an_inferer_without_views_is_refused(tmp_path: Path):
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
    monkeypatch.setattr(predictor, "RELEASED", model)
    monkeypatch.setattr(predictor, "METADATA", metadata)
    with pytest.raises(InputError, match=r"metadata\.json: names no weights, found .*model\.pt; release"):
        read_recipe(None)
    model.unlink()
    with pytest.raises(InputError, match=r"model\.pt: no such model; expected the released weights: restore"):
        read_recipe(None)
