"""A prediction from the start of its process to its files, and the network in PyTorch and in ONNX Runtime."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from custom.inferers import CropInferer
from scripts.common.bundle import load_network, read_recipe
from scripts.common.prediction.engine import OnnxNetwork
from tests.benchmarks.chain import write_mammogram
from tests.benchmarks.ratios import ROOT, in_process, note_row, ratio, seconds
from tests.scripts.common.prediction.phantom import write_small_run

# Those of train.json: what `write_small_run` makes small for tests.
FULL = {"features": [32, 64, 128, 256, 512, 32], "image_size": [224, 224]}
ROUNDS = 5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the full network; how fast its weights predict does not depend on what they are."""
    return write_small_run(tmp_path_factory.mktemp("run") / "default", **FULL)


def test_network(benchmark: Any, run: Path) -> None:
    recipe = read_recipe(str(run))
    torch_network, onnx_network = load_network(recipe, torch.device("cpu")), OnnxNetwork(recipe)
    inferer, crop = CropInferer(), torch.rand(1, 1, 224, 224)

    def lesion(network: Any) -> torch.Tensor:
        with torch.no_grad():
            return inferer.orientations(crop, network)

    np.testing.assert_allclose(lesion(onnx_network), lesion(torch_network), rtol=0, atol=1e-4)
    found = ratio(lambda: lesion(torch_network), lambda: lesion(onnx_network), ROUNDS)
    benchmark.pedantic(lesion, (onnx_network,), rounds=ROUNDS)
    note_row(
        benchmark,
        "`predict`, the network's part of one lesion, CPU",
        "PyTorch eager",
        "ONNX Runtime 1.5 times faster",
        f"{found} faster",
        f"{statistics.median(benchmark.stats.stats.data):.2f} s in ONNX Runtime for the eight orientations of the crop",
    )


def test_from_start_to_files(benchmark: Any, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "mammogram.dcm"
    box = write_mammogram(file)

    def call(*arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)

    def predict(engine: str) -> None:
        given = {"image": file, "boxes": str(box), "run_dir": run, "engine": engine}
        given["output_dir"] = tmp_path / f"{engine}_{len(list(tmp_path.iterdir()))}"
        call("-m", "scripts", "predict", *(part for name, value in given.items() for part in (f"--{name}", str(value))))

    predict("onnx")  # exports the network
    by_engine = {engine: [seconds(lambda e=engine: predict(e)) for _ in range(ROUNDS)] for engine in ("torch", "onnx")}
    imports = [seconds(lambda: call("-c", "import scripts.predict")) for _ in range(ROUNDS)]
    parts = in_process("tests.benchmarks.predict_parts", str(file), str(box), str(run))
    benchmark.pedantic(predict, ("onnx",), rounds=1)
    torch_seconds, onnx_seconds = (statistics.median(found) for found in by_engine.values())
    note_row(
        benchmark,
        "`predict`, start of the process to files, 14 megapixels of DICOM",
        "PyTorch, ONNX Runtime",
        "to be told",
        f"{torch_seconds:.1f} s, {onnx_seconds:.1f} s",
        f"imports alone {statistics.median(imports):.1f} s; in PyTorch "
        + ", ".join(f"{name} {spent:.2f} s" for name, spent in parts.items()),
    )
