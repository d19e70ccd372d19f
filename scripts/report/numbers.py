"""Numbers in the cells of tables."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

DECIMALS = 3

_NUMBER = re.compile(r"[<>≤≥]? ?[+±\N{MINUS SIGN}-]?(\.?\d|∞)")


def number_columns(rows: Sequence[Sequence[str]]) -> list[bool]:
    """Which columns are to be read as numbers: at least three in four of their cells begin with one.

    Args:
        rows: cells as they are shown, as many in each row.
    """
    columns = [[cell for cell in column if cell] for column in zip(*rows, strict=True)]
    return [bool(cells) and sum(map(bool, map(_NUMBER.match, cells))) >= 0.75 * len(cells) for cells in columns]


def shown_numbers(values: Sequence[float]) -> list[str]:
    """Numbers of a column, with as many decimals as any of them needs but at most three; "" for those that are NaN."""
    rounded = [round(value, DECIMALS) for value in values if math.isfinite(value)]
    decimals = next((n for n in range(DECIMALS) if all(round(value, n) == value for value in rounded)), DECIMALS)
    return [_shown(value, decimals) for value in values]


def _shown(value: float, decimals: int) -> str:
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # + 0.0 turns -0.0 into 0.0
