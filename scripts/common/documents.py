"""Places in a document that a command writes: between `<!-- WHAT NAME -->` and `<!-- end NAME -->`."""

from __future__ import annotations

from pathlib import Path

from custom.errors import InputError
from custom.files import write_if_changed


def put(file: Path, what: str, name: str, text: str) -> None:
    """Put Markdown into its place in a document, instead of what stands there.

    Args:
        file: the document.
        what: `text` is, such as `study`.
        name: of it.
        text: without the two lines.

    Raises:
        InputError: the document or the two lines are not there.
    """
    before, after = check_place(file, what, name)
    begin, end = _marks(what, name)
    write_if_changed(file, f"{before}{begin}\n{text.strip()}\n\n{end}{after}".encode())


def check_place(file: Path, what: str, name: str) -> tuple[str, str]:
    """What stands in a document before and after a place.

    Raises:
        InputError: the document or the two lines are not there.
    """
    begin, end = _marks(what, name)
    text = file.read_text() if file.is_file() else ""
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise InputError(
            f"{file}: no place for the table of {what} {name}; expected the lines {begin.strip()} and {end.strip()}"
        )
    return before, after


def _marks(what: str, name: str) -> tuple[str, str]:
    return f"<!-- {what} {name} -->\n", f"<!-- end {name} -->\n"
