"""A drawing as a file: the same drawing gives the same bytes."""

from __future__ import annotations

import io
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# matplotlib would write the time of day and its own version.
NO_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
}
# Letters as outlines look the same everywhere; in a PDF they stay text that can be searched and edited.
SETTINGS: dict[Any, Any] = {"svg.hashsalt": "drawing", "svg.fonttype": "path", "pdf.fonttype": 42}


def drawn_as(drawing: Figure, form: Literal["png", "pdf", "svg"], dpi: float = 100) -> bytes:
    """The content of a file of `drawing`.

    Args:
        drawing: of any content.
        form: of the file.
        dpi: pixels per inch of a PNG, and of what a PDF or an SVG holds as pixels.
    """
    file = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        drawing.savefig(file, format=form, dpi=dpi, metadata=NO_METADATA[form])
    return file.getvalue()


def show_detail(axes: Axes, detail: np.ndarray, limits: tuple[float, float], caption: str = "") -> None:
    """A grey detail `(X, Y)` between the black and the white level of `limits`, with a caption under it."""
    axes.imshow(detail.T, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    if caption:
        axes.set_xlabel(caption, fontsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)
