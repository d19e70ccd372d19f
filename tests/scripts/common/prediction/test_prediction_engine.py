from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from custom.errors import InputError
from custom.readers import read_mask, read_pixels
from scripts.common.prediction import engine
from scripts.predict import predict
from tests.helpers import snapshot
from tests.scripts.common.prediction.phantom import box_of, mass, write_image, write_run

pytestmark = pytest.mark.slow

EDGES = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": 3, "padding": 1}
BOXES = [box_of(30, 60), [10, 20, 60, 90]]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path / "a.png", mass(30, 60))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_onnx_runtime_outlines_as_pytorch_does(image: Path, tmp_path: Path):
    # Looks at its neighbours on one side only, and at a crop that is not square: a rotated one has another size.
    run = write_run(tmp_path / "runs" / "edges", image_size=[48, 32], network_def=EDGES)
    weight = torch.tensor([[0.0, 0, 0], [0, 20, -8], [0, -5, 0]])
    torch.save({"weight": weight[None, None], "bias": torch.tensor([-3.0])}, run / "model.pt")
    told: dict[str, list[dict[str, Any]]] = {}
    for name in ("torch", "onnx"):
        predict(str(image), str(tmp_path / name), BOXES, run_dir=str(run), probability=True, format="nrrd", engine=name)
        told[name] = [json.loads((tmp_path / name / "a" / f"a_{number}.json").read_text()) for number in (1, 2)]
        assert {one["engine"] for one in told[name]} == {name}
    assert {file.name for file in run.glob("*.onnx")} == {"model_48x32.onnx", "model_32x48.onnx"}
    for number in (1, 2):
        maps = [read_pixels(tmp_path / name / "a" / f"a_{number}_probability.nrrd") for name in told]
        np.testing.assert_allclose(maps[1], maps[0], rtol=0, atol=1e-4)
        masks = [read_pixels(tmp_path / name / "a" / f"a_{number}_mask.nrrd") > 0 for name in told]
        assert (masks[0] != masks[1]).sum() <= 5
        assert masks[0].any()
        agreement = [one[number - 1]["quality"]["agreement"] for one in told.values()]
        assert agreement[1] == pytest.approx(agreement[0], abs=0.01)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_exported_is_kept_until_its_source_changes(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = write_run(tmp_path / "runs" / "bright")
    exported: list[tuple[int, int]] = []
    export = engine._export
    monkeypatch.setattr(engine, "_export", lambda *given: exported.append(given[1]) or export(*given))

    def again(**changes: Any) -> list[tuple[int, int]]:
        exported.clear()
        engine.predictor_of.cache_clear()  # as in another process
        given = {"output_dir": str(tmp_path / "out"), "boxes": BOXES, "run_dir": str(run), "engine": "onnx"}
        predict(str(image), **given | changes)
        return exported

    assert again() == [(32, 32)]
    before = snapshot(tmp_path / "out")
    assert again() == []
    assert snapshot(tmp_path / "out") == before
    assert again(output_dir=str(tmp_path / "other")) == []
    np.testing.assert_array_equal(read_mask(tmp_path / "other" / "a" / "a_1_mask.png"), mass(30, 60))
    # Another engine is another result.
    assert again(engine="torch") == []
    assert json.loads((tmp_path / "out" / "a" / "a_1.json").read_text())["engine"] == "torch"
    weights = torch.load(run / "model.pt")
    torch.save({name: value * 0 - 1 for name, value in weights.items()}, run / "model.pt")
    assert again() == [(32, 32)]
    assert not read_mask(tmp_path / "out" / "a" / "a_1_mask.png").any()
    torch.save(weights, run / "model.pt")
    (run / "model_32x32.onnx").write_bytes(b"damaged")
    assert again() == [(32, 32)]
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "a" / "a_1_mask.png"), mass(30, 60))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_model_that_lies_where_nothing_can_be_written(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(file: Path, content: bytes) -> None:
        raise InputError(f"{file}: cannot be written")

    run = write_run(tmp_path / "runs" / "bright")
    monkeypatch.setattr(engine, "write_if_changed", refuse)
    predict(str(image), str(tmp_path / "out"), BOXES, run_dir=str(run), engine="onnx")
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "a" / "a_1_mask.png"), mass(30, 60))


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_one_line(package: str, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, package, None)
    run = write_run(tmp_path / "runs" / "bright")
    with pytest.raises(InputError, match=f"^--engine onnx: the package {package} is missing, .* leave --engine out$"):
        predict(str(image), str(tmp_path / "out"), BOXES, run_dir=str(run), engine="onnx")
