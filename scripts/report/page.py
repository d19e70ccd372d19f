"""A report as one HTML file that needs nothing else and asks for nothing, and its figures as files."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from custom.errors import InputError
from scripts.common.drawing import drawn_as
from scripts.common.results import CASES, FIGURE
from scripts.report.blocks import Block, Document, Figure, Figures, SortableTable, Table, Text
from scripts.report.figures import DPI
from scripts.report.markdown_page import Picture, markdown_html, number_columns

HERE = Path(__file__).parent
CSS_PIXELS_PER_INCH = 96
JPEG_QUALITY = 88
# A drawing of thousands of dots is smaller as pixels, and a browser is faster with it.
LARGEST_SVG = 250_000
# Shares of a figure's natural width. Below the first its letters are too small, and it scrolls in its box instead.
SMALLEST, LARGEST = 0.75, 1.25
# A figure that is naturally wider than this, in CSS pixels, has a row for itself.
WIDE = 560
THUMBNAIL = 64
DECIMALS = 3


@dataclass(frozen=True)
class Page:
    """The HTML of a report, and the content of each file of its folder of figures by name."""

    html: str
    files: dict[str, bytes]


def render_page(
    title: str, sections: Mapping[str, Sequence[Block]], missing: Mapping[str, str] | None = None, version: str = ""
) -> Page:
    """Make the page. The same sections give the same bytes.

    Args:
        title: Title of the page.
        sections: Blocks of each section by its title; the names of their figures differ.
        missing: Titles of sections that could not be made, and what is missing and how to get it.
        version: Version of the bundle.

    Raises:
        InputError: A picture of a study is damaged.
        ValueError: Two figures have the same name.
    """
    files = _Files()
    shown = {heading: [files.show(block) for block in blocks] for heading, blocks in sections.items()}
    style = (HERE / "page.css").read_text() + "".join(
        f".w{width} img {{ min-width: {round(width * SMALLEST)}px; max-width: {round(width * LARGEST)}px; }}\n"
        for width in sorted(files.widths)
    )
    script = (HERE / "page.js").read_text()
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.get_template("page.html.j2").render(
        title=title,
        sections=shown,
        missing=missing or {},
        version=version,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        thumbnail=THUMBNAIL,
        wide=WIDE,
    )
    return Page(html, files.content)


@dataclass
class _Files:
    """Prepares blocks for the template and keeps the files of their figures."""

    content: dict[str, bytes] = field(default_factory=dict)
    widths: set[int] = field(default_factory=set)

    def show(self, block: Block) -> dict[str, Any]:
        """Return the arguments of the macro `kind` that shows a block."""
        match block:
            case Text():
                return {"kind": "text", "block": block}
            case Table():
                return {"kind": "table", "table": block, "numbers": number_columns(block.rows)}
            case Figures(figures):
                return {"kind": "figures", "figures": [(figure, self._show_figure(figure)) for figure in figures]}
            case Document(file):
                return {"kind": "document", "html": self._show_document(file)}
            case SortableTable():
                return {"kind": "lesions"} | _show_lesions(block)

    def _show_figure(self, figure: Figure) -> Picture:
        png = drawn_as(figure.drawing, "png", DPI)
        self._keep(f"{figure.name}.png", png)
        self._keep(f"{figure.name}.pdf", drawn_as(figure.drawing, "pdf", DPI))
        width, height = (round(side * CSS_PIXELS_PER_INCH) for side in figure.drawing.get_size_inches())
        return self._picture(*_for_the_page(figure, png), width, height)

    def _show_document(self, file: Path) -> Markup:
        def show(name: str) -> Picture | None:
            # No other file, whatever the document says.
            if name not in (FIGURE, CASES) or not (png := file.with_name(name)).is_file():
                return None
            for found in (png, png.with_suffix(".pdf")):
                if found.is_file():
                    self._keep(f"{file.parent.name}_{found.name}", found.read_bytes())
            try:
                with Image.open(png) as image:
                    per_inch = image.info.get("dpi", (CSS_PIXELS_PER_INCH,))[0]
                    width, height = (round(side * CSS_PIXELS_PER_INCH / per_inch) for side in image.size)
            except OSError as error:
                raise InputError(f"{png}: cannot be read as a picture ({error}); repeat the study") from error
            return self._picture("png", png.read_bytes(), width, height)

        return markdown_html(file.read_text(), show)

    def _picture(self, kind: str, content: bytes, width: int, height: int) -> Picture:
        self.widths.add(width)
        return Picture(_data_uri(kind, content), width, height)

    def _keep(self, name: str, content: bytes) -> None:
        if self.content.setdefault(name, content) != content:
            raise ValueError(f"two figures are called {name}")


def _for_the_page(figure: Figure, png: bytes) -> tuple[str, bytes]:
    """A figure as the page shows it: the kind of image, and its content."""
    if figure.photographic:
        jpeg = io.BytesIO()
        with Image.open(io.BytesIO(png)) as image:
            # Without subsampling, since outlines are thin and coloured.
            image.convert("RGB").save(jpeg, format="jpeg", quality=JPEG_QUALITY, optimize=True, subsampling=0)
        return "jpeg", jpeg.getvalue()
    # As an image of its own an SVG keeps its ids and styles to itself. The prologue names an address.
    svg = drawn_as(figure.drawing, "svg")
    bare = b"\n".join(line.strip() for line in svg[svg.index(b"<svg") :].splitlines())
    return ("svg+xml", bare) if len(bare) <= LARGEST_SVG else ("png", png)


def _data_uri(kind: str, content: bytes) -> str:
    """An image as an address that needs no file."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _show_lesions(table: SortableTable) -> dict[str, Any]:
    columns = [_column(name, [row[place] for row in table.rows]) for place, name in enumerate(table.columns)]
    choices = {
        column["name"]: sorted(set(column["texts"]), key=_natural)
        for column in columns
        if column["name"] in table.filters
    }
    pictures = {lesion: _data_uri("jpeg", jpeg) for lesion, jpeg in table.pictures.items()}
    return {"table": table, "columns": columns, "choices": choices, "pictures": pictures}


def _column(name: str, cells: Sequence[str | float]) -> dict[str, Any]:
    """The text of each cell of a column, and in a column of numbers the full ones for the script."""
    # Empty cells do not make a column of numbers one of words.
    filled = [cell for cell in cells if cell != ""]
    if not filled or any(isinstance(cell, str) for cell in filled):
        return {"name": name, "texts": [str(cell) for cell in cells], "number": False}
    numbers = [math.nan if cell == "" else float(cell) for cell in cells]
    exact = ["" if math.isnan(number) else repr(number).replace("inf", "Infinity") for number in numbers]
    return {"name": name, "texts": shown_numbers(numbers), "number": True, "exact": exact}


def shown_numbers(values: Sequence[float]) -> list[str]:
    """Numbers of a column, with as many decimals as any of them needs but at most three; "" for those that are NaN."""
    rounded = [round(value, DECIMALS) for value in values if math.isfinite(value)]
    decimals = next((n for n in range(DECIMALS) if all(round(value, n) == value for value in rounded)), DECIMALS)
    # Only these need another look than the format gives them.
    special = {"nan": "", "inf": "∞", "-inf": "-∞"}
    return [special.get(text, text) for text in (f"{value:z.{decimals}f}" for value in values)]


def _natural(text: str) -> tuple[bool, str]:
    """A key that orders texts as a reader would: numbers in them by their value, the empty text last."""
    return text == "", re.sub(r"\d+", lambda number: number[0].zfill(30), text)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
