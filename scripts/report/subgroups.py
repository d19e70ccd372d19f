"""In which lesions a run is good and in which not: Dice by BI-RADS, density, pathology, view and size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from custom.metrics.summary import describe
from scripts.common.drawing import BLUE, GREY, LIGHT_GREY
from scripts.common.formatting import count, share
from scripts.report.blocks import Block, Figure, Figures, Table, Text
from scripts.report.drawing import MANY_POINTS, draw_violins, finish, legend_below, new_axes, tell_medians
from scripts.report.evaluations import principal, suffix, tested, title
from scripts.report.lesions import DIAMETER, diameter, is_known, value_told
from scripts.report.metrics import interval
from scripts.report.sources import Evaluation, Row, Run

ATTRIBUTES = {"birads": "BI-RADS", "density": "ACR density", "pathology": "pathology", "view": "view"}
SIZE = f"lesion's {DIAMETER}"
DICE = "Dice of a lesion (1 = perfect)"
QUARTERS = 4
# A running median over fewer lesions than this is noise.
LEAST_IN_WINDOW = 10


def subgroups(run: Run) -> list[Block]:
    """Violins, Dice against size and the table of the groups, for each principal evaluation."""
    blocks: list[Block] = []
    for evaluation in principal(run):
        if len(principal(run)) > 1:
            blocks.append(Text(f"On {title(run, evaluation)}: {tested(evaluation)}."))
        blocks.append(Figures(_figures(run, evaluation)))
        blocks.append(_table(evaluation, title(run, evaluation)))
    return blocks


def group_lesions(lesions: Sequence[Row], attribute: str) -> dict[str, list[Row]]:
    """The lesions by the value of an attribute, in the order of the values; those without one are left out."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for lesion in lesions:
        if is_known(lesion[attribute]):
            groups[lesion[attribute]].append(lesion)
    return {name: groups[name] for name in sorted(groups)}


def group_by_size(lesions: Sequence[Row]) -> dict[str, list[Row]]:
    """Quarters of the lesions by diameter, each named by its smallest and largest; fewer where diameters are equal.

    The diameters are rounded to whole pixels before, so that no two quarters end in the same.
    """
    diameters = np.array([round(diameter(lesion)) for lesion in lesions])
    edges = np.quantile(diameters, np.arange(1, QUARTERS) / QUARTERS)
    groups: dict[str, list[Row]] = {}
    for quarter in range(QUARTERS):
        inside = np.searchsorted(edges, diameters) == quarter
        members = [lesion for lesion, is_inside in zip(lesions, inside, strict=True) if is_inside]
        if members:
            low, high = diameters[inside].min(), diameters[inside].max()
            groups[f"{low}" if low == high else f"{low} to {high}"] = members
    return groups


def summaries(evaluation: Evaluation) -> dict[str, Row]:
    """What `describe` says of each group by its name: of the values of every attribute, then of the sizes."""
    settings = evaluation.summary["settings"]
    by_attribute = {
        f"{label} {value_told(attribute, value)}": group
        for attribute, label in ATTRIBUTES.items()
        for value, group in _known_first(evaluation.summary["by"][attribute])
    }
    bootstrap = settings["bootstrap_samples"], settings["confidence"], settings["seed"]
    by_size = group_by_size(evaluation.lesions).items()
    return by_attribute | {f"diameter {name} pixels": describe(members, *bootstrap) for name, members in by_size}


def _figures(run: Run, evaluation: Evaluation) -> list[Figure]:
    end, lesions = suffix(run, evaluation), evaluation.lesions
    figures = []
    for attribute, label in ATTRIBUTES.items():
        groups = {value_told(attribute, value): group for value, group in group_lesions(lesions, attribute).items()}
        if groups:
            figures.append(_violins(f"dice_by_{attribute}{end}", groups, label, len(lesions)))
    figures.append(_violins(f"dice_by_size{end}", group_by_size(lesions), SIZE, len(lesions)))
    return [*figures, _dice_against_size(f"dice_against_size{end}", lesions)]


def _violins(name: str, groups: Mapping[str, Sequence[Row]], label: str, lesions: int) -> Figure:
    values = {group: [lesion["dice"] for lesion in members] for group, members in groups.items()}
    caption = "Each point is a lesion, the line is the median."
    left_out = lesions - sum(map(len, values.values()))
    if left_out:
        caption += f" Without a known value and left out: {count(left_out, 'lesion')}."
    if label == SIZE:
        caption += " The diameter is that of the circle with as many pixels of the source image. The groups are "
        caption += "quarters of the lesions, fewer where diameters are equal."
    alt = f"Dice of the lesions by {label}; medians: {tell_medians(values)}."
    return Figure(name, draw_violins(values, label, DICE), alt, caption)


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
    finish(axes, f"{SIZE} (log scale)", DICE, grid="both")
    legend_below(drawing)
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
    windows = [order[start : start + width] for start in range(0, len(x) - width + 1, max(1, width // 3))]
    return np.array([np.median(x[window]) for window in windows]), np.array(
        [np.median(y[window]) for window in windows]
    )


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
    rows = [_cells(name, group) for name, group in summaries(evaluation).items()]
    percent = f"{100 * evaluation.summary['settings']['confidence']:g} %"
    caption = f"{about}: Dice over the lesions of each group. Interval: of the mean, from a bootstrap that draws whole "
    caption += "patients; none with one patient."
    return Table(("group", "lesions", "patients", "mean Dice", "median", f"{percent} interval"), rows, caption)


def _known_first(groups: Mapping[str, Row]) -> list[tuple[str, Row]]:
    """Without an attribute that no lesion has."""
    if not any(map(is_known, groups)):
        return []
    return sorted(groups.items(), key=lambda item: (not is_known(item[0]), item[0]))


def _cells(name: str, group: Row) -> list[str]:
    dice = group["per_lesion"]["dice"]
    numbers = [f"{group['lesions']:,}", f"{group['patients']:,}"]
    return [name, *numbers, share(dice["mean"]), share(dice["median"]), interval(dice["interval"])]
