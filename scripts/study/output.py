"""Files that every study writes: `table.csv`, `table.md` and figures, and its place in a document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from custom.files import held, write_csv, write_if_changed
from scripts.common.documents import check_place, put
from scripts.common.drawing import drawn_as
from scripts.common.results import CASES, FIGURE

DPI = 130


def write_study(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    page: str,
    figure: Figure,
    cases: Figure | None = None,
    document: str | None = None,
) -> None:
    """Write a study's table, page and figures, print the page, and put it into a document. Same content, same bytes.

    Args:
        folder: Folder of the study, called by its name.
        rows: Rows of the table, all with the same columns; numbers are written in full.
        page: Page in Markdown that shows `figure.png`, and `cases.png` where there is one.
        figure: Figure of the numbers.
        cases: Pictures of mammograms.
        document: Markdown file with the lines `<!-- study NAME -->` and `<!-- end NAME -->`.

    Raises:
        InputError: A file cannot be written, or the document has no place for the study.
    """
    with held(folder):
        write_csv(folder / "table.csv", rows)
        write_if_changed(folder / "table.md", page.encode())
        for name, drawn in ((FIGURE, figure), (CASES, cases)):
            if drawn is not None:
                write_if_changed(folder / name, drawn_as(drawn, "png", DPI))
                write_if_changed((folder / name).with_suffix(".pdf"), drawn_as(drawn, "pdf", DPI))
    print(f"{page}\nWritten to {folder}")
    if document:
        insert(Path(document), folder)


def insert(document: Path, folder: Path) -> None:
    """Put `table.md` of a study into its place in a document, and its figure beside the document.

    The table's headings become two levels lower, since the document has its own above them. Pictures of mammograms stay
    in the study's folder: a document is passed on, and not every data set may be.

    Raises:
        InputError: The document or the place is not there.
    """
    check_place(document, "study", folder.name)
    figure = document.with_name(f"{document.stem}_{folder.name}.png")
    table = re.sub("^#", "###", (folder / "table.md").read_text().strip(), flags=re.MULTILINE)
    table = table.replace(f"({FIGURE})", f"({figure.name})")
    table = re.sub(rf"^!\[.*\]\({CASES}\)\n\n", "", table, flags=re.MULTILINE)
    write_if_changed(figure, (folder / FIGURE).read_bytes())
    put(document, "study", folder.name, table)
