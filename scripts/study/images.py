"""Parts of the studies of images: choice of cases, grey levels, texts of tables, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from monai.transforms import ScaleIntensity

from custom.data import Datalist
from custom.errors import InputError
from scripts.common.drawing import BLUE, LIGHT_GREY, ORANGE

# As many as the paper shows.
NUMBER = 5

Row = dict[str, Any]
Images = dict[str, np.ndarray]


@dataclass(frozen=True)
class Measured:
    """Results of a study of images.

    Attributes:
        rows: Rows of `table.csv`.
        cases: Names of the cases.
        blocks: Blocks of `table.md`, as far as where it comes from.
        parameters: Lines for the table of where it comes from.
        figure: Figure of the numbers.
        details: Pictures of the cases.
    """

    rows: list[Row]
    cases: list[str]
    blocks: list[str]
    parameters: list[list[str]]
    figure: Figure
    details: Figure


def choose_cases(
    datalist: Datalist, part: str, cases: Sequence[str] | None, seed: int, one_per: str = "lesion_id"
) -> list[dict[str, Any]]:
    """Return the given lesions in their order, else five drawn by seed, or all where there are fewer.

    No two cases share the key `one_per`: `lesion_id`, or `image` for one lesion of a mammogram at most.

    Raises:
        InputError: A case that is not there, none at all, a negative seed, or what `Datalist.part` raises.
    """
    if seed < 0:
        raise InputError(f"--seed: found {seed}, expected a whole number from 0")
    entries = datalist.part(part)
    if cases is not None:
        by_id = {entry["lesion_id"]: entry for entry in entries}
        unknown = [case for case in cases if case not in by_id]
        if unknown or not cases:
            raise InputError(
                f"--cases: found {', '.join(unknown) or 'none'}, expected lesions of {part} in "
                f"{datalist.file}, such as {next(iter(by_id))}; look their lesion_id up there"
            )
        entries = [by_id[case] for case in cases]
    first: dict[str, dict[str, Any]] = {}
    for entry in entries:
        first.setdefault(entry[one_per], entry)
    chosen = list(first.values())
    if cases is None:
        drawn = np.random.default_rng(seed).choice(len(chosen), min(NUMBER, len(chosen)), replace=False)
        chosen = [chosen[index] for index in sorted(drawn)]
    return chosen


def scaled(pixels: np.ndarray) -> np.ndarray:
    """Scale pixels as training does: their minimum becomes 0, their maximum 255; float32."""
    return np.asarray(ScaleIntensity(minv=0.0, maxv=255.0)(pixels))


def to_8_bit(frame: np.ndarray) -> np.ndarray:
    """Round grey levels and clip them to 0 to 255."""
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def mean_and_range(values: Sequence[float] | np.ndarray, decimals: int, sign: str = "") -> str:
    """Format values such as `46.10 (44.80 to 47.20)`; with `sign` "+" also +1.30."""
    mean, low, high = (f"{value:{sign}z.{decimals}f}" for value in (np.mean(values), min(values), max(values)))
    return f"{mean} ({low} to {high})"


def span(ends: tuple[float, float], decimals: int) -> str:
    """Format a published range, such as `35.8 to 42.1`."""
    return f"{ends[0]:.{decimals}f} to {ends[1]:.{decimals}f}"


def draw_dots(
    axes: Axes, values: Mapping[str, Sequence[float]], published: Mapping[str, tuple[float, float]], label: str
) -> None:
    """Draw a column for each method: a dot for each case, a bar at their mean, the published range as a grey band.

    The cases of all methods are in the same order; a thin line joins the values of a case.
    """
    places = range(len(values))
    bands = {place: published[name] for place, name in enumerate(values) if name in published}
    low, high = zip(*bands.values(), strict=True)
    heights = np.subtract(high, low)
    axes.bar(list(bands), heights, 0.7, low, color=LIGHT_GREY, alpha=0.6, label="published range")
    axes.use_sticky_edges = False
    axes.plot(places, list(values.values()), color=BLUE, linewidth=0.5, alpha=0.5)
    for place, column in enumerate(values.values()):
        axes.plot([place] * len(column), column, "o", color=BLUE, markersize=4, label="" if place else "a case")
        axes.hlines(float(np.mean(column)), place - 0.3, place + 0.3, ORANGE, label="" if place else "mean")
    axes.set_xticks(list(places), list(values))
    axes.set_ylabel(label)
    axes.legend(fontsize=8)


def new_details(labels: Sequence[str], titles: Sequence[str], height: float) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes: a line of details for each label, `height` inches high, a column for each title."""
    figure = Figure(figsize=(9, height * len(labels) + 0.5), layout="constrained")
    grid = figure.subplots(len(labels), len(titles), squeeze=False)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=9)
    for axes, label in zip(grid[:, 0], labels, strict=True):
        axes.set_ylabel(label, fontsize=7)
    return figure, grid
