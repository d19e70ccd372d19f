"""A report's figures: how they look, what the page shows of them, and their files."""

from __future__ import annotations

import base64
import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.figure import Figure as Drawing
from PIL import Image

from scripts.common.drawing import GREY, drawn_as
from scripts.report.blocks import Figure

CSS_PIXELS_PER_INCH = 96
# Twice what a common screen shows, for fine screens and for print.
DPI = 200
JPEG_QUALITY = 88
# A drawing of thousands of dots is smaller as pixels, and a browser is faster with it.
LARGEST_SVG = 250_000

# Of a figure, in inches; one as wide as this is legible on a phone.
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


@dataclass(frozen=True)
class Picture:
    """What a page shows of a figure.

    Attributes:
        address: a data URI.
        width: in CSS pixels, at which its letters have the size that they were drawn in.
        height: in CSS pixels.
    """

    address: str
    width: int
    height: int


def figure_files(figure: Figure) -> tuple[Picture, dict[str, bytes]]:
    """What the page shows of `figure`, and its files by their suffix; the same figure gives the same bytes."""
    png = drawn_as(figure.drawing, "png", DPI)
    files = {".png": png, ".pdf": drawn_as(figure.drawing, "pdf", DPI)}
    return _picture(figure.drawing, png, figure.photographic), files


def show_png(png: bytes) -> Picture:
    """A PNG as it is, in the size that it says it has."""
    with Image.open(io.BytesIO(png)) as image:
        per_inch = image.info.get("dpi", (CSS_PIXELS_PER_INCH,))[0]
        width, height = (round(side * CSS_PIXELS_PER_INCH / per_inch) for side in image.size)
    return Picture(data_uri("image/png", png), width, height)


def data_uri(kind: str, content: bytes) -> str:
    """`content` as an address that needs no file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _picture(drawing: Drawing, png: bytes, photographic: bool) -> Picture:
    width, height = (round(side * CSS_PIXELS_PER_INCH) for side in drawing.get_size_inches())
    if photographic:
        return Picture(data_uri("image/jpeg", _as_jpeg(png)), width, height)
    # As an image of its own an SVG keeps its ids and styles to itself.
    svg = _bare(drawn_as(drawing, "svg"))
    if len(svg) > LARGEST_SVG:
        return Picture(data_uri("image/png", png), width, height)
    return Picture(data_uri("image/svg+xml", svg), width, height)


def _as_jpeg(png: bytes) -> bytes:
    jpeg = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        # Without subsampling, since outlines are thin and coloured.
        image.convert("RGB").save(jpeg, format="jpeg", quality=JPEG_QUALITY, optimize=True, subsampling=0)
    return jpeg.getvalue()


def _bare(svg: bytes) -> bytes:
    """An SVG without the prologue, which names an address, and without the lines' indentation."""
    return b"\n".join(line.strip() for line in svg[svg.index(b"<svg") :].splitlines())
