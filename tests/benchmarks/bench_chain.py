"""Filters and the deterministic chain against scipy, scikit-image and a copy of the frame.

    python -m pytest tests/benchmarks/bench_chain.py --benchmark-json FILE

Each row fails where a result is wrong, and not where it is slow: the table tells how fast it is.
"""

from __future__ import annotations

import json
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import wiener

from custom.readers import read_pixels
from custom.transforms import ScaleFrame, WienerFilter
from tests.benchmarks.chain import COLUMNS, FRAME_BYTES, ROWS, naive, preprocessing, write_mammogram
from tests.benchmarks.ratios import in_process, note_row, ratio

PREDICTIONS = 400


@pytest.fixture(scope="module")
def mammogram(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    file = tmp_path_factory.mktemp("bench") / "mammogram.dcm"
    return file, write_mammogram(file)


def test_wiener_filter(benchmark: Any, mammogram: tuple[Path, list[int]]) -> None:
    frame = np.asarray(ScaleFrame()(read_pixels(mammogram[0])[None]))
    double = frame[0].astype(np.float64)
    with np.errstate(all="ignore"):
        # Without the border, beyond which scipy takes zeros.
        expected = wiener(double, 3, 1.0)[1:-1, 1:-1]
        np.testing.assert_allclose(WienerFilter(noise=1.0)(frame)[0, 1:-1, 1:-1], expected, rtol=0, atol=1e-3)
        against_scipy = ratio(lambda: wiener(double, 3), lambda: WienerFilter()(frame))
    against_copy = ratio(lambda: WienerFilter()(frame), frame.copy)
    benchmark.pedantic(WienerFilter(), (frame,), rounds=5)
    note_row(
        benchmark,
        f"`WienerFilter` on {ROWS} x {COLUMNS}",
        "`scipy.signal.wiener`",
        "30 times faster",
        f"{against_scipy} faster",
        f"{against_copy} the time of one copy of the frame. Two passes, compiled by numba, in one thread; separable "
        "sums need float64, with which they were slower",
    )


def test_chain(benchmark: Any, mammogram: tuple[Path, list[int]]) -> None:
    file, box = mammogram
    chain = preprocessing()

    def ours() -> Any:
        return chain({"image": str(file), "box": box})["image"]

    # CLAHE differs in how it spreads what it cuts off; a wrong place or orientation would leave nothing in common.
    assert np.corrcoef(np.asarray(ours())[0].T.ravel(), naive(file, box).ravel())[0, 1] > 0.98
    found = ratio(lambda: naive(file, box), ours)
    benchmark.pedantic(ours, rounds=5)
    note_row(
        benchmark,
        "deterministic chain, DICOM file to 224 x 224 crop",
        "pydicom, scipy, scikit-image",
        "25 times faster",
        f"{found} faster",
        f"{statistics.median(benchmark.stats.stats.data):.2f} s: a fifth for reading and turning the frame, seven "
        "tenths for scaling and filtering it, the rest for the crop",
    )
    _, before, most, *_ = in_process("tests.benchmarks.chain", str(file), json.dumps(box), "3")
    benchmark.extra_info["note"] += (
        f"; peak memory {(most - before) / FRAME_BYTES:.1f} frames of float32 with numba (reach: 6)"
    )


def test_many_files(benchmark: Any, mammogram: tuple[Path, list[int]]) -> None:
    file, box = mammogram

    def share(count: int) -> list[float]:
        return in_process("tests.benchmarks.chain", str(file), json.dumps(box), str(count), OMP_NUM_THREADS="1")

    def together() -> float:
        with ThreadPoolExecutor(2) as pool:
            return max(seconds for seconds, *_ in pool.map(share, [PREDICTIONS // 4] * 2))

    alone = share(PREDICTIONS // 2)
    pair = benchmark.pedantic(together, rounds=1)
    _, _, _, early, late = alone
    note_row(
        benchmark,
        f"the same, {PREDICTIONS} times",
        "one at a time",
        "1.8 times on 2 cores, no growth of memory",
        f"{alone[0] / pair:.2f} times with 2 processes",
        f"after a tenth of the times {early / 1e6:.0f} MB, after all {late / 1e6:.0f} MB; one thread in each process",
    )
