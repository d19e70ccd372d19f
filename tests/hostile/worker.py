"""A child process that reads damaged inputs one after the other and says what came of each.

`python -m tests.hostile.worker SEEDS WORK`: takes lines `<index of the seed> <number of the damage>` and answers each
with a line of JSON. Its parent ends it when it hangs, and starts another when it dies.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import resource
import shutil
import sys
import traceback
import warnings
from pathlib import Path

from custom.errors import find_input_error
from tests.hostile.entries import read
from tests.hostile.mutations import damage, remove
from tests.hostile.seeds import Seed

# In place of a number: the seed as it is.
WHOLE = -1
# Beyond this an input is refused by the system: no allocation can take the machine's memory.
ADDRESS_SPACE = 6 << 30
# What reading one small damaged file may take at most. It holds a mammogram of the largest size that is accepted.
MOST_MEMORY = 1 << 30


def try_one(seed: Seed, number: int, work: Path) -> dict[str, str]:
    """Damage a copy of the seed and read it.

    Returns:
        `result`: `read`, `refused` or a fault; `damage`: what was done; `told`: the line, or what is wrong.
    """
    remove(work)
    copy = work / seed.folder.name
    shutil.copytree(seed.folder, copy)
    file = copy / seed.file.relative_to(seed.folder)
    done = damage(seed, number, file) if number != WHOLE else "nothing"
    before = _listing(work)
    reset_peak()
    start = memory("VmRSS")
    result, told = _read(seed, file, work)
    if (used := memory("VmHWM") - start) > MOST_MEMORY:
        result, told = "memory", f"{used >> 20} MiB: {told}"
    if (after := _listing(work)) != before:
        result, told = "wrote outside", f"{set(after.items()) ^ set(before.items())}"
    return {"result": result, "damage": done, "told": told}


def _read(seed: Seed, file: Path, work: Path) -> tuple[str, str]:
    try:
        read(seed.kind, file, work / "output")
    except Exception as error:
        found = find_input_error(error)
        if found is None:
            return "exception", "".join(traceback.format_exception(error))[-3000:]
        line = str(found)
        if "\n" in line or not line.isprintable():
            return "not one line", line
        if len(line) > 2000:
            return "long line", line[:3000]
        if file.name not in line and not line.startswith("--") and str(work) not in line:
            return "file not named", line
        return "refused", line
    return "read", ""


def _listing(work: Path) -> dict[str, tuple[int, int]]:
    """What lies in the place of work, but for the output, and beside it."""
    found = {}
    for folder in (work, work.parent):
        for path in folder.rglob("*") if folder is work else folder.iterdir():
            if path == work or (work / "output") in (path, *path.parents):
                continue
            state = path.lstat()
            found[str(path)] = (state.st_size, 0 if path.is_dir() else state.st_mtime_ns)
    return {name: state for name, state in found.items() if not Path(name).is_dir() or "escape" in name}


def reset_peak() -> None:
    """Let the kernel forget the most memory that this process had."""
    Path("/proc/self/clear_refs").write_text("5")


def memory(name: str) -> int:
    """Bytes of a line of the process's status, such as VmRSS or VmHWM."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{name}:")[1].split()[0])


def main(seeds_file: str, work: str) -> None:
    seeds: list[Seed] = pickle.loads(Path(seeds_file).read_bytes())  # of the parent, in a folder of its own
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # so that nothing that a library prints is taken for an answer
    for line in sys.stdin:
        index, number = map(int, line.split())
        print(json.dumps(try_one(seeds[index], number, Path(work, "case"))), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
