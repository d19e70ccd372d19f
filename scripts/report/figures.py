"""Style, axes, violins and outlined mammograms of the report's figures."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from scipy.stats import gaussian_kde

from scripts.common.cases import Row
from scripts.common.drawing import BLUE, GREY, ORANGE, SKY, show_detail
from scripts.common.formatting import share
from scripts.report.blocks import Figure

# Twice what a common screen shows, for fine screens and for print.
DPI = 200
# More points than this are drawn as pixels, which an SVG holds in fewer bytes.
MANY_POINTS = 300
# With fewer different values, a violin shows a shape that nobody measured.
LEAST_FOR_VIOLIN = 5
LETTERS_PER_INCH = 16
VIOLIN_WIDTH = 0.85
# Longest side in pixels at which an image still has something to show on a page.
LONGEST = 700
COLOURS = "Blue: true outline; orange: predicted."
DICE = "Dice of a lesion (1 = perfect)"

# Inches; a figure as wide as this is legible on a phone.
WIDTH, HEIGHT = 4.6, 3.4
STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 9,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "figure.titlesize": 10.5,
    "figure.figsize": (WIDTH, HEIGHT),
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.facecolor": "white",
}


def figure_style() -> AbstractContextManager[None]:
    """The style of all figures of a report, to draw within."""
    return matplotlib.rc_context(STYLE)


def new_axes(width: float = WIDTH, height: float = HEIGHT) -> tuple[Drawing, Axes]:
    """An empty drawing of `width` x `height` inches with one pair of axes."""
    drawing = Drawing(figsize=(width, height))
    return drawing, drawing.subplots()


def new_tiles(number: int, columns: int, height: float) -> tuple[Drawing, list[Axes]]:
    """A drawing of `number` axes in rows of `columns`, each row `height` inches high."""
    rows = -(-number // columns)
    drawing = Drawing(figsize=(WIDTH, height * rows))
    tiles: list[Axes] = drawing.subplots(rows, columns, squeeze=False).ravel().tolist()
    for tile in tiles[number:]:
        tile.axis("off")
    return drawing, tiles[:number]


def finish(axes: Axes, x: str, y: str, grid: Literal["both", "x", "y"] = "y", legend: bool = False) -> None:
    """Name the axes and draw the grid, and the legend of the figure below: many lines leave no place for it inside."""
    axes.set(xlabel=x, ylabel=y)
    axes.grid(axis=grid)
    if legend:
        axes.figure.legend(loc="outside lower center", ncols=2)


def dice_violins(name: str, groups: Mapping[str, Sequence[Row]], x: str, note: str = "") -> Figure:
    """Draw the Dice of each group's lesions as points, the shape of their distribution and their median."""
    longest_word = max(len(word) for group in groups for word in group.split())
    of_group = max(0.75, longest_word / LETTERS_PER_INCH, (WIDTH - 0.9) / len(groups))
    drawing, axes = new_axes(width=0.9 + of_group * len(groups))
    rng = np.random.default_rng(0)
    many = sum(map(len, groups.values())) > MANY_POINTS
    labels, medians = [], []
    for place, (group, lesions) in enumerate(groups.items()):
        values = [lesion["dice"] for lesion in lesions]
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
        median = float(np.median(values))
        axes.plot([place - 0.3, place + 0.3], [median] * 2, color="black", linewidth=2)
        labels.append(f"{textwrap.fill(group, int(of_group * LETTERS_PER_INCH))}\nn = {len(values):,}")
        medians.append(f"{share(median)} in {group} (n = {len(values)})")
    axes.set_xticks(range(len(groups)), labels)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    finish(axes, x, DICE)
    alt = f"Dice of the lesions by {x}; medians: {', '.join(medians)}."
    return Figure(name, drawing, alt, f"Each point is a lesion, the line is the median.{note}")


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """An image `(X, Y)` whose longer side is at most `LONGEST`, each pixel the mean of those that it replaces."""
    scale = LONGEST / max(pixels.shape)
    if scale >= 1:
        return pixels
    columns, rows = (max(round(side * scale), 1) for side in pixels.shape)
    return cv2.resize(pixels.astype(np.float32), (rows, columns), interpolation=cv2.INTER_AREA)


def show_outlined(
    axes: Axes,
    image: np.ndarray,
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    limits: tuple[float, float] | None = None,
) -> None:
    """Show an image `(X, Y)` with outlines of the masks over it, at most `LONGEST` pixels long.

    Black and white are at `limits`, or at the image's own minimum and maximum.
    """
    show_detail(axes, shrunk(image), limits or (float(image.min()), float(image.max())))
    for masks, colour in ((truths, BLUE), (predictions, ORANGE)):
        for mask in masks:
            # A lesion that fills the crop, or a prediction of nothing, has no outline to draw.
            if mask.any() and not mask.all():
                axes.contour(shrunk(mask.astype(np.float32)).T, [0.5], colors=colour, linewidths=1.2)


def show_box(axes: Axes, box: Sequence[float], scale: float, colour: str) -> None:
    """Draw `(x0, y0, x1, y1)`, in pixels of the frame, over the frame shown at `scale`."""
    # The centre of the first pixel is at 0, its edge half a pixel before.
    x0, y0, x1, y1 = (edge * scale - 0.5 for edge in box)
    axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=0.8))
