"""The error that a user can cause, and the one place that turns it into one line and exit code 2."""

from __future__ import annotations

import errno
import logging
import re
import sys
import threading
from collections.abc import Callable
from types import TracebackType

# From the first quotation mark to the last, since the quoted may hold marks and line breaks; to the end where there is
# only one, since Python cuts short what is long.
_QUOTED = re.compile(r"(?<!\w)b?(['\"])(?:.*\1|.*)", re.DOTALL)


# Of a line: what a damaged file holds may be of any length.
_LONGEST = 1500
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class InputError(Exception):
    """A fault of the input in one line: the file, what was found, what was expected, what to do next.

    Names and values of a file are in it as they are, except for what would break the line or steer a terminal.
    """

    def __init__(self, line: str = "") -> None:
        if line.startswith(f"Caught {type(self).__name__} in DataLoader worker"):  # with the traceback before the line
            line = line.strip().splitlines()[-1].partition(": ")[2]
        super().__init__(_printable(line))


def _printable(line: str) -> str:
    plain = line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    if len(plain) <= _LONGEST:
        return plain
    return f"{plain[: 2 * _LONGEST // 3]} ... {plain[-_LONGEST // 3 :]}"


class UnwritableError(InputError):
    """A result that has no place, whatever the input is."""


def unwritable(place: object, error: OSError) -> UnwritableError:
    """Return the error for a file or folder that cannot be written."""
    fix = "free space there, or name" if error.errno in _NO_ROOM else "name"
    return UnwritableError(f"{place}: cannot be written ({error.strerror}); {fix} another folder")


def find_input_error(error: BaseException | None) -> InputError | None:
    """Return the `InputError` behind `error`, however often MONAI, Ignite or a worker process wrapped it; else None.

    A full disk is one too, whichever library met it.
    """
    while error is not None:
        if isinstance(error, InputError):
            return error
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return unwritable(error.filename or "an output file", error)
        error = error.__cause__ or error.__context__
    return None


def reason(error: Exception) -> str:
    """Return why a library could not read a file, in one line and without what it quotes.

    The quoted value may be a patient's name: a damaged DICOM header runs from one attribute into the next.
    """
    said = _QUOTED.sub("...", str(error)).strip()
    return (said or type(error).__name__).splitlines()[-1]


def expectation(fault: str) -> str:
    """Return what pydantic expected instead of a value, from its message."""
    fault = re.sub(r"^List should have (.*?) after validation.*", r"\1", fault.removeprefix("Input should be "))
    return f"{fault}, such as [1,2]" if fault == "a valid list" else fault


def _print_line(line: str) -> None:
    print(line, file=sys.stderr)


_tell: Callable[[str], None] = _print_line


def report_input_errors(tell: Callable[[str], None] | None = None) -> None:
    """Make every uncaught `InputError` of this process end in one line on stderr and exit code 2, without a traceback.

    Log records that are written while an `InputError` passes (the engines' own "terminating due to ...") are dropped
    from the root handlers, since the line says it all. Calling this again changes nothing else.

    Args:
        tell: Function that prints the line from now on; None to leave that as it is, which is plain at first.
    """
    global _tell
    if tell is not None:
        _tell = tell
    if sys.excepthook is not _excepthook:
        sys.excepthook = _excepthook
        threading.excepthook = _thread_excepthook
    for handler in logging.getLogger().handlers:
        if _is_no_echo not in handler.filters:
            handler.addFilter(_is_no_echo)


def _is_no_echo(record: logging.LogRecord) -> bool:
    return find_input_error(sys.exc_info()[1]) is None


def _excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    found = find_input_error(error)
    if found is None:
        sys.__excepthook__(kind, error, traceback)
        return
    _tell(f"Error: {found}")
    sys.exit(2)


def _thread_excepthook(given: threading.ExceptHookArgs) -> None:
    # TensorBoard writes in a thread, and raises again in the main one what it met there.
    if find_input_error(given.exc_value) is None:
        threading.__excepthook__(given)
