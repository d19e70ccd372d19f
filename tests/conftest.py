"""Small mammograms for every test, and the real ones where `MAMMO_REAL_DATA` names them."""

from __future__ import annotations

import csv
import logging
import os
import runpy
import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from dask.distributed import LocalCluster
from hypothesis import settings
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from custom.metrics.lesion import inscribed_ellipse
from scripts.prepare.manifest import prepare_manifest
from tests.browser import chromium, open_page  # noqa: F401 (fixtures)
from tests.reliability import count_outcome

ROOT = Path(__file__).parents[1]
TRAIN = str(ROOT / "bundle" / "configs" / "train.json")
SMALL = {"image_size": "[32,32]", "features": "[4,4,8,8,16,4]", "num_workers": "0", "batch_size": "4", "epochs": "2"}

# How long an example takes depends on what else the machine does.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


def with_files(*names: str) -> list[str]:
    """`train.json` and the config files that go over it, by their names without suffix."""
    return [TRAIN, *(TRAIN.replace("train.json", f"{name}.json") for name in names)]


def write_png(file: Path, values: np.ndarray) -> None:
    """Write `(X, Y)` as a PNG, rows first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), np.ascontiguousarray(values.T))


def write_manifest(folder: Path, patients: int = 12, seed: int = 0) -> Path:
    """A table of mammograms of noise with one bright ellipse each, two for every patient, 8-bit PNG."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(patients):
        for view in ("CC", "MLO"):
            patient, name = f"T_{number:03d}", f"T_{number:03d}_LEFT_{view}"
            size = rng.integers(90, 130, 2)
            low = rng.integers(5, 50, 2)
            high = low + rng.integers(16, 36, 2)
            mask = inscribed_ellipse((*low, *high), tuple(size))
            image = cv2.GaussianBlur(rng.normal(90, 30, size) + 70 * mask, (5, 5), 1).clip(0, 255).astype(np.uint8)
            write_png(folder / "images" / f"{name}.png", image)
            write_png(folder / "masks" / f"{name}.png", mask.astype(np.uint8) * 255)
            pathology = ("MALIGNANT", "BENIGN")[number % 2]
            rows.append((f"images/{name}.png", f"masks/{name}.png", patient, "LEFT", view, "4", "2", pathology))
    table = folder / "manifest.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "mask", "patient_id", "laterality", "view", "birads", "density", "pathology"))
        writer.writerows(rows)
    return table


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file."""
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def scalars(run: Path) -> dict[str, list[float]]:
    """The values of each scalar in the events of a run folder, epoch by epoch."""
    events = EventAccumulator(str(run))
    events.Reload()
    return {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test comes first, so that the other process has enough to do beside it."""
    items.sort(key=lambda item: item.name != "test_the_readme")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport]:
    """The outcome of a test with a promise is counted."""
    report = yield
    promise = item.get_closest_marker("promise")
    if promise and call.when == "call":
        count_outcome(item.nodeid, *promise.args, report.outcome)
    return report


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data set of 24 lesions; read only."""
    folder = tmp_path_factory.mktemp("small")
    prepare_manifest(str(write_manifest(folder / "raw")), str(folder / "prepared"))
    return folder / "prepared"


@pytest.fixture
def own_dataset(tmp_path: Path) -> Path:
    """A prepared data set of a test's own, to spoil."""
    prepare_manifest(str(write_manifest(tmp_path / "raw", patients=4)), str(tmp_path / "prepared"), copy=True)
    return tmp_path / "prepared"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real mammograms, or the test is skipped."""
    if not os.environ.get("MAMMO_REAL_DATA"):
        pytest.skip("MAMMO_REAL_DATA names no folder of real mammograms")
    return Path(os.environ["MAMMO_REAL_DATA"])


@pytest.fixture
def as_program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Runs `python -m <module> <arguments>` inside this process; its errors reach the test instead of the hook."""
    hook, path, handlers, level = sys.excepthook, list(sys.path), list(logging.root.handlers), logging.root.level

    def run(module: str, *arguments: str, **flags: object) -> None:
        flagged = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
        monkeypatch.setattr(sys, "argv", [module, *map(str, arguments), *flagged])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runpy.run_module(module, run_name="__main__", alter_sys=True)

    yield run
    sys.excepthook, sys.path[:], logging.root.handlers, logging.root.level = hook, path, handlers, level


@pytest.fixture
def train(as_program: Callable[..., None], tmp_path: Path) -> Callable[..., Path]:
    """Trains a small network for two epochs in this process and returns the run folder."""

    def run(dataset_dir: Path, run_name: str = "run", **switches: object) -> Path:
        given = {"dataset_dir": dataset_dir, "output_dir": tmp_path / "runs", "run_name": run_name}
        as_program("monai.bundle", "run", "training", **{"config_file": TRAIN} | SMALL | given | switches)
        return tmp_path / "runs" / run_name

    return run


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Address of a Dask cluster inside this process, which starts at once; a program reaches it as well."""
    with LocalCluster(
        processes=False, protocol="tcp", n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address
