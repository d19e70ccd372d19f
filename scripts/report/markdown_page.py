"""The Markdown page of a study as HTML: nothing in it can run, and its pictures come from its own folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from markdown.treeprocessors import Treeprocessor
from markupsafe import Markup

# The headings of the first and the second level are those of the page and of the section.
LEVELS_LOWER = 2
LOWEST = 6

_NUMBER = re.compile(r"[<>≤≥]? ?[+±\N{MINUS SIGN}-]?(\.?\d|∞)")


@dataclass(frozen=True)
class Picture:
    """A figure as a data URI, and the size in CSS pixels at which its letters have the size they were drawn in."""

    address: str
    width: int
    height: int


def number_columns(rows: Sequence[Sequence[str]]) -> list[bool]:
    """Tell which columns are read as numbers: at least three in four of their filled cells begin with one."""
    columns = [[cell for cell in column if cell] for column in zip(*rows, strict=True)]
    return [bool(cells) and sum(map(bool, map(_NUMBER.match, cells))) >= 0.75 * len(cells) for cells in columns]


def markdown_html(text: str, show: Callable[[str], Picture | None]) -> Markup:
    """Convert Markdown to the HTML of a section.

    Names in it come from a user's files: HTML in it is shown as text, and links stay as their words.

    Args:
        text: Markdown with tables and fenced code.
        show: Returns the picture for the name of a file; None where there is none, and its text stays.
    """
    converter = Markdown(extensions=["tables", "fenced_code", "sane_lists"])
    converter.preprocessors.deregister("html_block")
    converter.inlinePatterns.deregister("html")
    # Before "unescape", the last of the package's own.
    converter.treeprocessors.register(_Fit(converter, show), "fit", -10)
    return Markup(converter.convert(text))


class _Fit(Treeprocessor):
    def __init__(self, converter: Markdown, show: Callable[[str], Picture | None]) -> None:
        super().__init__(converter)
        self.show = show

    def run(self, root: Element) -> None:
        children = [(parent, place, child) for parent in root.iter() for place, child in enumerate(parent)]
        for parent, place, element in children:
            if element.tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
                element.tag = f"h{min(int(element.tag[1]) + LEVELS_LOWER, LOWEST)}"
            elif element.tag == "img":
                self._fit_image(element)
            elif element.tag == "a":
                element.tag, element.attrib = "span", {}
            elif element.tag == "table":
                _fit_table(element)
                parent[place] = box = Element("div", {"class": "scroll", "tabindex": "0"})
                box.append(element)

    def _fit_image(self, image: Element) -> None:
        picture, alt = self.show(image.get("src", "")), image.get("alt", "")
        # A span, since it is inside a paragraph.
        image.tag, image.attrib = "span", {}
        if picture is None:
            image.text = alt
            return
        image.set("class", f"figure w{picture.width}")
        box = SubElement(image, "span", {"class": "scroll", "tabindex": "0"})
        SubElement(
            box, "img", {"src": picture.address, "alt": alt, "width": str(picture.width), "height": str(picture.height)}
        )


def _fit_table(table: Element) -> None:
    """The first cell of a row names it; a heading without words is none."""
    rows = [[_words(cell) for cell in row] for row in table.iterfind("tbody/tr")]
    numbers = number_columns(rows)
    head = table.find("thead")
    if head is not None and not any(map(_words, head.iter("th"))):
        table.remove(head)
        numbers = [False] * len(numbers)
    for row in table.iter("tr"):
        for cell, number in zip(row, numbers, strict=False):
            cell.attrib = {"class": "number"} if number else {}
            if cell.tag == "th":
                cell.set("scope", "col")
        if row[0].tag == "td" and _words(row[0]):
            row[0].tag = "th"
            row[0].set("scope", "row")


def _words(element: Element) -> str:
    return "".join(element.itertext()).strip()
