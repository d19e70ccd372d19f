"""The errors that a user can cause: how they are found, worded and reported."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys

import pytest
from torch.utils.data import DataLoader

from custom.errors import (
    InputError,
    UnwritableError,
    expectation,
    find_input_error,
    reason,
    report_input_errors,
    unwritable,
)
from tests.helpers import ROOT


def test_a_line_keeps_to_itself_and_to_a_length() -> None:
    assert str(InputError("a\nb\x1b[31m")) == "a\\nb\\x1b[31m"
    assert str(InputError("ä: ok")) == "ä: ok"
    assert len(str(InputError("x" * 100_000))) < 2000


def wrapped(error: Exception) -> Exception:
    """As MONAI and Ignite raise it again: first with a cause, then with a context alone."""
    transform, engine = RuntimeError("applying transform"), ValueError("engine")
    transform.__cause__ = error
    engine.__context__ = transform
    return engine


def test_an_input_error_is_found_behind_others() -> None:
    error = InputError("a.dcm: broken")
    assert find_input_error(wrapped(error)) is error
    for other in (None, ValueError("of ours"), wrapped(TypeError("of ours")), wrapped(OSError(errno.EIO, "broken"))):
        assert find_input_error(other) is None


def test_a_full_disk_is_an_input_error_whichever_library_met_it() -> None:
    error = find_input_error(wrapped(OSError(errno.ENOSPC, "No space left on device", "/out/a")))
    assert isinstance(error, UnwritableError)
    assert str(error) == (
        "/out/a: cannot be written (No space left on device); free space there, or name another folder"
    )
    assert "an output file: cannot" in str(find_input_error(OSError(errno.ENOSPC, "No space left on device")))
    assert str(unwritable("/out", PermissionError(errno.EACCES, "Permission denied"))) == (
        "/out: cannot be written (Permission denied); name another folder"
    )


class Broken:
    def __init__(self, error: InputError) -> None:
        self.error = error

    def __getitem__(self, index: int) -> int:
        raise self.error

    def __len__(self) -> int:
        return 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", [InputError, UnwritableError])
def test_the_line_of_an_error_of_a_worker_is_its_own(kind: type[InputError], workers: int) -> None:
    with pytest.raises(kind) as caught:
        list(DataLoader(Broken(kind("a.dcm: broken")), num_workers=workers))  # type: ignore[arg-type]
    assert str(caught.value) == "a.dcm: broken"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("read 3 bytes of 4", "read 3 bytes of 4"),
        ("all of them failed:\nthe last doesn't know it", "the last doesn't know it"),
        ("Rows 'A^B\n' is invalid, it must be 0 or 1", "Rows ... is invalid, it must be 0 or 1"),
        ("value \"it's A^B\" of b'Rows', bad", "value ... of ..., bad"),
        ("invalid literal: b'A^B cut off", "invalid literal: ..."),
        ("", "ValueError"),
    ],
)
def test_the_reason_leaves_out_what_a_library_quotes(said: str, told: str) -> None:
    assert reason(ValueError(said)) == told


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Input should be greater than 0", "greater than 0"),
        ("Input should be a valid list", "a valid list, such as [1,2]"),
        ("List should have at least 2 items after validation, not 1", "at least 2 items"),
    ],
)
def test_what_pydantic_expected(said: str, expected: str) -> None:
    assert expectation(said) == expected


def test_an_engine_does_not_echo_the_error() -> None:
    report_input_errors()
    handler = logging.root.handlers[0]
    try:
        raise RuntimeError("applying transform") from InputError("a.dcm: broken")
    except RuntimeError:
        assert not handler.filter(logging.makeLogRecord({"msg": "Engine run is terminating"}))
    assert handler.filter(logging.makeLogRecord({"msg": "Engine run is terminating"}))


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("raise RuntimeError from InputError('a: broken')", 2, "Error: a: broken\n"),
        ("report_input_errors(lambda line: print(line, 1, file=sys.stderr)); raise InputError('a')", 2, "Error: a 1\n"),
        ("Thread(target=fail).start()", 0, ""),  # its error is raised again where it is waited for
    ],
)
def test_an_uncaught_input_error_ends_in_one_line(program: str, code: int, said: str) -> None:
    begin = "import sys\nfrom threading import Thread\nfrom custom.errors import *\nreport_input_errors()\n"
    fail = "def fail():\n    raise InputError('a: broken')\n"
    ended = subprocess.run([sys.executable, "-c", begin + fail + program], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (code, said)


def test_any_other_error_keeps_its_traceback() -> None:
    program = "from custom.errors import *\nreport_input_errors()\nraise ValueError('of ours')"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
