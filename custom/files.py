"""Writing a file so that nobody ever meets half of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from custom.errors import InputError


def write_if_changed(file: Path, content: bytes) -> None:
    """Replace `file` by `content` in one step, unless it holds that already; makes its folder.

    Raises:
        InputError: the file cannot be written.
    """
    unfinished = file.with_name(f".{file.name}.part")
    try:
        if file.is_file() and not file.is_symlink() and file.read_bytes() == content:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(file)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise InputError(f"{file}: cannot be written ({error.strerror}); name a folder that can be") from error


def write_csv(file: Path, rows: Sequence[Mapping[str, Any]], first: Sequence[str] = ()) -> None:
    """Write `rows` as CSV in one step; the columns are those of the first row, `first` before the others.

    Raises:
        InputError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [*first, *(name for name in rows[0] if name not in first)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_if_changed(file, text.getvalue().encode())
