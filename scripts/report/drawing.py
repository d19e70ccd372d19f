"""What the report's figures of numbers have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from scipy.stats import gaussian_kde

from scripts.common.drawing import BLUE, SKY
from scripts.common.formatting import share
from scripts.report.figures import HEIGHT, WIDTH

# More points than this are drawn as pixels, which an SVG holds in fewer bytes.
MANY_POINTS = 300
# With fewer different values, a violin shows a shape that nobody measured.
LEAST_FOR_VIOLIN = 5
LETTERS_PER_INCH = 16
VIOLIN_WIDTH = 0.85


def new_axes(width: float = WIDTH, height: float = HEIGHT) -> tuple[Drawing, Axes]:
    """An empty drawing of `width` x `height` inches with one pair of axes."""
    drawing = Drawing(figsize=(width, height))
    return drawing, drawing.subplots()


def finish(axes: Axes, x: str, y: str, grid: Literal["both", "x", "y"] = "y") -> None:
    """Name the axes and draw the grid."""
    axes.set(xlabel=x, ylabel=y)
    axes.grid(axis=grid)


def legend_below(drawing: Drawing) -> None:
    """The legend of all axes, under them: where many lines go, none is free inside."""
    drawing.legend(loc="outside lower center", ncols=2)


def draw_violins(groups: Mapping[str, Sequence[float]], x: str, y: str) -> Drawing:
    """Each group's points, the shape of their distribution and their median; the number of points under each.

    Args:
        groups: values, at least one for each name.
        x: what the groups are.
        y: what the values are.
    """
    longest_word = max(len(word) for name in groups for word in name.split())
    of_group = max(0.75, longest_word / LETTERS_PER_INCH, (WIDTH - 0.9) / len(groups))
    drawing, axes = new_axes(width=0.9 + of_group * len(groups))
    rng = np.random.default_rng(0)
    many = sum(map(len, groups.values())) > MANY_POINTS
    for place, values in enumerate(groups.values()):
        spread = np.zeros(len(values))
        if len(set(values)) >= LEAST_FOR_VIOLIN:
            # As wide as the violin is there, so that its points lie inside it.
            density = gaussian_kde(values)(values)
            spread = VIOLIN_WIDTH / 2 * density / density.max()
            bodies: Any = axes.violinplot([values], [place], widths=VIOLIN_WIDTH, showextrema=False)["bodies"]
            bodies[0].set(facecolor=SKY, edgecolor=BLUE, alpha=0.35)
        across = place + 0.9 * spread * rng.uniform(-1, 1, len(values))
        alpha = 0.35 if many else 0.6
        axes.plot(across, values, "o", color=BLUE, markersize=3, markeredgewidth=0, alpha=alpha, rasterized=many)
        axes.plot([place - 0.3, place + 0.3], [np.median(values)] * 2, color="black", linewidth=2)
    labels = [
        f"{textwrap.fill(name, int(of_group * LETTERS_PER_INCH))}\nn = {len(values):,}"
        for name, values in groups.items()
    ]
    axes.set_xticks(range(len(groups)), labels)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    finish(axes, x, y)
    return drawing


def tell_medians(groups: Mapping[str, Sequence[float]]) -> str:
    """`.91 in 1 (n = 22), .90 in 2 (n = 59)`."""
    medians = {name: share(float(np.median(values))) for name, values in groups.items()}
    return ", ".join(f"{median} in {name} (n = {len(groups[name])})" for name, median in medians.items())
