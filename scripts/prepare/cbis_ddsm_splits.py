"""The splits of CBIS-DDSM. They are drawn from the tables alone, so that what cannot be used moves no other lesion."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.prepare.cbis_ddsm_tables import Lesion
from scripts.prepare.splits import (
    FOLDS,
    LEAST_PATIENTS,
    Entry,
    Parts,
    fold_splits,
    lesion_split,
    patient_split,
    split_with_test,
)


def make_splits(lesions: Sequence[Lesion]) -> dict[str, Parts]:
    """`patient`, `official`, `paper` and `fold0` to `fold4`, as far as there are patients enough."""
    entries: list[Entry] = [lesion.metadata for lesion in lesions]
    patients = {entry["patient_id"] for entry in entries}
    tested = {lesion.metadata["patient_id"] for lesion in lesions if lesion.key.part == "Test"}
    splits: dict[str, Parts] = {}
    if len(patients) >= LEAST_PATIENTS:
        splits["patient"] = patient_split(entries)
        splits["official"] = split_with_test(entries, tested)
        splits["paper"] = lesion_split(entries)
    if len(patients) >= FOLDS:
        splits |= {f"fold{number}": parts for number, parts in enumerate(fold_splits(entries))}
    return splits


def entry(lesion: Entry, suffix: str) -> dict[str, str]:
    """The datalist's entry of a lesion whose image has the given suffix."""
    name = lesion["lesion_id"]
    return {"image": f"images/{name.rpartition('_')[0]}{suffix}", "label": f"masks/{name}.png", **lesion}
