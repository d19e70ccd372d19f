"""Writing a prepared data set so that a repetition changes nothing and an interruption leaves nothing half-written.

The datalists come last, and go before an image or a mask changes, so that what they name is always of one preparation.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from custom.errors import InputError
from custom.files import held, read_json, remove, write_csv, write_if_changed, write_mask
from scripts.common.datasets import PHANTOMS, SYNTHETIC, UNKNOWN
from scripts.common.formatting import count_lesions
from scripts.prepare.pairs import Verdict
from scripts.prepare.splits import Parts, shared_patients

Audit = Sequence[Mapping[str, str]]


@contextmanager
def preparing(dataset: Path, folder: Path, source: str) -> Iterator[str]:
    """Hold the folder of a data set during its preparation from the source in `folder`, which is named `source`.

    Yields:
        `source` as the datalists state it: also that it is synthetic where it is, so that no result hides it.

    Raises:
        InputError: the folder holds a data set from another source, which would be mixed with this one's files.
    """
    stated = f"{SYNTHETIC}{source}" if (folder / PHANTOMS).is_file() else source
    with held(dataset):
        for file in _datalists(dataset):
            try:
                other = str(read_json(file).get("source"))
            except InputError:
                continue  # A damaged datalist is written anew.
            # What stands after a comma is where it was fetched, or how it was prepared.
            found, expected = (text.partition(",")[0] for text in (other, stated))
            if found != expected:
                raise InputError(
                    f"{dataset}: holds a data set from {found}, expected one from {expected} or an empty folder; name "
                    "another by --dataset_dir"
                )
        yield stated


def write_mammogram(
    dataset: Path, image: Path, name: str, verdicts: Iterable[tuple[str, Verdict]], copy: bool
) -> dict[str, dict[str, str]]:
    """Write the masks of a mammogram's usable lesions as they come, then link the image if there are any.

    `name` is that of the image in the data set, `images/<name>`; `image` may be a link.

    Returns:
        Columns of the audit for each lesion: `status`, `reason` and the details.

    Raises:
        InputError: a file cannot be written.
    """
    columns = {}
    for lesion, verdict in verdicts:
        if verdict.mask is not None:
            write_mask(dataset / "masks" / f"{lesion}.png", verdict.mask, partial(_withdraw_datalists, dataset))
        columns[lesion] = verdict.columns
    if any(found["status"] != "quarantined" for found in columns.values()):
        link_image(image, dataset / name, copy)
    return columns


def link_image(source: Path, target: Path, copy: bool) -> None:
    """Make `target` the same file as `source`: a hard link, else a symbolic one; with `copy` a copy."""
    source = source.resolve()  # a hard link to a symbolic link would point into nothing
    if target.exists() and (_same_copy(source, target) if copy else target.samefile(source)):
        return
    _withdraw_datalists(target.parents[1])
    unfinished = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        if copy:
            shutil.copy2(source, unfinished)
        else:
            try:
                os.link(source, unfinished)
            except OSError:
                unfinished.symlink_to(source)
        unfinished.replace(target)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        what = "copied" if copy else "linked"
        raise InputError(
            f"{target}: {source} cannot be {what} there ({error.strerror}); change --dataset_dir or --copy"
        ) from error


def _same_copy(source: Path, target: Path) -> bool:
    a, b = source.stat(), target.lstat()
    return not target.is_symlink() and (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns) and a.st_ino != b.st_ino


def list_reasons(audit: Audit) -> list[str]:
    """Give each quarantined lesion a line with its reason."""
    return [f"    {row['lesion_id']}: {row['reason']}" for row in audit if row["status"] == "quarantined"]


def finish(
    dataset: Path,
    source: Path,
    about: Mapping[str, str],
    audit: Audit,
    splits: Mapping[str, Parts],
    remarks: Sequence[str] = (),
    reasons: Callable[[Audit], list[str]] = list_reasons,
) -> None:
    """Write audit and datalists, and print what became of the lesions.

    The datalists state what they are `about`: name, source and the like. The audit has one row per lesion of the
    source's table, with `lesion_id`, `status` and `reason`. `remarks` are printed last.

    Raises:
        InputError: no lesion is usable, or a file cannot be written.
    """
    file = dataset / "audit.csv"
    write_csv(file, audit, first=("lesion_id", "status", "reason"))
    _write_datalists(dataset, about, splits)
    counts = sorted(Counter(row["status"] for row in audit).items())
    lines = [f"{len(audit)} lesions in the table", *(f"  {status}: {number}" for status, number in counts)]
    lines += [*reasons(audit), *_count_splits(splits), *remarks]
    print("\n".join(lines))
    if all(row["status"] == "quarantined" for row in audit):
        raise InputError(f"{source}: no lesion is usable; {file} gives the reason for each")


def _withdraw_datalists(dataset: Path) -> None:
    """Remove the datalists of an earlier preparation, since what they name is going to change."""
    for file in _datalists(dataset):
        remove(file)


def _datalists(dataset: Path) -> list[Path]:
    return [file for file in sorted(dataset.glob("datalists/*.json")) if file.is_file()]


def _write_datalists(dataset: Path, about: Mapping[str, str], splits: Mapping[str, Parts]) -> None:
    """Write the datalists of a prepared data set; where an earlier one is not the same, all are removed first."""
    contents = {dataset / "datalists" / f"{name}.json": _encode(about, parts) for name, parts in splits.items()}
    if any(file.read_bytes() != contents.get(file) for file in _datalists(dataset)):
        _withdraw_datalists(dataset)
    for file, content in contents.items():
        write_if_changed(file, content)


def write_datalist(file: Path, about: Mapping[str, str], parts: Parts) -> None:
    """Write one datalist: `about`, then the lesions of each part."""
    write_if_changed(file, _encode(about, parts))


def _encode(about: Mapping[str, str], parts: Parts) -> bytes:
    """Encode a datalist with one lesion a line; what is not known is `N/A`.

    MONAI's `load_decathlon_datalist` takes an empty text for a path and makes it the folder of the data set.
    """
    lines = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    for part, entries in parts.items():
        known = [{key: UNKNOWN if value == "" else value for key, value in entry.items()} for entry in entries]
        body = ",\n".join(f"        {json.dumps(entry)}" for entry in known)
        lines.append(f"    {json.dumps(part)}: [\n{body}\n    ]" if entries else f"    {json.dumps(part)}: []")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def datalist_entry(image: str, lesion: Mapping[str, Any]) -> dict[str, Any]:
    """Return the datalist's entry of a lesion, with whatever is known of it, in the mammogram `images/<name>`."""
    return {"image": image, "label": f"masks/{lesion['lesion_id']}.png", **lesion}


def count_reasons(audit: Audit) -> list[str]:
    """Count lesions by status and kind of reason, which is what stands before the colon."""
    kinds = Counter((row["status"], row["reason"].partition(": ")[0]) for row in audit if row["reason"])
    return [f"    {status}, {kind}: {number}" for (status, kind), number in sorted(kinds.items())]


def _count_splits(splits: Mapping[str, Parts]) -> list[str]:
    """Count lesions and patients in each part of each split, and the patients who are in more than one."""
    lines = []
    for split, parts in splits.items():
        counts = ", ".join(
            f"{part} {count_lesions(len(lesions), len({lesion['patient_id'] for lesion in lesions}))}"
            for part, lesions in parts.items()
        )
        lines.append(f"  split {split}: {counts}; {shared_patients(parts)} patients in more than one part")
    return lines or ["  no split, and so nothing to train on: it takes lesions of three patients"]
