"""Writing a prepared data set so that a repetition changes nothing and an interruption leaves nothing half-written."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from custom.errors import InputError

USABLE = ("paired", "repaired")


def write_if_changed(file: Path, content: bytes) -> None:
    """Replace `file` by `content` in one step, unless it holds that already.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        if file.is_file() and not file.is_symlink() and file.read_bytes() == content:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name(f".{file.name}.part")
        unfinished.write_bytes(content)
        unfinished.replace(file)
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror}); name a folder that can be") from error


def link_image(source: Path, target: Path, copy: bool) -> None:
    """Make `target` the same file as `source`: a hard link, else a symbolic one; with `copy` a copy.

    Raises:
        InputError: neither link can be made.
    """
    if target.exists() and (_same_copy(source, target) if copy else target.samefile(source)):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.part")
    unfinished.unlink(missing_ok=True)
    if copy:
        shutil.copy2(source, unfinished)
    else:
        try:
            os.link(source, unfinished)
        except OSError:
            try:
                unfinished.symlink_to(source.resolve())
            except OSError as error:
                raise InputError(
                    f"{target}: cannot be linked to {source} ({error.strerror}); pass --copy True"
                ) from error
    unfinished.replace(target)


def _same_copy(source: Path, target: Path) -> bool:
    a, b = source.stat(), target.lstat()
    return not target.is_symlink() and (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns) and a.st_ino != b.st_ino


def write_mask(file: Path, mask: np.ndarray) -> None:
    """Write a bool mask `(X, Y)` as 8-bit PNG of 0 and 255, rows first."""
    rows_first = cv2.transpose(mask.astype(np.uint8) * np.uint8(255))  # On a full frame ten times as fast as numpy's.
    write_if_changed(file, cv2.imencode(".png", rows_first)[1].tobytes())


def write_datalist(file: Path, about: Mapping[str, str], parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write a datalist: what `about` says, then each part with one lesion a line."""
    lines = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    for part, entries in parts.items():
        body = ",\n".join(f"        {json.dumps(entry)}" for entry in entries)
        lines.append(f"    {json.dumps(part)}: [\n{body}\n    ]" if entries else f"    {json.dumps(part)}: []")
    write_if_changed(file, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def write_audit(file: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write the audit: one row per lesion of the source's table, `lesion_id, status, reason` first."""
    rows = list(rows)
    text = io.StringIO()
    first = ("lesion_id", "status", "reason")
    columns = [*first, *(name for name in rows[0] if name not in first)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_if_changed(file, text.getvalue().encode())
