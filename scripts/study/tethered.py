"""`python -m scripts.study.tethered MODULE ...`: run a module as a program that ends when the one who started it ends.

A study that is killed must not leave a training behind, which would write into the folder that the next study goes on
with. Whoever starts this keeps its standard input open as a pipe, which closes however that process ends.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading


def _end_with_the_starter() -> None:
    while os.read(sys.stdin.fileno(), 1):  # not through the buffer, whose lock the interpreter wants at its end
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_starter, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
