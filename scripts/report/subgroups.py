"""Dice by BI-RADS, density, pathology, view and size, of a run and of the arms of a study."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from custom.metrics.summary import describe
from custom.metrics.vocabulary import ATTRIBUTES, GROUPS
from scripts.common.cases import Row
from scripts.common.drawing import BLUE, GREY, LIGHT_GREY
from scripts.common.formatting import share
from scripts.report.blocks import Block, Figure, Figures, Table, Text
from scripts.report.figures import DICE, MANY_POINTS, dice_violins, finish, new_axes
from scripts.report.lesions import DIAMETER, diameter, is_known, left_out, named_value, shown_value
from scripts.report.metrics import interval
from scripts.report.sources import Evaluation, Run, StudyResults

SIZE = f"lesion's {DIAMETER}"
QUARTERS = 4
# A running median over fewer lesions than this is noise.
LEAST_IN_WINDOW = 10


def subgroups(run: Run) -> list[Block]:
    """Make violins, Dice against size and the table of the groups for each principal evaluation."""
    blocks: list[Block] = []
    for evaluation in run.principal:
        if len(run.principal) > 1:
            blocks.append(Text(f"On {run.title(evaluation)}: {evaluation.tested}."))
        blocks.append(Figures(_figures(run, evaluation)))
        blocks.append(_table(evaluation, run.title(evaluation)))
    return blocks


def group_lesions(lesions: Sequence[Row], attribute: str) -> dict[str, list[Row]]:
    """Group the lesions by the value of an attribute, in the order of the values; those without one are left out."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for lesion in lesions:
        if is_known(lesion[attribute]):
            groups[lesion[attribute]].append(lesion)
    return {name: groups[name] for name in sorted(groups)}


def group_by_size(lesions: Sequence[Row]) -> dict[str, list[Row]]:
    """Group the lesions into quarters by diameter, named by the smallest and the largest; fewer with equal diameters.

    The diameters are rounded to whole pixels before, so that no two quarters end in the same.
    """
    diameters = np.array([round(diameter(lesion)) for lesion in lesions])
    edges = np.quantile(diameters, np.arange(1, QUARTERS) / QUARTERS)
    quarters = np.searchsorted(edges, diameters)
    groups: dict[str, list[Row]] = {}
    for quarter in np.unique(quarters):
        inside = np.flatnonzero(quarters == quarter)
        low, high = diameters[inside].min(), diameters[inside].max()
        groups[f"{low}" if low == high else f"{low} to {high}"] = [lesions[number] for number in inside.tolist()]
    return groups


def summaries(evaluation: Evaluation) -> dict[str, Row]:
    """Return what `describe` returns of each group by its name: of the values of every attribute, then of the sizes.

    An attribute that no lesion has is left out; the lesions without a value come last.
    """
    found: dict[str, Row] = {}
    for attribute in GROUPS:
        groups = evaluation.summary["by"][attribute]
        if any(map(is_known, groups)):
            values = sorted(groups, key=lambda value: (not is_known(value), value))
            found |= {named_value(attribute, value): groups[value] for value in values}
    for size, lesions in group_by_size(evaluation.lesions).items():
        found[f"diameter {size} pixels"] = describe(lesions, *evaluation.bootstrap)
    return found


def _figures(run: Run, evaluation: Evaluation) -> list[Figure]:
    end, lesions = run.suffix(evaluation), evaluation.lesions
    figures = []
    for attribute in GROUPS:
        groups = {shown_value(attribute, value): group for value, group in group_lesions(lesions, attribute).items()}
        if groups:
            note = left_out(len(lesions) - sum(map(len, groups.values())))
            figures.append(dice_violins(f"dice_by_{attribute}{end}", groups, ATTRIBUTES[attribute], note))
    note = (
        " The diameter is that of the circle with as many pixels of the source image. The groups are quarters of the "
        "lesions, fewer where diameters are equal."
    )
    figures.append(dice_violins(f"dice_by_size{end}", group_by_size(lesions), SIZE, note))
    return [*figures, _dice_against_size(f"dice_against_size{end}", lesions)]


def _dice_against_size(name: str, lesions: Sequence[Row]) -> Figure:
    drawing, axes = new_axes(height=3.8)
    sizes = np.array([diameter(lesion) for lesion in lesions])
    dice, ellipse = (np.array([lesion[key] for lesion in lesions]) for key in ("dice", "dice_ellipse"))
    many = len(lesions) > MANY_POINTS
    points: dict[str, Any] = {"markersize": 3.5, "linestyle": "", "rasterized": many}
    axes.plot(sizes, ellipse, marker="x", color=LIGHT_GREY, label="ellipse in the box", **points)
    axes.plot(
        sizes, dice, marker="o", color=BLUE, markeredgewidth=0, alpha=0.25 if many else 0.5, label="network", **points
    )
    caption = "Each lesion twice: the network's outline, and the ellipse inscribed in its box, which needs no network."
    if len(lesions) >= 2 * LEAST_IN_WINDOW:
        for values, colour, style, label in ((ellipse, GREY, "--", "ellipse"), (dice, "black", "-", "network")):
            axes.plot(*running_median(sizes, values), style, color=colour, linewidth=2, label=f"{label}, median")
        caption += " Lines: running medians."
    axes.set_xscale("log")
    _name_ticks(axes, sizes)
    finish(axes, f"{SIZE} (log scale)", DICE, grid="both", legend=True)
    small, large = (dice[sizes <= np.median(sizes)], dice[sizes >= np.median(sizes)])
    alt = (
        f"Dice against the lesion's diameter of {sizes.min():.0f} to {sizes.max():.0f} pixels: median "
        f"{share(float(np.median(small)))} in the smaller half, {share(float(np.median(large)))} in the larger half; "
        f"of the ellipse {share(float(np.median(ellipse)))} in all."
    )
    return Figure(name, drawing, alt, caption)


def running_median(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of `x` and `y` `(N,)` in windows of neighbouring `x`, a seventh of all but at least ten wide."""
    order = np.argsort(x, kind="stable")
    width = max(LEAST_IN_WINDOW, len(x) // 7)
    windows = np.lib.stride_tricks.sliding_window_view(order, width)[:: max(1, width // 3)]
    return np.median(x[windows], axis=1), np.median(y[windows], axis=1)


def _name_ticks(axes: Axes, sizes: np.ndarray) -> None:
    """Whole numbers at 1, 2 and 5 times the powers of ten, or the ends where that leaves a single one."""
    low, high = axes.get_xlim()
    ticks = [step * 10**power for power in range(6) for step in (1, 2, 5) if low <= step * 10**power <= high]
    if len(ticks) < 2:
        ticks = sorted({round(sizes.min()), round(np.median(sizes)), round(sizes.max())})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(low, high)


def _table(evaluation: Evaluation, about: str) -> Table:
    rows = []
    for name, group in summaries(evaluation).items():
        dice = group["per_lesion"]["dice"]
        numbers = [f"{group['lesions']:,}", f"{group['patients']:,}"]
        rows.append([name, *numbers, share(dice["mean"]), share(dice["median"]), interval(dice["interval"])])
    caption = (
        f"{about}: Dice over the lesions of each group. Interval: of the mean, from a bootstrap that draws whole "
        "patients; none with one patient."
    )
    return Table(
        ("group", "lesions", "patients", "mean Dice", "median", f"{evaluation.confidence} interval"), rows, caption
    )


def arms(study: StudyResults) -> list[Block]:
    """Show the Dice of the lesions in each arm, and of each arm in each subgroup; in the study's first test."""
    lesions = {arm: study.mean_lesions(arm) for arm in study.first_tests()}
    if not lesions:
        return []
    note = " Dice is averaged over the seeds."
    if any(len(run.evaluations) > 1 for runs in study.runs.values() for run in runs):
        note += " Of the study's tests, the first."
    table = _arms_table(lesions)
    figure = dice_violins("dice_by_arm", lesions, "arm of the study", note)
    return [Figures([figure]), *([table] if table.rows else [])]


def _arms_table(lesions: Mapping[str, Sequence[Row]]) -> Table:
    """A row for each group, a column for each arm; the number of lesions in one column where all arms have the same."""
    same = len({frozenset(lesion["lesion_id"] for lesion in rows) for rows in lesions.values()}) == 1

    def cell(group: Sequence[Row]) -> str:
        if not group:
            return ""
        mean = share(float(np.mean([lesion["dice"] for lesion in group])))
        return mean if same else f"{mean} ({len(group):,})"

    rows = []
    for attribute in GROUPS:
        by_arm = [group_lesions(of_arm, attribute) for of_arm in lesions.values()]
        for value in sorted(set().union(*by_arm)):
            groups = [arm.get(value, []) for arm in by_arm]
            number = [f"{len(groups[0]):,}"] if same else []
            rows.append([named_value(attribute, value), *number, *map(cell, groups)])
    headings = ("group", *(("lesions",) if same else ()), *lesions)
    caption = "Mean Dice over the lesions of each group, each lesion averaged over the seeds"
    return Table(headings, rows, f"{caption}." if same else f"{caption}; in brackets the lesions.")
