"""How fast `prepare cbis_ddsm` is beside a plain read of the same files, and how much memory a worker takes.

Every file was read just before, so it comes from memory: it is the code that is measured, not the disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from dask.distributed import Client, LocalCluster

from scripts.common.phantom.cohort import draw_patient
from scripts.common.phantom.generate import generate_phantom
from scripts.phantoms.cbis_ddsm import CbisDdsmWriter, raw_files
from scripts.phantoms.layouts import raw_mammogram
from scripts.prepare.cbis_ddsm import prepare_cbis_ddsm
from tests.benchmarks.ratios import memory, note_row, seconds

SIZE = (3500, 5000)
MAMMOGRAMS, DRAWN = 40, 2


def test_prepare_cbis_ddsm(benchmark: Any, tmp_path: Path) -> None:
    write_tree(tmp_path / "raw")
    files = [file for file in (tmp_path / "raw").rglob("*") if file.is_file()]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    plain_read(files)
    plain = seconds(lambda: plain_read(files))
    one, peak = prepare(tmp_path, 1)
    two, _ = benchmark.pedantic(prepare, (tmp_path, 2), rounds=1)
    note_row(
        benchmark,
        f"`prepare cbis_ddsm`, {len(files)} files of {megabytes:.0f} MB, {SIZE[0]} x {SIZE[1]}",
        "two workers against one",
        "1.8 times",
        f"{one / two:.2f} times",
        f"one worker {len(files) / one:.1f} files/s, {megabytes / one:.0f} MB/s; a plain read of the files "
        f"{megabytes / plain:.0f} MB/s; peak memory of a worker {peak / 1e6:.0f} MB",
    )


def write_tree(source: Path) -> None:
    """A raw tree of the first phantoms, over and over under names of their own."""
    drawn = [raw_mammogram(generate_phantom(0, draw_patient(0, number), "MLO", SIZE)) for number in range(1, DRAWN + 1)]
    writer = CbisDdsmWriter(source)
    for number in range(1, MAMMOGRAMS + 1):
        mammogram = replace(drawn[number % DRAWN], patient_id=f"P_{number:05d}")
        writer.write(mammogram, raw_files(mammogram))
    writer.write_tables()


def plain_read(files: Sequence[Path]) -> None:
    """Read every byte."""
    for file in files:
        file.read_bytes()


def prepare(folder: Path, workers: int) -> tuple[float, int]:
    """Seconds, and the most memory that a worker has had, in bytes."""
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.run(import_module, "scripts.prepare.cbis_ddsm")  # Starts the workers before the clock.
        source, target = str(folder / "raw"), str(folder / f"prepared_{workers}")
        spent = seconds(lambda: prepare_cbis_ddsm(source, target, scheduler=cluster.scheduler_address))
        return spent, max(client.run(memory, "VmHWM").values())
