"""Numbers, names and tables as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def text_table(headings: Iterable[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    headings = list(headings)
    cells = [headings, ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in cells)


def share(value: float, decimals: int = 3, sign: str = "") -> str:
    """A number without the zero before the point: .895, 1.000; with `sign` "+" also +.012."""
    return re.sub(r"^([+-]?)0\.", r"\1.", f"{value:{sign}z.{decimals}f}")


def count(number: int, what: str) -> str:
    """`1 lesion`, `2,000 lesions`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def count_lesions(lesions: int, patients: int) -> str:
    """`127 lesions of 70 patients`."""
    return f"{count(lesions, 'lesion')} of {count(patients, 'patient')}"


def slug(name: str) -> str:
    """`name` as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", name).strip("_")
