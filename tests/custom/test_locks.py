from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from custom.errors import InputError
from custom.locks import held, hold, release

HOLD = """
import os, sys, time
from pathlib import Path
from custom.locks import hold
hold(Path(sys.argv[1]))
os.fork()  # as a worker of the process, which lives on for some seconds when that one is killed
os.write(1, b"held\\n")  # at once: two processes write it
time.sleep(20)
"""


@pytest.mark.promise("A folder is written by one process at a time, until that ends, however it ends")
def test_a_folder_is_held_by_one_process_until_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    assert other.stdout is not None
    assert [other.stdout.readline() for _ in range(2)] == [b"held\n"] * 2  # the fork closes it before it says so
    try:
        with pytest.raises(InputError, match="folder: another process is writing into it"):
            hold(folder)
        other.kill()
        other.wait()
        hold(folder)
    finally:
        os.killpg(other.pid, signal.SIGKILL)
    with held(folder):
        pass
    held_still = subprocess.run([sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, capture_output=True, text=True)
    assert "another process is writing into it" in held_still.stderr
    release(folder)
    assert list(folder.iterdir()) == []
