"""The counts of these tests, each of which adds its promise to one table."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def write_count(test: str, promise: str, count: int, result: str) -> None:
    """Write `build/reliability/<test>.json`, as the other tests of reliability write theirs."""
    file = ROOT / "build" / "reliability" / f"{test.partition('::')[2]}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    row = {"promise": promise, "test": test, "count": count, "result": result}
    file.write_text(json.dumps([row], indent=4) + "\n")
