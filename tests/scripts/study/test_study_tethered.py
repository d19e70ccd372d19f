from __future__ import annotations

import signal
import subprocess
import sys

from tests.helpers import ROOT

STARTER = """
import subprocess, sys
code = "print(1, flush=True); import time; time.sleep(60)"
command = [sys.executable, "-m", "scripts.study.tethered", "timeit", "-n", "1", code]
subprocess.Popen(command, stdin=subprocess.PIPE).wait()
"""


def test_what_a_study_started_ends_when_the_study_is_killed():
    starter = subprocess.Popen([sys.executable, "-c", STARTER], cwd=ROOT, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"1\n"
    starter.send_signal(signal.SIGKILL)
    starter.communicate(timeout=30)  # to the end of the pipe, which what it started holds as well
