"""How fast training is: data, trainer, step, start. Run it by `python -m pytest tests/benchmarks/bench_training.py`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser

from custom.runs.hardware import compiles_fast, has_fast_bfloat16
from scripts.prepare.manifest import prepare_manifest
from tests.benchmarks.ratios import Ratio, note_row, ratio, seconds
from tests.benchmarks.training_step import steps
from tests.helpers import ROOT, TRAIN, with_files, write_manifest

DEMO = with_files("demo")
BATCH = 4


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data set of 120 lesions; what a cached lesion costs does not depend on its mammogram."""
    folder = tmp_path_factory.mktemp("data")
    prepare_manifest(str(write_manifest(folder / "raw", patients=60)), str(folder / "prepared"))
    return folder / "prepared"


def once(benchmark: Any, function: Callable[[], Any]) -> Any:
    """What `function` returns, which measures several rounds itself."""
    return benchmark.pedantic(function, rounds=1, iterations=1)


def config(dataset_dir: Path, folder: Path, files: list[str], **settings: Any) -> ConfigParser:
    """The training's config with a cache and a run folder in `folder`, initialised without a run of its own."""
    parser = ConfigParser()
    parser.read_config(files)
    given = {"dataset_dir": str(dataset_dir), "output_dir": str(folder), "run_name": "run"}
    parser.update(given | settings)
    (folder / "run").mkdir(parents=True)
    parser["run_dir"] = str(folder / "run")
    parser["initialize"] = [entry for entry in parser["initialize"] if "open_run" not in str(entry)]
    parser.get_parsed_content("initialize")
    return parser


def share(part: Ratio) -> str:
    """A ratio in percent, with its extremes."""
    return f"{100 * part.median:.1f} % ({100 * part.low:.1f} to {100 * part.high:.1f})"


def test_cached_epoch(benchmark: Any, dataset_dir: Path, tmp_path: Path):
    loader = config(dataset_dir, tmp_path, [TRAIN], num_workers=0, batch_size=BATCH).get_parsed_content(
        "train#dataloader"
    )
    lesions = len(loader.dataset)

    def measure() -> Ratio:
        with steps([TRAIN], "cpu", BATCH, amp=has_fast_bfloat16()) as step:
            # The time of data and step for one batch of lesions.
            epochs = [(seconds(lambda: list(loader)) * BATCH / lesions) / seconds(step) for _ in range(6)][1:]
        return Ratio(statistics.median(epochs), min(epochs), max(epochs))

    found = once(benchmark, measure)
    note_row(
        benchmark,
        "cached epoch (data only)",
        "training step time of UNet++ on the same machine",
        "under 3 %",
        share(found),
        f"{lesions} lesions of 224 x 224 without worker processes; half is unpickling, half the random transforms",
    )


@pytest.mark.parametrize(
    ("files", "batch", "lesions", "what"),
    [([TRAIN], BATCH, 48, "the full network and size"), (DEMO, 8, 96, "the demo's small network, 64 x 64")],
    ids=["default", "small"],
)
def test_epoch_through_the_bundle(
    benchmark: Any, tmp_path: Path, dataset_dir: Path, files: list[str], batch: int, lesions: int, what: str
):
    settings = {"batch_size": batch, "val_interval": 100, "epochs": 100}
    parser = config(dataset_dir, tmp_path, files, **settings, **{"train#items#entries": f"$@train#entries[:{lesions}]"})
    dataset, trainer = (parser.get_parsed_content(name) for name in ("train#dataset", "train#trainer"))
    items = [dataset[index] for index in range(len(dataset))]
    image, label = (torch.stack([item[key] for item in items]) for key in ("image", "label"))
    network, optimizer, loss = (parser.get_parsed_content(name) for name in ("network", "optimizer", "loss"))
    more: list[float] = []
    started = [0.0]

    def bare_epoch() -> None:
        for start in range(0, len(image), batch):
            optimizer.zero_grad()
            loss(network(image[start : start + batch]), label[start : start + batch]).backward()
            optimizer.step()

    def compare(engine: Engine) -> None:
        through_bundle = time.perf_counter() - started[0]
        more.append(through_bundle / seconds(bare_epoch) - 1)
        if len(more) == 4:
            engine.terminate()
        started[0] = time.perf_counter()

    trainer.add_event_handler(Events.EPOCH_COMPLETED, compare)
    once(benchmark, trainer.run)
    counted = more[1:]
    note_row(
        benchmark,
        "one training epoch through the bundle",
        "a bare PyTorch loop, same network, batch, data already in memory",
        "at most 5 % more",
        f"{share(Ratio(statistics.median(counted), min(counted), max(counted)))} more",
        f"{what}, batches of {batch}, {len(items)} lesions; with all handlers and metrics of the training, without a "
        f"validation, and {parser['num_workers']} worker processes for the data on the same cores. A bare loop lacks: "
        "a few ms for data and metrics of each lesion, and half a second for each epoch's checkpoint; that is "
        "much beside the step of a small network and little beside that of the default one. Tried and kept: workers "
        "that live longer than an epoch, metrics by batch, plain tensors",
    )


def test_step_on_the_cpu(benchmark: Any):
    amp = has_fast_bfloat16()

    def measure() -> tuple[Ratio, Ratio]:
        with (
            steps([TRAIN], "cpu", BATCH) as plain,
            steps([TRAIN], "cpu", BATCH, amp=amp) as ours,
            steps([TRAIN], "cpu", BATCH, amp=True, channels_last=True) as bfloat16,
        ):
            return ratio(plain, ours, 4), ratio(plain, bfloat16, 2)

    found, bfloat16 = once(benchmark, measure)
    note_row(
        benchmark,
        "CPU training step",
        "eager float32",
        "at least 2 times, same validation Dice within noise",
        str(found),
        f"the defaults chosen for this machine (bfloat16 {'on' if amp else 'off'}); bfloat16 with channels-last "
        f"{bfloat16}; {_rates()}",
    )


def _rates() -> str:
    """What the cores can do in both precisions, which bounds a step that is nine tenths convolutions."""

    def rate(dtype: torch.dtype) -> float:
        matrix = torch.rand(2048, 2048).to(dtype)
        return 2 * 2048**3 / min(seconds(lambda: matrix @ matrix) for _ in range(5)) / 1e9

    single, half = rate(torch.float32), rate(torch.bfloat16)
    # Forward and backward of UNet++ at 224 x 224, counted by torch.utils.flop_counter.
    least = 150.2 * BATCH / max(single, half)
    return (
        f"a matrix product reaches {single:.0f} GFLOP/s in float32 and {half:.0f} in bfloat16, so no step of "
        f"{BATCH} lesions can take less than {least:.1f} s"
    )


def test_step_on_the_gpu(benchmark: Any):
    row = ("GPU training step", "eager float32", "at least 3 times")
    if not torch.cuda.is_available():
        once(benchmark, lambda: None)
        note_row(benchmark, *row, "not measured", "no GPU was at hand")
        return
    batch = 16
    settings = {"amp": has_fast_bfloat16(), "channels_last": True, "compile": compiles_fast()}

    def measure() -> tuple[Ratio, float]:
        with steps([TRAIN], "cuda:0", batch) as plain, steps([TRAIN], "cuda:0", batch, **settings) as ours:
            compared = ratio(plain, ours, 20)
            return compared, batch / min(seconds(ours) for _ in range(20))

    found, rate = once(benchmark, measure)
    name = torch.cuda.get_device_name()
    note_row(
        benchmark, *row, str(found), f"{name}, {settings}, data resident on the device; {rate:.0f} lesions per second"
    )


def test_start(benchmark: Any, dataset_dir: Path, tmp_path: Path):
    config(dataset_dir, tmp_path, [TRAIN])
    stop = tmp_path / "stop.json"
    stop.write_text('{"+train#handlers": [{"_target_": "tests.benchmarks.first_step.FirstStep"}]}')
    flags = {
        "config_file": [*DEMO, str(stop)],
        "dataset_dir": dataset_dir,
        "cache_dir": tmp_path / "cache",
        "output_dir": tmp_path / "runs",
    }
    given = [part for name, value in flags.items() for part in (f"--{name}", str(value))]

    def run(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
        )

    def training() -> None:
        run("-m", "monai.bundle", "run", "training", *given)

    def imports() -> None:
        run("-c", "import monai, torch")

    def measure() -> list[float]:
        return sorted(seconds(training) - seconds(imports) for _ in range(4))

    found = once(benchmark, measure)
    note_row(
        benchmark,
        "start of a training to its first step, cache filled",
        "importing monai and torch alone",
        "at most 2 s more",
        f"{statistics.median(found):.1f} s more ({found[0]:.1f} to {found[-1]:.1f})",
        "the demo's network, so that the first step itself takes little",
    )
