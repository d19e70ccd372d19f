"""The counts of a run of tests, from which the table of what is promised is made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.hostile.seeds import ROOT


def write_counts(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write `build/reliability/<name>.json`: of each promise the test, the count of its trials and the result."""
    file = ROOT / "build" / "reliability" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(list(rows), indent=4) + "\n")
