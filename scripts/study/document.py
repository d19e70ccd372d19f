"""Putting a study's table into a document, between the lines that mark its place."""

from __future__ import annotations

from pathlib import Path

from custom.errors import InputError
from custom.files import write_if_changed


def insert(file: Path, name: str, table: str) -> None:
    """Replace what stands between `<!-- study NAME -->` and `<!-- end NAME -->` in `file` by `table`.

    Raises:
        InputError: the file or the two lines are not there.
    """
    begin, end = f"<!-- study {name} -->\n", f"<!-- end {name} -->\n"
    text = file.read_text() if file.is_file() else ""
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise InputError(
            f"{file}: no place for the table of study {name}; expected the lines {begin.strip()} and {end.strip()}"
        )
    write_if_changed(file, f"{before}{begin}\n{table.strip()}\n\n{end}{after}".encode())
