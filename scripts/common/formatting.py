"""Numbers, names and tables as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from custom.metrics.vocabulary import METRICS


def text_table(headings: Iterable[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    headings = list(headings)
    cells = [headings, ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in cells)


def share(value: float, decimals: int = 3, sign: str = "") -> str:
    """Format a number without the zero before the point: .895, 1.000; with `sign` "+" also +.012."""
    return re.sub(r"^([+-]?)0\.", r"\1.", f"{value:{sign}z.{decimals}f}")


def metric_text(name: str, value: float, sign: str = "") -> str:
    """Format a value of a metric with the digits that `METRICS` gives it."""
    metric = METRICS[name]
    if metric.unit:
        return f"{value:{sign}.{metric.decimals}f}"
    return share(value, metric.decimals, sign)


def count(number: int, what: str) -> str:
    """Format a count: `1 lesion`, `2,000 lesions`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def count_lesions(lesions: int, patients: int) -> str:
    """Format counts: `127 lesions of 70 patients`."""
    return f"{count(lesions, 'lesion')} of {count(patients, 'patient')}"


def times(sides: Iterable[int]) -> str:
    """Format a size: `8 x 8`."""
    return " x ".join(map(str, sides))


def slug(name: str) -> str:
    """Return `name` as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", name).strip("_")
