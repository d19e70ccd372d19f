"""A report as one HTML file that needs nothing else and asks for nothing, and its figures as files."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from custom.errors import InputError
from scripts.common.results import CASES, FIGURE
from scripts.report.blocks import Block, Command, Document, Figure, Figures, LesionTable, Section, Table, Text
from scripts.report.figures import Picture, data_uri, figure_files, show_png
from scripts.report.markdown_page import markdown_html
from scripts.report.numbers import number_columns, shown_numbers

HERE = Path(__file__).parent
# Shares of a figure's natural width. Below the first its letters are too small, and it scrolls in its box instead.
SMALLEST, LARGEST = 0.75, 1.25
# A figure that is naturally wider than this, in CSS pixels, has a row for itself.
WIDE = 560
THUMBNAIL = 64


@dataclass(frozen=True)
class Missing:
    """A section that could not be made.

    Attributes:
        title: of the section.
        reason: what is missing and how to get it.
    """

    title: str
    reason: str


@dataclass(frozen=True)
class Page:
    """A report to be written.

    Attributes:
        html: the page.
        files: the content of each file of the folder of figures by its name.
    """

    html: str
    files: dict[str, bytes]


def render_page(title: str, sections: Sequence[Section], missing: Sequence[Missing] = (), version: str = "") -> Page:
    """Make the page. The same sections give the same bytes.

    Args:
        title: of the page.
        sections: in their order; the names of their figures differ.
        missing: sections that the page tells to be missing.
        version: of the bundle that made it.

    Raises:
        InputError: a picture of a study is damaged.
        ValueError: two figures have the same name.
    """
    files = _Files()
    shown = [
        {"title": section.title, "blocks": [files.show(block) for block in section.blocks]} for section in sections
    ]
    script = _read("page.js")
    style = _read("page.css") + _widths(files.widths)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("page.html.j2").render(
        title=title,
        sections=shown,
        missing=missing,
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
        """What the template needs of a block; `kind` says which macro shows it."""
        match block:
            case Text(text) | Command(text):
                return {"kind": type(block).__name__.lower(), "text": text}
            case Table():
                return {"kind": "table", "table": block, "numbers": number_columns(block.rows)}
            case Figures(figures):
                return {"kind": "figures", "figures": [(figure, self._show_figure(figure)) for figure in figures]}
            case Document(file):
                return {"kind": "document", "html": self._show_document(file)}
            case LesionTable():
                return {"kind": "lesions"} | _show_lesions(block)

    def _show_figure(self, figure: Figure) -> Picture:
        picture, files = figure_files(figure)
        for suffix, content in files.items():
            self._keep(figure.name + suffix, content)
        return self._in_its_width(picture)

    def _show_document(self, file: Path) -> Markup:
        def show(name: str) -> Picture | None:
            # Nothing else, whatever the document says.
            if name not in (FIGURE, CASES) or not (png := file.with_name(name)).is_file():
                return None
            for found in (png, png.with_suffix(".pdf")):
                if found.is_file():
                    self._keep(f"{file.parent.name}_{found.name}", found.read_bytes())
            try:
                return self._in_its_width(show_png(png.read_bytes()))
            except OSError as error:
                raise InputError(f"{png}: cannot be read as a picture ({error}); repeat the study") from error

        return markdown_html(file.read_text(), show)

    def _in_its_width(self, picture: Picture) -> Picture:
        self.widths.add(picture.width)
        return picture

    def _keep(self, name: str, content: bytes) -> None:
        if self.content.setdefault(name, content) != content:
            raise ValueError(f"two figures are called {name}")


def _show_lesions(table: LesionTable) -> dict[str, Any]:
    columns = [
        _Column(name, [lesion.cells[place] for lesion in table.lesions]) for place, name in enumerate(table.columns)
    ]
    choices = {
        column.name: sorted(set(column.texts), key=_natural) for column in columns if column.name in table.filters
    }
    pictures = [data_uri("image/jpeg", lesion.thumbnail) if lesion.thumbnail else "" for lesion in table.lesions]
    return {"table": table, "columns": columns, "choices": choices, "pictures": pictures}


class _Column:
    """A column of a table of lesions: of each cell the text that is shown, and the full number for the script."""

    def __init__(self, name: str, cells: Sequence[str | float]) -> None:
        self.name = name
        numbers = [float(cell) for cell in cells if not isinstance(cell, str)]
        # Empty cells do not make a column of numbers one of words.
        self.number = bool(numbers) and len(numbers) == sum(cell != "" for cell in cells)
        if self.number:
            shown, full = iter(shown_numbers(numbers)), iter(numbers)
            self.texts = [cell if isinstance(cell, str) else next(shown) for cell in cells]
            values = [cell if isinstance(cell, str) else _script_number(next(full)) for cell in cells]
            self.values = [value if text else "" for value, text in zip(values, self.texts, strict=True)]
        else:
            self.texts = [str(cell) for cell in cells]


def _script_number(value: float) -> str:
    """`value` in full, as a script of the page reads it."""
    return repr(value).replace("inf", "Infinity")


def _natural(text: str) -> tuple[Any, ...]:
    """Orders texts as a reader would: numbers in them by their value, the empty text last."""
    # Of two numbers the one with more digits is greater; Python reads none of thousands of digits.
    parts = [
        (not part.isdecimal(), (len(part.lstrip("0")) if part.isdecimal() else 0), part.lstrip("0"), part)
        for part in re.split(r"(\d+)", text)
    ]
    return (text == "", parts)


def _widths(widths: set[int]) -> str:
    """The limits between which figures of some widths follow that of the page, in CSS."""
    return "".join(
        f".w{width} img {{ min-width: {round(width * SMALLEST)}px; max-width: {round(width * LARGEST)}px; }}\n"
        for width in sorted(widths)
    )


def _read(name: str) -> str:
    return (HERE / name).read_text()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
