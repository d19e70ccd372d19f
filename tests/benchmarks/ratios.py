"""How many times as long one thing takes as another, measured in turn so that a busy machine slows both alike.

A row of the table in `bundle/docs/benchmarks.md` is the `extra_info` of one benchmark, see `note_row`.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ratio:
    """Of times, over the rounds: the median, the smallest and the largest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.1f} times ({self.low:.1f} to {self.high:.1f})"


def ratio(slow: Callable[[], Any], fast: Callable[[], Any], rounds: int = 5) -> Ratio:
    """How many times as long `slow` takes as `fast`; each is called once before the clock starts."""
    slow(), fast()
    found = [seconds(slow) / seconds(fast) for _ in range(rounds)]
    return Ratio(statistics.median(found), min(found), max(found))


def seconds(function: Callable[[], Any]) -> float:
    """That one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def note_row(benchmark: Any, row: str, against: str, reach: str, measured: str, note: str = "") -> None:
    """Put a row of the table into the benchmark's `extra_info`, from where it gets into `--benchmark-json`.

    Args:
        benchmark: the fixture of pytest-benchmark.
        row: what is measured.
        against: what it is compared with.
        reach: what was to be reached.
        measured: what was.
        note: what limits it, or how it was measured.
    """
    benchmark.extra_info.update(row=row, against=against, reach=reach, measured=measured, note=note)


def memory(key: str) -> int:
    """Bytes that `/proc/self/status` tells under `key`: `VmHWM`, the most so far, or `VmRSS`, now."""
    return 1024 * int(re.search(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # type: ignore[index]


def in_process(module: str, *arguments: str, **environment: str) -> Any:
    """What a module, run as a program of its own from the root of the repository, prints as its last line of JSON."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
