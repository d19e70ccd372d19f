"""How fast `prepare cbis_ddsm` is beside a plain read of the same files, and how much memory a worker takes.

    python -m tests.benchmarks.benchmark_prepare_cbis_ddsm --folder DIR [--mammograms 20] [--workers "(1,2)"]

writes a raw tree of full-size mammograms (about 60 MB each) into DIR, once, and prints one line for each number of
workers. Every file was read just before, so it comes from memory: it is the code that is measured, not the disk.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import fire
from dask.distributed import Client, LocalCluster

from scripts.phantoms.cbis_ddsm import CbisDdsmWriter, raw_files
from scripts.phantoms.cohort import draw_patient
from scripts.phantoms.generate import generate_phantom
from scripts.phantoms.layouts import raw_mammogram
from scripts.prepare.cbis_ddsm import prepare_cbis_ddsm

SIZE = (3500, 5000)
DRAWN = 2


def benchmark(folder: str, mammograms: int = 20, workers: Sequence[int] = (1, 2)) -> None:
    """Measure.

    Args:
        folder: for the raw tree and the prepared data sets.
        mammograms: how many to write; a few phantoms in turn, under names of their own.
        workers: numbers of worker processes to measure with.
    """
    source = Path(folder) / "raw"
    if not source.exists():
        write_tree(source, mammograms)
    files = [file for file in source.rglob("*") if file.is_file()]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    plain_read(files)
    report("plain read", files, megabytes, plain_read(files))
    for number in workers:
        target = Path(folder) / f"prepared_{number}"
        shutil.rmtree(target, ignore_errors=True)
        with (
            LocalCluster(n_workers=number, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            client.run(peak_memory)  # Starts the workers before the clock.
            start = time.perf_counter()
            prepare_cbis_ddsm(str(source), str(target), scheduler=cluster.scheduler_address)
            report(f"prepare, {number} workers", files, megabytes, time.perf_counter() - start)
            print(f"    peak memory of a worker: {max(client.run(peak_memory).values()):.0f} MB")


def write_tree(source: Path, mammograms: int) -> None:
    """A raw tree of the first phantoms, over and over."""
    drawn = [raw_mammogram(generate_phantom(0, draw_patient(0, number), "MLO", SIZE)) for number in range(1, DRAWN + 1)]
    writer = CbisDdsmWriter(source)
    for number in range(1, mammograms + 1):
        mammogram = replace(drawn[number % DRAWN], patient_id=f"P_{number:05d}")
        writer.write(mammogram, raw_files(mammogram))
    writer.write_tables()


def plain_read(files: Sequence[Path]) -> float:
    """Seconds to read every byte."""
    start = time.perf_counter()
    for file in files:
        file.read_bytes()
    return time.perf_counter() - start


def peak_memory() -> float:
    """The most memory that this process has had, in megabytes; `ru_maxrss` would count its parent, too."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def report(name: str, files: Sequence[Path], megabytes: float, seconds: float) -> None:
    """One line."""
    print(f"{name}: {len(files)} files, {megabytes:.0f} MB in {seconds:.1f} s", end="")
    print(f" = {len(files) / seconds:.1f} files/s, {megabytes / seconds:.0f} MB/s")


if __name__ == "__main__":
    fire.Fire(benchmark)
