"""How many times one way takes as long as another on the same machine, whatever else runs there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """Time of the slow way over time of the fast one; `low` and `high` are the extremes of the rounds."""

    median: float
    low: float
    high: float


def ratio(slow: Callable[[], object], fast: Callable[[], object], rounds: int) -> Ratio:
    """Time both ways in turn, `rounds` times after one that is not counted."""
    found = [seconds(slow) / seconds(fast) for _ in range(rounds + 1)][1:]
    return Ratio(statistics.median(found), min(found), max(found))


def seconds(way: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    way()
    return time.perf_counter() - start
