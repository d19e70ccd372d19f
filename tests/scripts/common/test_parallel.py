from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from custom.errors import InputError
from scripts.common.formatting import slug
from scripts.common.parallel import parallel_map


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fail(number: int) -> int:
    if number == 2:
        raise OSError(28, "No space left on device")
    return number


def listening(_: object = None) -> set[tuple[str, int]]:
    """The addresses at which this process and the one that started it can be reached."""
    processes = psutil.Process(), psutil.Process().parent()
    found = (one.net_connections() for one in processes if one is not None and one.name().startswith("python"))
    return {tuple(one.laddr) for several in found for one in several if one.status == psutil.CONN_LISTEN}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("processes", [False, True])
def test_work_on_this_machine_cannot_be_reached_from_outside(processes: bool):
    with socket.socket() as other_program:
        with suppress(OSError):  # Dask warns where the port that it takes of itself is taken.
            other_program.bind(("127.0.0.1", 8787))
            other_program.listen()
        before = listening()
        [while_at_work] = parallel_map(listening, [1], None, "Testing", "number", processes=processes)
    assert {host for host, _ in while_at_work - before} == {"127.0.0.1"}


def test_results_are_in_order(scheduler: str):
    assert parallel_map(str, [3, 1, 2], scheduler, "Testing", "number") == ["3", "1", "2"]


def test_a_workers_error_stays_what_it_is(scheduler: str):
    with pytest.raises(OSError, match="No space left"):
        parallel_map(fail, [1, 2, 3], scheduler, "Testing", "number")


def test_a_workers_error_in_the_place_of_its_result(scheduler: str):
    one, error, three = parallel_map(fail, [1, 2, 3], scheduler, "Testing", "number", keep_errors=True)
    assert (one, three) == (1, 3)
    assert isinstance(error, OSError)
    assert error.__traceback__ is not None


def test_no_scheduler_at_the_address():
    with pytest.raises(InputError, match=r"--scheduler bogus://x:1: no Dask scheduler answers"):
        parallel_map(fail, [1], "bogus://x:1", "Testing", "number")


def test_a_scheduler_that_does_not_know_this_code(tmp_path: Path):
    address = f"tcp://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as scheduler:
        try:
            for keep_errors in (False, True):
                with pytest.raises(InputError, match=r"--scheduler \S+: No module named .* there; start scheduler and"):
                    parallel_map(slug, ["a"], address, "Testing", "number", keep_errors=keep_errors)
        finally:
            scheduler.terminate()
