"""Tables with one row per lesion, as they come: CSV with stray spaces, newlines and byte order marks."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from custom.errors import InputError
from custom.files import read_bytes

Row = dict[str, str]


def read_content(table: Path) -> bytes:
    """Read the bytes of a table.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return read_bytes(table)
    except OSError as error:
        raise InputError(f"{table}: cannot be read ({error.strerror}); expected a CSV table") from error


def read_table(content: bytes, table: Path, required: Sequence[str]) -> list[Row]:
    """Return the rows of a CSV in UTF-8, with or without byte order mark, every cell and heading stripped.

    Raises:
        InputError: The table lacks a required column or is no UTF-8 text.
    """
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), skipinitialspace=True)
        columns = [(name or "").strip() for name in reader.fieldnames or []]
        # Cells beyond the last heading are a list under a name that is none.
        cells = ([cell or "" for name, cell in row.items() if name is not None] for row in reader)
        rows = [dict(zip(columns, map(str.strip, row), strict=False)) for row in cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: not a CSV table in UTF-8 ({error}); save it as such") from error
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise InputError(f"{table}: column {', '.join(twice)} stands twice; rename or remove one")
    missing = [name for name in required if name not in columns]
    if missing and any(";" in name for name in columns):
        raise InputError(f"{table}: found semicolons between the columns, expected commas; save it with commas")
    if missing:
        raise InputError(
            f"{table}: column {', '.join(missing)} is missing; found {', '.join(columns) or 'none'}; "
            f"expected at least {', '.join(required)}"
        )
    return rows
