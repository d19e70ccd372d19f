"""The closing lines of a preparation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from scripts.common.formatting import count_lesions
from scripts.prepare.splits import Parts, shared_patients

Audit = Sequence[Mapping[str, str]]


def count_statuses(audit: Audit) -> list[str]:
    """Lesions by status."""
    counts = Counter(row["status"] for row in audit)
    return [f"{len(audit)} lesions in the table", *(f"  {status}: {counts[status]}" for status in sorted(counts))]


def list_reasons(audit: Audit) -> list[str]:
    """Each quarantined lesion with its reason."""
    return [f"    {row['lesion_id']}: {row['reason']}" for row in audit if row["status"] == "quarantined"]


def count_reasons(audit: Audit) -> list[str]:
    """Lesions by status and kind of reason, which is what stands before the colon."""
    kinds = Counter((row["status"], row["reason"].partition(": ")[0]) for row in audit if row["reason"])
    return [f"    {status}, {kind}: {number}" for (status, kind), number in sorted(kinds.items())]


def count_splits(datalists: Mapping[str, Parts]) -> list[str]:
    """Lesions and patients in each part of each split, and the patients who are in more than one."""
    lines = []
    for split, parts in datalists.items():
        counts = ", ".join(
            f"{part} {count_lesions(len(lesions), len({lesion['patient_id'] for lesion in lesions}))}"
            for part, lesions in parts.items()
        )
        lines.append(f"  split {split}: {counts}; {shared_patients(parts)} patients in more than one part")
    return lines or ["  no split, and so nothing to train on: it takes lesions of three patients"]
