"""Colours of figures, grey details in them, and figures as files: the same figure gives the same bytes."""

from __future__ import annotations

import io
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), which colour-blind readers tell apart as well; without
# their yellow, which white swallows.
BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
GREY, LIGHT_GREY = "#555555", "#BBBBBB"
COLOURS = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY, "black")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")

# matplotlib would write the time of day and its own version.
NO_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
}
# Letters as outlines look the same everywhere; in a PDF they stay text that can be searched and edited.
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "drawing", "svg.fonttype": "path", "pdf.fonttype": 42}


def drawn_as(figure: Figure, form: Literal["png", "pdf", "svg"], dpi: float = 100) -> bytes:
    """Return the content of a file of `figure`; `dpi` is also that of what a PDF or an SVG holds as pixels."""
    file = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(file, format=form, dpi=dpi, metadata=NO_METADATA[form])
    return file.getvalue()


def show_detail(axes: Axes, detail: np.ndarray, limits: tuple[float, float], caption: str = "") -> None:
    """Show a grey detail `(X, Y)` between the black and the white level of `limits`, with a caption under it."""
    axes.imshow(detail.T, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    if caption:
        axes.set_xlabel(caption, fontsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)
