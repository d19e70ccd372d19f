"""What a report is made of: sections, and in them text, tables and figures, whatever the page looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as Drawing


class NotThere(Exception):
    """A section cannot be made; its message says what is missing and how to get it, for the reader of the page."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Command:
    """A command line, as it is typed."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        headings: of the columns.
        rows: cells as they are shown.
        caption: one line: what is averaged over what.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing, shown in the page and written to the folder of figures.

    Attributes:
        name: of its files, without suffix; says what it holds, such as `dice_by_density`; unlike all others.
        drawing: with axes that name what they show and its unit.
        alt: what one sees, for those who do not see it: the message and the figures that matter.
        caption: shown under it.
        photographic: holds images, so that it is shown as pixels, not as lines.
    """

    name: str
    drawing: Drawing
    alt: str
    caption: str
    photographic: bool = False


@dataclass(frozen=True)
class Figures:
    """Figures beside each other as far as the page is wide enough."""

    figures: Sequence[Figure]


@dataclass(frozen=True)
class Document:
    """A page of Markdown that a study wrote, with the pictures that it shows beside it.

    Attributes:
        file: of the Markdown; the name of its folder begins the names of its figures.
    """

    file: Path


@dataclass(frozen=True)
class Lesion:
    """A row of the table of all lesions.

    Attributes:
        cells: as many as the table has columns.
        thumbnail: JPEG.
        alt: of the thumbnail.
    """

    cells: Sequence[str | float]
    thumbnail: bytes | None
    alt: str


@dataclass(frozen=True)
class LesionTable:
    """All lesions of an evaluation; the page sorts and filters it.

    Attributes:
        name: unlike that of any other table of the page.
        columns: of the cells.
        filters: those among the columns in which the reader chooses a value, such as `density`.
        lesions: the rows.
    """

    name: str
    columns: Sequence[str]
    filters: Sequence[str]
    lesions: Sequence[Lesion]


Block = Text | Command | Table | Figures | Document | LesionTable


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading."""

    title: str
    blocks: Sequence[Block]
