"""Folders in which one process works at a time, so that two that were started by mistake do not mix their files."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from custom.errors import InputError, unwritable


def lock(descriptor: int, operation: int) -> None:
    """`flock` where the file system has it: not every network file system has, and there nothing is guarded."""
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        raise
    except OSError:
        pass


# The folders in which this process alone works, by their path.
_held: dict[str, int] = {}


def _close_in_child() -> None:
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


# A forked worker that outlives its killed parent for some seconds must not keep the folder.
os.register_at_fork(after_in_child=_close_in_child)


def hold(folder: Path, wait: bool = False) -> None:
    """Make `folder` and let no other process hold it until this one releases it or ends, however it ends.

    Args:
        folder: to be made if it is not there.
        wait: for another process that holds it, instead of refusing.

    Raises:
        InputError: another process holds it, or it cannot be made.
    """
    place = str(folder.resolve())
    if place in _held:
        return
    descriptor = _lock_folder(folder, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    _held[place] = descriptor


def _lock_folder(folder: Path, operation: int) -> int:
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise unwritable(folder, error) from error
        try:
            lock(descriptor, operation)
        except BlockingIOError:
            os.close(descriptor)
            raise InputError(
                f"{folder}: another process is writing into it at this moment; wait until it ends, or name another one"
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                return descriptor
        os.close(descriptor)  # The one before has removed it meanwhile.


def release(folder: Path) -> None:
    """Let other processes hold `folder` again."""
    descriptor = _held.pop(str(folder.resolve()), None)
    if descriptor is not None:
        os.close(descriptor)


@contextmanager
def held(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold `folder` for a while, see `hold`; nothing more where this process holds it already."""
    if str(folder.resolve()) in _held:
        yield
        return
    hold(folder, wait)
    try:
        yield
    finally:
        release(folder)
