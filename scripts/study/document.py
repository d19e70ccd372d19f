"""Putting a study's table and figure into a document, between the lines that mark their place."""

from __future__ import annotations

import re
from pathlib import Path

from custom.errors import InputError
from custom.files import write_if_changed


def insert(file: Path, name: str, folder: Path) -> None:
    """Put `table.md` of a study between `<!-- study NAME -->` and `<!-- end NAME -->`, and its figure beside `file`.

    The table's headings become two levels lower, since the document has its own above them.

    Args:
        file: the Markdown document.
        name: of the study.
        folder: of the study.

    Raises:
        InputError: the document or the two lines are not there.
    """
    begin, end = f"<!-- study {name} -->\n", f"<!-- end {name} -->\n"
    text = file.read_text() if file.is_file() else ""
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise InputError(
            f"{file}: no place for the table of study {name}; expected the lines {begin.strip()} and {end.strip()}"
        )
    figure = file.with_name(f"{file.stem}_{name}.png")
    table = re.sub("^#", "###", (folder / "table.md").read_text().strip(), flags=re.MULTILINE)
    table = table.replace("(figure.png)", f"({figure.name})")
    write_if_changed(figure, (folder / "figure.png").read_bytes())
    write_if_changed(file, f"{before}{begin}\n{table}\n\n{end}{after}".encode())
