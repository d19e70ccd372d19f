"""The blocks of a report's sections: text, tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure as Drawing

from custom.errors import InputError


class NotThere(InputError):
    """A section cannot be made; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Text:
    """A paragraph, or a command line as it is typed."""

    text: str
    command: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows; its caption is one line that says what is averaged over what."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing, shown in the page and written to the folder of figures.

    Attributes:
        name: Name of its files without suffix, such as `dice_by_density`; unlike all others.
        drawing: Drawing with axes that name what they show and its unit.
        alt: The message and the figures that matter, for those who do not see it.
        caption: Text shown under it.
        photographic: Holds images, so that it is shown as pixels, not as lines.
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
    """A Markdown file that a study wrote, and the pictures that it shows beside it.

    The name of its folder begins the names of its figures.
    """

    file: Path


@dataclass(frozen=True)
class SortableTable:
    """A table of lesions that the page sorts and filters.

    Attributes:
        columns: Headings of the cells.
        filters: Those among the columns in which the reader chooses a value, such as `pathology`.
        rows: Cells of each lesion, the first its name.
        pictures: JPEGs by the name of the lesion, for as many as there are.
    """

    columns: Sequence[str]
    filters: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    pictures: Mapping[str, bytes]


Block = Text | Table | Figures | Document | SortableTable
