"""Many independent pieces of work on the cores of this machine or on a Dask cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import dask.config
from dask.distributed import Client, Future, LocalCluster, as_completed
from tqdm import tqdm

from custom.errors import InputError

_ENVIRON = "distributed.nanny.pre-spawn-environ"
# Where Dask serves its pages, which it always does: on this machine alone, at a free port.
_PAGES = "127.0.0.1:0"


def parallel_map(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    scheduler: str | None,
    description: str,
    unit: str,
    processes: bool = True,
    keep_errors: bool = False,
) -> list[Any]:
    """Return `function` of every item, in the order of the items, and show a progress bar meanwhile.

    Args:
        function: Function of one item that a worker can import. What it raises is raised when the other items are done.
        items: Small, picklable pieces of work: names of files, not their pixels.
        scheduler: Address of a Dask scheduler; None for this machine.
        description: Description of the progress bar.
        unit: Unit of the progress bar.
        processes: Work in a process on each core where there is no scheduler. False where `function` waits for a
            program of its own: one item after the other, with the environment as it is, in which Dask would set
            threads and memory for the processes that it starts.
        keep_errors: Return what `function` raises, or the end of its process, in the place of the result.

    Raises:
        InputError: No scheduler answers at the address.
    """
    cluster = None if scheduler else _local_cluster(processes)
    try:
        with _client(scheduler, cluster) as client:
            futures = client.map(function, items, pure=False, retries=0)
            done = as_completed(futures)
            for _ in tqdm(done, total=len(futures), desc=description, unit=unit, disable=None):
                pass
            if keep_errors:
                return list(map(_result_or_error, futures))
            return client.gather(futures)
    except RuntimeError as error:
        if isinstance(error.__cause__, ModuleNotFoundError):
            raise InputError(
                f"--scheduler {scheduler}: {error.__cause__} there; start scheduler and workers in the folder of this "
                "repository with PYTHONPATH=. and the same versions of all packages"
            ) from error
        raise
    finally:
        if cluster is not None:
            cluster.close()


def _result_or_error(future: Future) -> Any:
    try:
        return future.result()
    except Exception as error:
        if isinstance(error.__cause__, ModuleNotFoundError):
            raise
        return error


def _client(scheduler: str | None, cluster: LocalCluster | None) -> Client:
    try:
        return Client(scheduler or cluster, timeout="30s")
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {scheduler}: no Dask scheduler answers ({error}); start one there") from error


def _local_cluster(processes: bool) -> LocalCluster:
    # Dask lets its processes hand every freed mammogram back to the system, which halves their speed.
    environ = dict(dask.config.get(_ENVIRON))
    environ.pop("MALLOC_TRIM_THRESHOLD_", None)
    with dask.config.set({_ENVIRON: environ}):
        # A worker that is shut down while it talks to the scheduler logs an error; what matters is raised.
        return LocalCluster(
            n_workers=os.cpu_count() if processes else 1,
            processes=processes,
            threads_per_worker=1,
            dashboard_address=_PAGES,
            worker_dashboard_address=_PAGES,
            silence_logs=logging.CRITICAL,
        )
