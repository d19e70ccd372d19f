"""Writing a prepared data set so that a repetition changes nothing and an interruption leaves nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from custom.errors import InputError
from custom.files import write_csv, write_if_changed
from scripts.prepare.splits import Parts

UNKNOWN = "N/A"
# What `phantoms` leaves beside the mammograms that it draws.
PHANTOMS = "phantoms.json"


def stated_source(folder: Path, source: str) -> str:
    """`source` as a datalist states it, and that it is synthetic where it is, so that no result hides it."""
    return f"synthetic mammograms in the form of {source}" if (folder / PHANTOMS).is_file() else source


def link_image(source: Path, target: Path, copy: bool) -> None:
    """Make `target` the same file as `source`: a hard link, else a symbolic one; with `copy` a copy.

    Raises:
        InputError: neither link can be made.
    """
    source = source.resolve()  # a hard link to a symbolic link would point into nothing
    if target.exists() and (_same_copy(source, target) if copy else target.samefile(source)):
        return
    unfinished = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        if copy:
            shutil.copy2(source, unfinished)
        else:
            _link(source, unfinished)
        unfinished.replace(target)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        what = "copied" if copy else "linked"
        raise InputError(
            f"{target}: {source} cannot be {what} there ({error.strerror}); change --dataset_dir or --copy"
        ) from error


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        target.symlink_to(source)


def _same_copy(source: Path, target: Path) -> bool:
    a, b = source.stat(), target.lstat()
    return not target.is_symlink() and (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns) and a.st_ino != b.st_ino


def write_datalists(folder: Path, about: Mapping[str, str], splits: Mapping[str, Parts]) -> None:
    """Write the datalists of a prepared data set and remove those of an earlier preparation that are no longer made."""
    for name, parts in splits.items():
        write_datalist(folder / f"{name}.json", about, parts)
    for file in folder.glob("*.json"):
        if file.stem not in splits:
            file.unlink()


def write_datalist(file: Path, about: Mapping[str, str], parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write a datalist: what `about` says, then each part with one lesion a line; nothing known is `N/A`.

    MONAI's `load_decathlon_datalist` takes an empty text for a path and makes it the folder of the data set.
    """
    lines = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    for part, entries in parts.items():
        known = [{key: UNKNOWN if value == "" else value for key, value in entry.items()} for entry in entries]
        body = ",\n".join(f"        {json.dumps(entry)}" for entry in known)
        lines.append(f"    {json.dumps(part)}: [\n{body}\n    ]" if entries else f"    {json.dumps(part)}: []")
    write_if_changed(file, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def write_audit(file: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write the audit: one row per lesion of the source's table, `lesion_id, status, reason` first."""
    write_csv(file, list(rows), first=("lesion_id", "status", "reason"))
