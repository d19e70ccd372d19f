"""Figure of a study: its arms beside each other, or its arms over the tests."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.common.drawing import BLUE, COLOURS, GREY, MARKERS, VERMILLION
from scripts.study.definition import paper_value
from scripts.study.page import baseline_label, count_tested
from scripts.study.table import BASELINES

Row = dict[str, Any]

LABEL_WIDTH = 26
TITLE_WIDTH = 80
BASELINE_MARKERS = (("|", 13, 2), ("x", 7, 1))


def draw_study(rows: Sequence[Row], about: Mapping[str, Any]) -> Figure:
    """Draw lines over the tests where there are several and all their names are numbers, else a line for each row.

    See `markdown` for the arguments; `description` is the title, `test` names the axis of the tests.
    """
    places = {row["test"]: _number(row["test"]) for row in rows}
    known = {test: place for test, place in places.items() if place is not None}
    over_tests = len(places) > 1 and known == places
    figure = _draw_lines(rows, about["test"], known) if over_tests else _draw_forest(rows)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    title = textwrap.fill(about["description"], TITLE_WIDTH)
    tested = count_tested(rows) or "each arm on its own lesions"
    origin = about["origin"]
    figure.suptitle(f"{title}\n{origin['data set']}, split {origin['split']}: {tested}", fontsize="large")
    return figure


def _draw_forest(rows: Sequence[Row]) -> Figure:
    """Left each row's Dice with interval, seeds, baselines and paper; right its difference to the reference."""
    compared = any(row["difference"] is not None for row in rows)
    labels = [_label(row, compared) for row in rows]
    height = 1.9 + sum(0.4 + 0.17 * label.count("\n") for label in labels)
    figure = Figure(figsize=(10 if compared else 7.5, height), layout="constrained")
    widths = [3, 2] if compared else [1]
    left, *right = figure.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0]
    for y, row in enumerate(rows):
        _draw_row(left, y, row)
        if row["difference"] is not None:
            _draw_interval(right[0], y, row, "difference")
    left.set_yticks(range(len(rows)), labels)
    left.set_ylim(len(rows) - 0.5, -0.5)
    left.set_xlabel("Dice, mean over the lesions (1 = perfect)")
    for axes in right:
        axes.axvline(0, color=GREY, linewidth=1)
        axes.set_xlabel(f"Dice minus that of {_wrap(rows[0]['reference'])}")
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=5)
        axes.margins(x=0.1)
    for axes in (left, *right):
        axes.grid(axis="x", alpha=0.3)
    handles, names = left.get_legend_handles_labels()
    # One entry for each kind of mark.
    marks = dict(zip(names, handles, strict=True))
    figure.legend(list(marks.values()), list(marks), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw_row(axes: Axes, y: int, row: Row) -> None:
    _draw_interval(axes, y, row, "dice", label="mean" if row["dice_low"] is None else f"mean with {_percent(row)}")
    if row["seeds"] > 1:
        axes.plot(row["dice_of_seeds"], [y + 0.24] * row["seeds"], ".", color=BLUE, alpha=0.6, label="each seed's mean")
    for name, (marker, size, width) in zip(BASELINES, cycle(BASELINE_MARKERS), strict=False):
        label = baseline_label(name)
        axes.plot(row[name], y, marker, color=GREY, markersize=size, markeredgewidth=width, label=label)
    if row["paper_dice"]:
        paper = paper_value(row["paper_dice"]) / 100
        axes.plot(paper, y, "D", color=VERMILLION, markerfacecolor="none", label="paper (other data)")


def _draw_interval(axes: Axes, y: int, row: Row, name: str, label: str | None = None) -> None:
    if row[f"{name}_low"] is not None:
        axes.plot([row[f"{name}_low"], row[f"{name}_high"]], [y, y], color=BLUE, linewidth=2)
    axes.plot(row[name], y, "o", color=BLUE, label=label)


def _draw_lines(rows: Sequence[Row], test: str, places: Mapping[str, float]) -> Figure:
    """Dice over the tests: a line with a band for each arm, and the ellipse in the boxes of the reference's test."""
    arms = {row["arm"]: _wrap(row["arm"]) for row in rows}
    legend = sum(0.25 + 0.17 * label.count("\n") for label in arms.values())
    figure = Figure(figsize=(10, max(5.2, 1.5 + legend)), layout="constrained")
    axes = figure.subplots()
    rows = sorted(rows, key=lambda row: places[row["test"]])
    for number, (arm, label) in enumerate(arms.items()):
        line = [row for row in rows if row["arm"] == arm]
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        style = "-" if number < len(COLOURS) else ":"
        x = [places[row["test"]] for row in line]
        axes.plot(x, [row["dice"] for row in line], style, marker=marker, color=colour, label=label)
        if all(row["dice_low"] is not None for row in line):
            low, high = ([row[f"dice_{end}"] for row in line] for end in ("low", "high"))
            axes.fill_between(x, low, high, color=colour, alpha=min(0.15, 0.6 / len(arms)), linewidth=0)
    line = [row for row in rows if row["arm"] == row["reference"]]
    ellipse = [row["dice_ellipse"] for row in line]
    label = baseline_label("dice_ellipse")
    axes.plot([places[row["test"]] for row in line], ellipse, "--", color=GREY, label=label)
    axes.set_xticks(list(places.values()), list(places))
    axes.set(xlabel=test, ylabel=f"Dice, mean over the lesions; band: {_percent(rows[0])}")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right center", frameon=False)
    return figure


def _number(test: str) -> float | None:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?) ?%?", test)
    return float(found[1]) if found else None


def _percent(row: Row) -> str:
    return f"{100 * row['confidence']:g} % interval"


def _label(row: Row, compared: bool) -> str:
    name = f"{row['arm']}, {row['test']}" if row["test"] else row["arm"]
    return _wrap(f"{name} (reference)" if compared and row["arm"] == row["reference"] else name)


def _wrap(text: str) -> str:
    return textwrap.fill(text, LABEL_WIDTH)
