"""Damaged and hostile inputs of every kind: read, or refused in one line that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile import campaign
from tests.hostile.campaign import SECONDS, Campaign
from tests.hostile.entries import ENTRIES
from tests.hostile.seeds import Seed, make_seeds
from tests.hostile.worker import MOST_MEMORY, WHOLE
from tests.reliability import write_counts

pytestmark = pytest.mark.slow

# A report takes seconds.
SLOW = ("training.json of a report", "summary.json", "lesions.csv", "calibration.csv")
PROMISE = (
    "{}, damaged or hostile: read or refused, "
    f"with at most {SECONDS} s of computing and {MOST_MEMORY >> 20} MiB more memory; nothing outside the output folder"
)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Seed]:
    return make_seeds(tmp_path_factory.mktemp("seeds"))


def check(done: Campaign) -> None:
    assert not done.faults, "\n".join(str(fault) for fault in done.faults[:5])


def test_a_sample(seeds: list[Seed], tmp_path: Path) -> None:
    fast = [index for index, seed in enumerate(seeds) if seed.kind not in SLOW]
    whole = [(index, WHOLE) for index in fast]
    done = campaign.run(seeds, [*whole, *((index, number) for number in range(6) for index in fast)], tmp_path, 1)
    check(done)
    assert {kind for kind, counts in done.counts.items() if counts["read"]} == ENTRIES.keys() - {*SLOW}
    assert done.total >= 150


@pytest.mark.soak
def test_thousands(seeds: list[Seed], tmp_path: Path) -> None:
    inputs = [
        (index, number) for number in range(WHOLE, 100) for index, seed in enumerate(seeds)
        if number < 60 or seed.kind not in SLOW
    ]  # fmt: skip
    done = campaign.run(seeds, inputs, tmp_path)
    rows = [
        {
            "promise": PROMISE.format(kind),
            "test": "tests/hostile/test_hostile.py::test_thousands",
            "count": counts.total(),
            "result": ", ".join(f"{result} {count}" for result, count in sorted(counts.items())),
        }
        for kind, counts in sorted(done.counts.items())
    ]
    write_counts("hostile", rows)
    check(done)
    assert done.total >= 2000
