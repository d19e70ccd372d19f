"""A drawing as a file: the same drawing gives the same bytes."""

from __future__ import annotations

import io
from typing import Any, Literal

import matplotlib
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
