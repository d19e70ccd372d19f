"""Writing a prepared data set so that a repetition changes nothing and an interruption leaves nothing half-written.

The datalists come last, and go before an image or a mask changes, so that what they name is always of one preparation.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from custom.errors import InputError
from custom.files import read_json, remove, write_csv, write_if_changed, write_mask
from scripts.common.datasets import PHANTOMS, SYNTHETIC, UNKNOWN
from scripts.prepare.splits import Parts


def stated_source(folder: Path, source: str) -> str:
    """`source` as a datalist states it, and that it is synthetic where it is, so that no result hides it."""
    return f"{SYNTHETIC}{source}" if (folder / PHANTOMS).is_file() else source


def check_place(dataset: Path, source: str) -> None:
    """Refuse the folder of a data set from another source, which would be mixed with this one's files.

    Args:
        dataset: folder to prepare into.
        source: as its datalists are going to state it.

    Raises:
        InputError: its datalists state another.
    """
    for file in _datalists(dataset):
        try:
            stated = str(read_json(file).get("source"))
        except InputError:
            continue  # A damaged datalist is written anew.
        # What stands after a comma is where it was fetched, or how it was prepared.
        found, expected = (text.partition(",")[0] for text in (stated, source))
        if found != expected:
            raise InputError(
                f"{dataset}: holds a data set from {found}, expected one from {expected} or an empty folder; name "
                "another by --dataset_dir"
            )


def link_image(source: Path, target: Path, copy: bool) -> None:
    """Make `target` the same file as `source`: a hard link, else a symbolic one; with `copy` a copy.

    Args:
        source: a file, or a link to one.
        target: `images/<name>` in the prepared data set.
        copy: write a file of its own.

    Raises:
        InputError: neither link can be made.
    """
    source = source.resolve()  # a hard link to a symbolic link would point into nothing
    if target.exists() and (_same_copy(source, target) if copy else target.samefile(source)):
        return
    withdraw_datalists(target.parents[1])
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


def write_lesion_mask(dataset: Path, lesion: str, mask: np.ndarray) -> None:
    """Write the bool mask `(X, Y)` of a lesion into the prepared data set."""
    write_mask(dataset / "masks" / f"{lesion}.png", mask, partial(withdraw_datalists, dataset))


def withdraw_datalists(dataset: Path) -> None:
    """Remove the datalists of an earlier preparation, since what they name is going to change.

    Raises:
        InputError: one cannot be removed.
    """
    for file in _datalists(dataset):
        remove(file)


def _datalists(dataset: Path) -> list[Path]:
    return [file for file in sorted(dataset.glob("datalists/*.json")) if file.is_file()]


def write_datalists(dataset: Path, about: Mapping[str, str], splits: Mapping[str, Parts]) -> None:
    """Write the datalists of a prepared data set; where an earlier one is not the same, all are removed first."""
    contents = {dataset / "datalists" / f"{name}.json": _datalist(about, parts) for name, parts in splits.items()}
    if any(file.read_bytes() != contents.get(file) for file in _datalists(dataset)):
        withdraw_datalists(dataset)
    for file, content in contents.items():
        write_if_changed(file, content)


def write_datalist(file: Path, about: Mapping[str, str], parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write one datalist."""
    write_if_changed(file, _datalist(about, parts))


def _datalist(about: Mapping[str, str], parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """A datalist: what `about` says, then each part with one lesion a line; nothing known is `N/A`.

    MONAI's `load_decathlon_datalist` takes an empty text for a path and makes it the folder of the data set.
    """
    lines = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    for part, entries in parts.items():
        known = [{key: UNKNOWN if value == "" else value for key, value in entry.items()} for entry in entries]
        body = ",\n".join(f"        {json.dumps(entry)}" for entry in known)
        lines.append(f"    {json.dumps(part)}: [\n{body}\n    ]" if entries else f"    {json.dumps(part)}: []")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def write_audit(file: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write the audit: one row per lesion of the source's table, `lesion_id, status, reason` first."""
    write_csv(file, list(rows), first=("lesion_id", "status", "reason"))
