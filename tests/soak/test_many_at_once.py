"""Two programs that write into the same folder at the same time: one is refused, or both are right."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import TRAIN
from tests.reliability import write_count
from tests.soak import test_killed
from tests.soak.killing import Work, compare_runs
from tests.soak.program import Program, run

pytestmark = pytest.mark.slow

REFUSALS = ("another process is writing into it", "a run of this name exists", "another process has trained in it")


def both(first: list[str], second: list[str], place: Path) -> list[int]:
    """The exit codes of two programs that begin together; a refusal must be one clear line."""
    programs = [Program(arguments, place / f"{number}.log") for number, arguments in enumerate((first, second))]
    codes = []
    for program in programs:
        code, said = program.end()
        assert code in (0, 2), said[-3000:]
        if code:
            assert "Traceback" not in said, said[-3000:]
            (line,) = (line for line in said.splitlines() if line.startswith("Error: "))
            assert any(refusal in line for refusal in REFUSALS), line
        codes.append(code)
    assert 0 in codes
    return codes


@pytest.mark.parametrize(
    "make",
    [
        test_killed.prepare_manifest,
        test_killed.training,
        *(
            pytest.param(make, marks=pytest.mark.soak)
            for make in (test_killed.prepare_cbis_ddsm, test_killed.batch_prediction, test_killed.study)
        ),
    ],
    ids=lambda make: make.__name__,
)
@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.soak)])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_same_twice(make: Callable[..., Work], times: int, dataset: Path, tmp_path: Path) -> None:
    work = make(dataset, tmp_path, small=times == 1)
    whole = tmp_path / "whole" / "out"
    code, said = run(work.arguments(whole), tmp_path / "whole.log")
    assert code == 0, said[-3000:]
    refused = 0
    for number in range(times):
        place = tmp_path / str(number)
        place.mkdir()
        refused += sum(map(bool, both(work.arguments(place / "out"), work.arguments(place / "out"), place)))
        work.compare(place / "out", whole)
        work.look(place / "out", whole)
    write_count(
        f"tests/soak/test_many_at_once.py::test_the_same_twice[{make.__name__}]",
        f"{make.__name__.replace('_', ' ').capitalize()}: of two that begin together in the same folder one is "
        "refused, or both are right",
        times,
        f"passed: {refused} refused, {times - refused} times both went well",
    )
    shutil.rmtree(tmp_path)


def test_two_trainings_fill_one_cache(dataset: Path, tmp_path: Path) -> None:
    flags = ["--config_file", TRAIN, "--dataset_dir", str(dataset), *test_killed.TOY, "--epochs", "2"]
    runs = [
        ["monai.bundle", "run", "training", *flags, "--output_dir", str(tmp_path / "runs"), "--run_name", name]
        for name in ("a", "b")
    ]
    assert both(*runs, tmp_path) == [0, 0]
    compare_runs(tmp_path / "runs" / "a", tmp_path / "runs" / "b")


def test_one_run_is_not_gone_on_with_twice(dataset: Path, tmp_path: Path) -> None:
    work = test_killed.training(dataset, tmp_path)
    folder = tmp_path / "out"
    for epochs in (1, 2):
        arguments = [*work.arguments(folder), "--epochs", str(epochs)]
        if epochs == 1:
            code, said = run(arguments, tmp_path / "first.log")
            assert code == 0, said[-3000:]
    assert sorted(both(arguments, arguments, tmp_path)) == [0, 2]
