"""The counts of the tests of reliability, and the table of what is promised that is made of them.

    python -m tests.reliability DOCUMENT

makes it of what `make soak` and `make fuzz` have left in the folder that MAMMO_COUNTS names; without that variable the
tests count nothing, so that a short run does not take the place of a long one.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

FOLDER = "MAMMO_COUNTS"
COLUMNS = {"promise": "what is promised", "test": "which test shows it", "count": "tried", "result": "last result"}
INTRODUCTION = """# What is promised, and what shows it

Written by `make soak` and `make fuzz` from the counts of their last runs, {date}. `make test` runs the same tests, but
fewer cases of those that take long.

What is meant by

- refused: the program ends with exit code 2 and one line that says which file, what was found and what was expected;
- quarantined: a lesion is left out of the datalists, and its row in `audit.csv` has the reason;
- killed and started again: SIGKILL to the program and all processes that it has started, at random moments, and then
  the same command again, until it ends. The results are those of a program that was left alone; no file under its own
  name is ever half-written, what is finished is not written again, and no temporary file is left.

What cannot be found, and is up to whoever prepares the data: in a table of one's own without boxes, a mask of another
mammogram of the same size; in INbreast, an annotation under the name of another image.

"""


def write_counts(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write `<name>.json`: of each promise the test, the count of its trials and the result."""
    if FOLDER not in os.environ:
        return
    file = Path(os.environ[FOLDER], f"{name}.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(list(rows), indent=4) + "\n")


def write_count(test: str, promise: str, count: int, result: str) -> None:
    """Write the one row of a test."""
    row = {"promise": promise, "test": test, "count": count, "result": result}
    write_counts(test.replace("/", "."), [row])


_outcomes: dict[str, Counter[str]] = defaultdict(Counter)


def count_outcome(test: str, promise: str, outcome: str) -> None:
    """Count the cases of a test that is marked with its promise."""
    name = test.partition("[")[0]
    _outcomes[name][outcome] += 1
    found = _outcomes[name]
    write_count(name, promise, found.total(), ", ".join(f"{told} {count}" for told, count in sorted(found.items())))


def main(document: str) -> None:
    """Write the document."""
    files = sorted(Path(os.environ[FOLDER]).glob("*.json"))
    rows = sorted((row for file in files for row in json.loads(file.read_text())), key=lambda row: row["test"])
    lines = [COLUMNS.values(), ["---"] * len(COLUMNS), *([str(row[column]) for column in COLUMNS] for row in rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    Path(document).write_text(INTRODUCTION.format(date=date.today()) + table)


if __name__ == "__main__":
    main(*sys.argv[1:])
