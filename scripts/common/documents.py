"""Places in a document that a command writes: between `<!-- KIND NAME -->` and `<!-- end NAME -->`."""

from __future__ import annotations

from pathlib import Path

from custom.errors import InputError
from custom.files import write_if_changed


def put(file: Path, kind: str, name: str, text: str) -> None:
    """Replace what is in a place of a document by Markdown, which `text` holds without the two lines.

    Raises:
        InputError: The document or the two lines are not there.
    """
    before, after = check_place(file, kind, name)
    begin, end = _marks(kind, name)
    write_if_changed(file, f"{before}{begin}\n{text.strip()}\n\n{end}{after}".encode())


def check_place(file: Path, kind: str, name: str) -> tuple[str, str]:
    """Return what is in a document before and after a place.

    Raises:
        InputError: The document or the two lines are not there.
    """
    begin, end = _marks(kind, name)
    text = file.read_text() if file.is_file() else ""
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise InputError(
            f"{file}: no place for the table of {kind} {name}; expected the lines {begin.strip()} and {end.strip()}"
        )
    return before, after


def _marks(kind: str, name: str) -> tuple[str, str]:
    return f"<!-- {kind} {name} -->\n", f"<!-- end {name} -->\n"
