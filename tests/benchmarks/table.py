"""Turns records of pytest-benchmark into the table of `bundle/docs/benchmarks.md`.

    python -m tests.benchmarks.table RECORD [RECORD ...] DOCUMENT

Every benchmark of a record has put its row there by `note_row`; one that was run again has that of the last record.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch

COLUMNS = ("row", "against", "reach", "measured", "note")
TITLES = ("what", "against", "to reach", "measured", "note")
INTRODUCTION = """# How fast

Written by `make bench`; every row is a ratio of two things that were measured in turn in one run, as median and, in
brackets, smallest and largest of the rounds, so that a busy machine slows both alike. What a row measures stands in
`tests/benchmarks/bench_*.py`.

Machine: {machine}. {date}.

"""


def main(*files: str) -> None:
    """Write the document, the last of `files`, from the records."""
    records = [json.loads(Path(record).read_text()) for record in files[:-1]]
    cpu = records[-1]["machine_info"]["cpu"]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    cores = len(os.sched_getaffinity(0))
    machine = f"{cpu['brand_raw']}, {cores} cores, {gpu}, PyTorch {torch.__version__.partition('+')[0]}"
    found = {one["fullname"]: one["extra_info"] for record in records for one in record["benchmarks"]}
    rows = found.values()
    lines = [TITLES, ["---"] * len(TITLES), *([row[column] for column in COLUMNS] for row in rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    heading = INTRODUCTION.format(machine=machine, date=records[-1]["datetime"][:10])
    Path(files[-1]).write_text(f"{heading}{table}")


if __name__ == "__main__":
    main(*sys.argv[1:])
