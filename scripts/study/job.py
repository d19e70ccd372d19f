"""Work of one worker of a study: train an arm with one seed and test it, each in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from custom.errors import InputError
from custom.files import as_json, lock_open_file, write_if_changed, writing
from custom.runs.folder import epochs_done
from scripts.common.formatting import slug
from scripts.common.results import TEST

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Job:
    """One arm of a study with one seed.

    Attributes:
        config_files: Config files of the training.
        settings: Ids that the training overrides.
        tests: Ids that the evaluation of each test overrides.
    """

    arm: str
    seed: int
    study_dir: Path
    config_files: list[str]
    settings: dict[str, Any]
    tests: dict[str, dict[str, Any]]

    @property
    def run_name(self) -> str:
        return f"{slug(self.arm)}_seed{self.seed}"

    @property
    def run_dir(self) -> Path:
        return self.study_dir / "runs" / self.run_name

    @property
    def log_file(self) -> Path:
        return self.study_dir / "logs" / f"{self.run_name}.log"

    def evaluation_dir(self, test: str) -> Path:
        return self.run_dir / "evaluation" / (slug(test) or TEST)

    def write_args(self) -> Path:
        """Write the args file with which the training begins: `python -m monai.bundle run --args_file FILE`."""
        file = self.study_dir / "args" / f"{self.run_name}.json"
        given = {"run_id": "training", "config_file": self.config_files, **self.settings, "run_name": self.run_name}
        write_if_changed(file, as_json(given))
        return file


def run_job(job: Job) -> None:
    """Do what is missing of a job: epochs, and tests without results. A run without a checkpoint starts anew.

    Raises:
        InputError: Training or evaluation failed; quotes its last line and names the log.
    """
    with writing(job.log_file):
        job.log_file.parent.mkdir(parents=True, exist_ok=True)
        opened = job.log_file.open("ab")
    with opened as log:
        # On a cluster a worker may still do the job of a study that was killed: wait for it rather than do it twice.
        lock_open_file(log)
        # A run names the places of its beginning; the data set may have moved.
        places = {name: job.settings[name] for name in ("dataset_dir", "cache_dir")}
        trained = epochs_done(job.run_dir)
        if not trained:
            shutil.rmtree(job.run_dir, ignore_errors=True)
            _run(job, log, "training", job.write_args())
        elif trained < job.settings["epochs"]:
            given = {**places, "resume": job.run_dir, "epochs": job.settings["epochs"]}
            _run(job, log, "training", job.run_dir / "training.json", **given)
        for test, overrides in job.tests.items():
            folder = job.evaluation_dir(test)
            # An evaluation writes its summary last.
            if not (folder / "summary.json").is_file():
                given = {**places, "evaluation_dir": folder, **overrides}
                _run(job, log, "evaluating", job.run_dir / "evaluating.json", **given)


def _run(job: Job, log: BinaryIO, run_id: str, args_file: Path, **overrides: Any) -> None:
    flags = [part for name, value in overrides.items() for part in (f"--{name}", str(value))]
    command = ["monai.bundle", "run", run_id, "--args_file", str(args_file), *flags]
    # The pipe stays open as long as this process waits.
    code = subprocess.call(
        [sys.executable, "-m", "scripts.study.tethered", *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    if code:
        said = job.log_file.read_text(errors="replace").strip().splitlines() or ["nothing"]
        raise InputError(
            f"{job.log_file}: {run_id} of arm {job.arm!r} with seed {job.seed} ended with exit code {code}, its last "
            f"line is {said[-1]!r}; mend that and start the study again, which goes on with what is missing"
        )
