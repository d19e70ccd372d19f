"""Time, disk and memory of a preparation and a cached epoch as a data set grows."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

from scripts.phantoms import phantoms
from tests.benchmarks.ratios import in_process, note_row

SIZES = (100, 400, 1600)
DRAWN = 10


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    phantoms(str(folder), "manifest", patients=DRAWN)
    return folder


def write_repeated(source: Path, folder: Path, lesions: int) -> Path:
    """A table of so many lesions: the drawn ones over and over, as files and patients of their own."""
    with (source / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    repeated = []
    for number in range(lesions):
        row = dict(rows[number % len(rows)])
        copy = f"{number // len(rows):03d}"
        for key in ("image", "mask"):
            target = folder / copy / row[key]
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copyfile(source / row[key], target)
            row[key] = f"{copy}/{row[key]}"
        repeated.append(row | {key: f"{row[key]}_{copy}" for key in ("lesion_id", "patient_id")})
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(repeated)
    return folder / "manifest.csv"


def test_growth(benchmark: Any, drawn: Path, tmp_path: Path) -> None:
    def measure() -> list[dict[str, float]]:
        found = []
        for lesions in SIZES:
            folder = tmp_path / str(lesions)
            table = write_repeated(drawn, folder / "raw", lesions)
            found.append(in_process("tests.benchmarks.growth", str(table), str(folder / "made")))
            shutil.rmtree(folder)
        return found

    found = benchmark.pedantic(measure, rounds=1)

    def listed(name: str, form: str, divide_by: float = 1) -> str:
        return " / ".join(format(one[name] / divide_by, form) for one in found)

    growth = [last / first for first, last in zip(found[0].values(), found[-1].values(), strict=True)]
    named = dict(zip(found[0], growth, strict=True))
    note_row(
        benchmark,
        f"growth: {', '.join(map(str, SIZES))} lesions of .8 x 1.3 thousand pixels, cached at 224 x 224",
        f"{SIZES[-1] // SIZES[0]} times the lesions",
        "time and disk linear, memory flat",
        f"preparation {named['prepare']:.1f} times the time, filling the cache {named['fill']:.1f}, a cached epoch "
        f"{named['epoch']:.1f}, disk {named['disk']:.1f}, memory {named['memory']:.2f}",
        f"prepare {listed('prepare', '.1f')} s, fill {listed('fill', '.1f')} s, epoch {listed('epoch', '.2f')} s, "
        f"disk {listed('disk', '.0f', 1e6)} MB, peak memory {listed('memory', '.0f', 1e6)} MB",
    )
