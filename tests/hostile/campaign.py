"""Many damaged inputs, read in child processes that may hang or die, and the count of how they ended."""

from __future__ import annotations

import json
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hostile.seeds import ROOT, Seed

# Of computing, for one small file; a child that starts needs some for its imports.
SECONDS, SECONDS_TO_START = 20, 120
# On the clock, of one that computes nothing, or has to share the machine.
LONGEST_WAIT = 300
GOOD = ("read", "refused")


@dataclass
class Campaign:
    """What came of the inputs.

    Attributes:
        counts: of each kind how many ended in which way.
        faults: those that ended in no good way.
    """

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    faults: list[dict[str, Any]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(counts.total() for counts in self.counts.values())


class _Child:
    """A worker process; `ask` gives its answer, or what it died of."""

    def __init__(self, seeds: Path, work: Path) -> None:
        self.command = [sys.executable, "-m", "tests.hostile.worker", str(seeds), str(work)]
        self.log = work.with_suffix(".log")
        self.process: subprocess.Popen[str] | None = None
        self.fresh = True

    def ask(self, index: int, number: int) -> dict[str, str]:
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(f"{index} {number}\n")
        self.process.stdin.flush()
        line = self._wait(SECONDS_TO_START if self.fresh else SECONDS)
        if line is None:
            self.close()
            return {"result": "hang", "damage": "", "told": ""}
        self.fresh = False
        if not line:
            code = self.process.wait()
            self.close()
            return {"result": "crash", "damage": "", "told": f"code {code}: {self.log.read_text()[-2000:]}"}
        answer: dict[str, str] = json.loads(line)
        return answer

    def _wait(self, seconds: float) -> str | None:
        """The answer; None where it has computed for so long, or is not heard of."""
        assert self.process is not None
        begun, begun_at = _computed(self.process.pid), time.monotonic()
        while time.monotonic() - begun_at < LONGEST_WAIT and _computed(self.process.pid) - begun < seconds:
            with suppress(queue.Empty):
                return self.answers.get(timeout=1)
        return None

    def _start(self) -> None:
        self.process = subprocess.Popen(
            self.command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log.open("w")
        )
        self.answers: queue.Queue[str] = queue.Queue()
        self.fresh = True
        threading.Thread(target=self._listen, args=(self.process, self.answers), daemon=True).start()

    @staticmethod
    def _listen(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            answers.put(line)
        answers.put("")

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def _computed(process: int) -> float:
    """Seconds that a process, which has not been waited for, has computed."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(seeds: Sequence[Seed], inputs: Iterable[tuple[int, int]], folder: Path, children: int = 2) -> Campaign:
    """Read the inputs.

    Args:
        seeds: what is damaged.
        inputs: each the index of a seed and the number of the damage.
        folder: of one's own, for what the children need.
        children: how many processes share the work.
    """
    file = folder / "seeds.pickle"
    file.write_bytes(pickle.dumps(list(seeds)))
    left: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
    for one in inputs:
        left.put(one)
    campaign = Campaign()

    def work(place: int) -> None:
        home = folder / f"child{place}"
        home.mkdir()
        child = _Child(file, home)
        try:
            while True:
                try:
                    index, number = left.get_nowait()
                except queue.Empty:
                    return
                answer = child.ask(index, number)
                campaign.counts[seeds[index].kind][answer["result"]] += 1
                if answer["result"] not in GOOD:
                    where = {"kind": seeds[index].kind, "file": seeds[index].file.name, "seed": index, "number": number}
                    campaign.faults.append(where | answer)
        finally:
            child.close()

    with ThreadPoolExecutor(children) as pool:
        list(pool.map(work, range(children)))
    return campaign
