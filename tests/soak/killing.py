"""Work that is killed at random moments, started again until it ends, and compared with work that was left alone."""

from __future__ import annotations

import csv
import json
import re
import time
from abc import ABC, abstractmethod
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import torch

from custom.runs.folder import epochs_done
from scripts.common.results import read_curves
from tests.soak.program import Program, run


class Work(ABC):
    """A program that writes a folder."""

    @abstractmethod
    def arguments(self, folder: Path) -> list[str]:
        """How it is begun or gone on with; empty where it has ended."""

    @abstractmethod
    def compare(self, folder: Path, whole: Path) -> None:
        """Check that the results of a killed and of an undisturbed program are the same."""

    @abstractmethod
    def look(self, folder: Path, whole: Path) -> None:
        """Check that all files under their own names are whole, right after a kill."""

    @abstractmethod
    def is_final(self, name: str) -> bool:
        """Whether a file, named relative to the folder, is written once and never again."""

    def check_log(self, text: str) -> None:  # noqa: B027 (most have nothing to check)
        """Check in what the program and its repetitions said that no finished work was repeated."""


def survive(work: Work, place: Path, kills: int, seed: int) -> int:
    """Kill `work` so many times, each time at a moment drawn from the undisturbed duration, until it has ended.

    Returns:
        How often it was begun in a new folder.
    """
    whole = place / "whole" / "out"
    whole.parent.mkdir()
    run(["tests.soak.imports"], place / "imports.log")  # starts the server, which is not to be counted
    begun = time.monotonic()
    code, said = run(work.arguments(whole), place / "whole.log")
    seconds = time.monotonic() - begun
    assert code == 0, said[-3000:]
    rng = np.random.default_rng(seed)
    number = left = 0
    while left < kills:
        number += 1
        folder, log = place / str(number) / "out", place / f"{number}.log"
        folder.parent.mkdir()
        before: dict[str, tuple[int, int]] = {}
        while arguments := work.arguments(folder):
            program = Program(arguments, log)
            if left < kills and not program.ends_within(rng.uniform(0, seconds)):
                program.kill()
                left += 1
                work.look(folder, whole)
                before = states(folder)
                continue
            code, said = program.end()
            assert code == 0, said[-3000:]
            break
        # What was finished before the last kill was not written again.
        after = states(folder)
        assert not [name for name in before if work.is_final(name) and after[name] != before[name]]
        work.compare(folder, whole)
        work.check_log(log.read_text(errors="replace"))
        # Nothing unfinished is left, hidden or not.
        assert not [file for file in folder.rglob("*") if file.name.endswith(".part")]
    return number


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """Time and number of each file, by which one that was replaced is known."""
    files = {str(file.relative_to(folder)): file.lstat() for file in visible(folder)}
    return {name: (state.st_mtime_ns, state.st_ino) for name, state in files.items()}


def visible(folder: Path) -> list[Path]:
    """The files under their own names: hidden ones, and those in hidden folders, are halves."""
    found = (file for file in folder.rglob("*") if file.is_file())
    return [file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def content(file: Path) -> Any:
    """What is the same in each repetition: all bytes, but of a DICOM file the time of making."""
    if file.suffix != ".dcm" or file.name not in ("segmentation.dcm", "report.dcm"):
        return file.read_bytes()
    dataset = pydicom.dcmread(file)
    for element in list(dataset.iterall()):
        if element.VR in ("DA", "TM", "DT"):
            element.value = None
    return dataset.to_json()


class Files(Work):
    """A program whose files are the same in each repetition, wherever it writes them.

    Args:
        command: `python -m` of it.
        flag: that names its folder.
    """

    def __init__(self, command: list[str], flag: str) -> None:
        self.command, self.flag = command, flag

    def arguments(self, folder: Path) -> list[str]:
        return [*self.command, self.flag, str(folder)]

    def compare(self, folder: Path, whole: Path) -> None:
        found, expected = ({str(file.relative_to(place)) for file in visible(place)} for place in (folder, whole))
        assert found == expected
        self.look(folder, whole)

    def look(self, folder: Path, whole: Path) -> None:
        for file in visible(folder):
            assert content(file) == content(whole / file.relative_to(folder)), file

    def is_final(self, name: str) -> bool:
        return True


class Training(Work):
    """A training in `folder`, with its cache beside it.

    Args:
        flags: of the first start.
        epochs: that it has.
    """

    def __init__(self, flags: list[str], epochs: int) -> None:
        self.flags, self.epochs = flags, epochs

    def arguments(self, folder: Path) -> list[str]:
        run_dir = folder / "run"
        done = epochs_done(run_dir)
        if done == self.epochs:
            return []
        if done:
            return ["monai.bundle", "run", "--args_file", str(run_dir / "training.json"), "--resume", str(run_dir)]
        if (run_dir / "model.pt").is_file():
            for file in run_dir.iterdir():  # as the refusal says
                file.unlink()
        return ["monai.bundle", "run", "training", *self.flags, "--output_dir", str(folder), "--run_name", "run"]

    def look(self, folder: Path, whole: Path) -> None:
        for file in visible(folder):
            if file.suffix == ".pt":
                torch.load(file, weights_only=True)
            elif file.suffix == ".json":
                json.loads(file.read_text())

    def compare(self, folder: Path, whole: Path) -> None:
        compare_runs(folder / "run", whole / "run")
        Files([], "").compare(folder / "cache", whole / "cache")

    def is_final(self, name: str) -> bool:
        return name.startswith("cache/")

    def check_log(self, text: str) -> None:
        check_epochs(text, self.epochs)


class StudyOfTrainings(Work):
    """A study in `folder / name`.

    Args:
        flags: of the verb.
        name: of the study.
        epochs: of each run.
    """

    def __init__(self, flags: list[str], name: str, epochs: int) -> None:
        self.flags, self.name, self.epochs = flags, name, epochs

    def arguments(self, folder: Path) -> list[str]:
        return ["scripts", "study", *self.flags, "--output_dir", str(folder)]

    look = Training.look

    def compare(self, folder: Path, whole: Path) -> None:
        runs = sorted((whole / self.name / "runs").iterdir())
        assert [run.name for run in runs] == sorted(run.name for run in (folder / self.name / "runs").iterdir())
        for expected in runs:
            found = folder / self.name / "runs" / expected.name
            compare_runs(found, expected)
            log = folder / self.name / "logs" / f"{expected.name}.log"
            check_epochs(log.read_text(errors="replace"), self.epochs)
            for file in expected.glob("evaluation/*/*.csv"):
                assert (found / file.relative_to(expected)).read_bytes() == file.read_bytes()
        found_rows, expected_rows = (untimed_rows(place / self.name / "table.csv") for place in (folder, whole))
        assert found_rows == expected_rows

    def is_final(self, name: str) -> bool:
        return name.startswith("cache/") or name.endswith(("lesions.csv", "summary.json", "calibration.csv"))


def untimed_rows(table: Path) -> list[dict[str, str]]:
    """The rows of a study's table without the columns that are measured in seconds."""
    with table.open(newline="") as file:
        return [{name: value for name, value in row.items() if "seconds" not in name} for row in csv.DictReader(file)]


def check_epochs(log: str, epochs: int) -> None:
    """Check that a training repeated at most the epoch that it was in when it was killed."""
    found = [int(number) for number in re.findall(r"SupervisedTrainer: Epoch\[(\d+)\] Complete", log)]
    assert (found[0], found[-1]) == (1, epochs)
    assert all(after - before in (0, 1) for before, after in pairwise(found)), found


def compare_runs(found: Path, expected: Path) -> None:
    """Check that two run folders hold the same weights, state and curves, to the last bit."""
    for name in ("model.pt", "last.pt"):
        a, b = (torch.load(place / name, weights_only=True) for place in (found, expected))
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    curves = [
        {tag: {step: event.value for step, event in points.items()} for tag, points in read_curves(place).items()}
        for place in (found, expected)
    ]
    assert curves[0] == curves[1]
