"""Small mammograms for every test, and the real ones where `MAMMO_REAL_DATA` names them."""

from __future__ import annotations

import logging
import os
import runpy
import sys
import warnings
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from dask.distributed import LocalCluster
from hypothesis import settings

from scripts.prepare.manifest import prepare_manifest
from tests.browser import chromium, open_page  # noqa: F401 (fixtures)
from tests.helpers import SMALL, TRAIN, write_manifest
from tests.reliability import count_outcome

# They train, start a cluster or a browser, or read real mammograms.
SLOW_FIXTURES = {"train", "as_program", "scheduler", "chromium", "real_data"}

# How long an example takes depends on what else the machine does.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that run programs as slow; the longest comes first, so that the other process has enough to do."""
    for item in items:
        if SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
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
