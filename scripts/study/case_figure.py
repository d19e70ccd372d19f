"""What the figures of the studies of images have in common: rows of details and a chart of dots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from scripts.common.drawing import BLUE, LIGHT_GREY, ORANGE


def draw_dots(
    axes: Axes, values: Mapping[str, Sequence[float]], published: Mapping[str, tuple[float, float]], label: str
) -> None:
    """One column for each method: a dot for each case, a bar at their mean, the published range as a grey band.

    Args:
        axes: to draw in.
        values: of each method, the cases in the same order throughout; a thin line joins those of a case.
        published: range of the methods that have one.
        label: of the values.
    """
    places = range(len(values))
    bands = {place: published[name] for place, name in enumerate(values) if name in published}
    axes.bar(
        list(bands),
        [high - low for low, high in bands.values()],
        0.7,
        [low for low, _ in bands.values()],
        color=LIGHT_GREY,
        alpha=0.6,
        label="published range",
    )
    axes.use_sticky_edges = False
    axes.plot(places, list(values.values()), color=BLUE, linewidth=0.5, alpha=0.5)
    for place, column in enumerate(values.values()):
        axes.plot([place] * len(column), column, "o", color=BLUE, markersize=4, label="" if place else "a case")
        axes.hlines(float(np.mean(column)), place - 0.3, place + 0.3, ORANGE, label="" if place else "mean")
    axes.set_xticks(list(places), list(values))
    axes.set_ylabel(label)
    axes.legend(fontsize=8)
