"""The closing lines of a preparation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from scripts.prepare.splits import Parts


def account(audit: Sequence[Mapping[str, str]], datalists: Mapping[str, Parts]) -> str:
    """The closing lines: lesions by status and reason, and by split."""
    lines = [f"{len(audit)} lesions in the table"]
    lines += [f"  {status}: {number}" for status, number in sorted(Counter(row["status"] for row in audit).items())]
    for row in audit:
        if row["status"] == "quarantined":
            lines.append(f"    {row['lesion_id']}: {row['reason']}")
    for split, parts in datalists.items():
        counts = ", ".join(
            f"{part} {len(lesions)} lesions of {len({lesion['patient_id'] for lesion in lesions})} patients"
            for part, lesions in parts.items()
        )
        lines.append(f"  split {split}: {counts}")
    return "\n".join(lines)
