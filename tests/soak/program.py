"""A program of the project that can be killed at any moment; many of them start at once, since all is imported before.

Each is forked from a server that has imported the verbs, and is a process group of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.soak.imports"])


class Program:
    """`python -m <arguments>` at the root of the repository; what it says is added to the file `log`."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.log = log
        # Not a daemon: it may have children.
        self.process = _SERVER.Process(target=_run, args=(list(map(str, arguments)), str(log)))
        os.environ["PYTHONPATH"] = str(ROOT)  # of the server, which the first one starts
        self.process.start()

    def ends_within(self, seconds: float) -> bool:
        self.process.join(seconds)
        return self.process.exitcode is not None

    def kill(self) -> None:
        """SIGKILL to the program and its children."""
        assert self.process.pid is not None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:  # not yet a group, or ended
            self.process.kill()
        self.process.join()

    def end(self, seconds: float = 600) -> tuple[int, str]:
        """Its exit code and all that is in its log."""
        if not self.ends_within(seconds):
            self.kill()
            raise AssertionError(f"not within {seconds} s: {self.log.read_text(errors='replace')[-3000:]}")
        assert self.process.exitcode is not None
        return self.process.exitcode, self.log.read_text(errors="replace")


def run(arguments: list[str], log: Path) -> tuple[int, str]:
    """Exit code and log of a program that is left to its end."""
    return Program(arguments, log).end()


def _run(arguments: list[str], log: str) -> None:
    os.setsid()
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(target, descriptor)
    os.close(target)
    os.chdir(ROOT)
    sys.argv = arguments
    sys.path.insert(0, str(ROOT))
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit:
        raise
    except BaseException:
        # As an interpreter ends; multiprocessing would only print the traceback.
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
