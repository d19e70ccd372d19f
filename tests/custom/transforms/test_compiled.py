"""Compiled functions where the compiler may not keep them, in other processes and in threads."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from monai.data import DataLoader, Dataset
from monai.transforms import Compose
from numba.core import caching

from custom.transforms import CLAHE, CLAHEd, ScaleFramed, WienerFilter, WienerFilterd
from custom.transforms.compiled import compiled

pytestmark = pytest.mark.slow

IMAGE = np.random.default_rng(4).uniform(0, 255, (1, 60, 70)).astype(np.float32)


def double(value: float) -> float:
    return 2 * value


@pytest.mark.parametrize(
    "fault", [OSError("no space left on device"), EOFError(), RuntimeError("no locator available")]
)
def test_works_where_nothing_can_be_kept(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(caching.IndexDataCacheFile, "load", fail)
    monkeypatch.setattr(caching.IndexDataCacheFile, "save", fail)
    assert compiled("float64(float64)")(double)(21.0) == 42


def test_works_where_no_folder_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", fail)
    assert compiled("float64(float64)")(double)(21.0) == 42


def test_the_compiler_is_loaded_by_the_first_call() -> None:
    code = "import sys, custom.transforms; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True)


def test_workers_and_threads_filter_alike() -> None:
    filters = Compose([ScaleFramed("image"), WienerFilterd("image"), CLAHEd("image")])
    expected = np.asarray(filters({"image": IMAGE})["image"])
    # Forked after the compiler has been used here.
    for batch in DataLoader(Dataset([{"image": IMAGE}] * 4, filters), num_workers=2):
        np.testing.assert_array_equal(batch["image"][0], expected)
    with ThreadPoolExecutor(4) as pool:
        for item in pool.map(filters, [{"image": IMAGE}] * 8):
            np.testing.assert_array_equal(item["image"], expected)


def test_takes_any_layout() -> None:
    turned = np.ascontiguousarray(IMAGE.transpose(0, 2, 1)).transpose(0, 2, 1)
    assert not turned.flags.c_contiguous
    for transform in (WienerFilter(), CLAHE()):
        np.testing.assert_array_equal(np.asarray(transform(turned)), np.asarray(transform(IMAGE)))
