"""Files that are never seen half written, folders that one process writes at a time, and JSON that may be hostile."""

from __future__ import annotations

import atexit
import csv
import errno
import fcntl
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated, Any

import cv2
import numpy as np
from annotated_types import Len
from filelock import FileLock, Timeout
from pydantic import AfterValidator, TypeAdapter, ValidationError

from custom.errors import InputError, unwritable

# The longest line of a JSON file.
_LINE = 120
# The file in a folder that a process holds. It goes when the process releases the folder or ends; SIGKILL leaves it.
LOCK = ".lock"
_held: dict[Path, FileLock] = {}
# Not through a symbolic link, which might lead out of the folder.
_APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into the `InputError` that `place` cannot be written."""
    try:
        yield
    except OSError as error:
        raise unwritable(place, error) from error


def hold(folder: Path, wait: bool = False) -> bool:
    """Make `folder` and let no other process hold it until this one releases it or ends, however it ends.

    On a file system without locks, or one that can only be read, nothing is guarded.

    Args:
        folder: Folder to make and to hold.
        wait: Wait for another process that holds it, instead of refusing.

    Returns:
        Whether this process did not hold it before.

    Raises:
        InputError: Another process holds it, or it cannot be made.
    """
    place = folder.resolve()
    if place in _held and _held[place].is_locked:  # A forked process has the entry, but not the lock.
        return False
    lock = FileLock(place / LOCK, blocking=wait, thread_local=False, fallback_to_soft=False)
    while True:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
            _held[place] = lock
        except Timeout:
            raise InputError(
                f"{folder}: another process is writing into it at this moment; wait until it ends, or name another one"
            ) from None
        except FileNotFoundError:  # The process before has removed the folder meanwhile.
            continue
        except OSError:
            pass
        return True


def release(folder: Path) -> None:
    """Let other processes hold `folder` again."""
    lock = _held.pop(folder.resolve(), None)
    if lock is not None and lock.is_locked:
        with suppress(OSError):
            os.unlink(lock.lock_file)  # before it is unlocked: FileLock does not take over a file without a name
        lock.release()


@atexit.register
def _release_all() -> None:
    for folder in list(_held):
        release(folder)


@contextmanager
def held(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold `folder` during the block, see `hold`; one that this process holds already stays held after it."""
    is_new = hold(folder, wait)
    try:
        yield
    finally:
        if is_new:
            release(folder)


def lock_open_file(file: IO) -> None:
    """Wait until no other process has locked an open file. On a file system without locks nothing is guarded."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX)


def write_if_changed(file: Path, content: bytes, before: Callable[[], None] | None = None) -> None:
    """Replace `file` by `content` in one step, unless it holds that already; makes its folder.

    Args:
        file: File to write.
        content: Its new content.
        before: Called if the file is going to change: takes away what holds for the earlier content only.

    Raises:
        InputError: The file cannot be written.
    """
    with writing(file):
        if file.is_file() and not file.is_symlink() and file.read_bytes() == content:
            return
    if before:
        before()
    write_whole(file, content)


def as_json(content: Mapping[str, Any]) -> bytes:
    """Return the text of a JSON file in which lists and objects that fit into a line stand on one."""
    return f"{_layout(content, 0, 0)}\n".encode()


def _layout(value: Any, indent: int, before: int) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list, tuple)) or not value or (indent and before + len(line) < _LINE):
        return line
    inner = indent + 4
    if isinstance(value, dict):
        parts = [(f"{json.dumps(name, ensure_ascii=False)}: ", item) for name, item in value.items()]
    else:
        parts = [("", item) for item in value]
    lines = [f"{' ' * inner}{name}{_layout(item, inner, inner + len(name))}" for name, item in parts]
    begin, end = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([begin, ",\n".join(lines), " " * indent + end])


def write_whole(file: Path, content: bytes | memoryview) -> None:
    """Replace `file` by `content` in one step; makes its folder.

    It is written to `.NAME.part` beside it and on the disk before it takes its place. What a killed process left under
    that name is written over by the next. Of several processes that write the same file, one waits for the other.

    Raises:
        InputError: The file cannot be written.
    """
    part = file.with_name(f".{file.name}.part")
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with _open_alone(part) as unfinished:
            try:
                unfinished.truncate(0)
                unfinished.write(content)
                unfinished.flush()
                os.fsync(unfinished.fileno())
                part.replace(file)
            except BaseException:
                with suppress(OSError):
                    part.unlink()
                raise


def _open_alone(part: Path) -> IO[bytes]:
    # FileLock does not fit: it would take over a file that has moved into its place meanwhile.
    while True:
        unfinished = os.fdopen(os.open(part, _APPENDING, 0o666), "ab")
        lock_open_file(unfinished)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(unfinished.fileno()), part.lstat()):
                return unfinished
        unfinished.close()  # The process before has put it into its place meanwhile.


def remove(file: Path) -> None:
    """Remove a file that may not be there.

    Raises:
        InputError: It cannot be removed.
    """
    with writing(file):
        file.unlink(missing_ok=True)


def write_csv(file: Path, rows: Sequence[Mapping[str, Any]], first: Sequence[str] = ()) -> None:
    """Write `rows` as CSV in one step; the columns are those of the first row, `first` before the others.

    Raises:
        InputError: The file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [*first, *(name for name in rows[0] if name not in first)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_if_changed(file, text.getvalue().encode())


def write_mask(file: Path, mask: np.ndarray, before: Callable[[], None] | None = None) -> None:
    """Write a bool mask `(X, Y)` as 8-bit PNG of 0 and 255, rows first; `before` as of `write_if_changed`."""
    rows_first = cv2.transpose(mask.astype(np.uint8) * np.uint8(255))  # On a full frame ten times as fast as numpy's.
    write_if_changed(file, cv2.imencode(".png", rows_first)[1].tobytes(), before)


def read_bytes(file: Path) -> bytes:
    """Return the content of a regular file: a pipe would keep its reader waiting, and a device may have no end.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    if file.exists() and not (file.is_file() or file.is_dir()):
        raise OSError(errno.EINVAL, "no regular file")
    return file.read_bytes()


def file_sha256(file: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def check_writable(folder: Path) -> None:
    """Make `folder`, and a file in it for a moment.

    Raises:
        InputError: That cannot be done.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def _one_name(text: str) -> str:
    if text in (".", "..") or not text.isprintable() or any(mark in text for mark in "/\\:"):
        raise ValueError("a name without / \\ : and line breaks expected, since files are called after it")
    return text


def _inside(text: str) -> str:
    if Path(text).is_absolute() or ".." in Path(text).parts or not text.isprintable():
        raise ValueError("a path inside the data set expected")
    return text


# A text that names files: in a data file it must not lead out of the folder that they belong to.
FileName = Annotated[str, Len(1, 200), AfterValidator(_one_name)]
# A path that does not lead out of the folder that it is relative to.
InnerPath = Annotated[str, Len(1, 1000), AfterValidator(_inside)]


def read_json(file: Path, fix: str = "prepare the data set again", kind: Any = dict[str, Any]) -> Any:
    """Return the content of a JSON file, as it stands there.

    Args:
        file: File to read.
        fix: What to do if it is damaged.
        kind: Type of its content, which pydantic checks without turning one kind of value into another.

    Raises:
        InputError: It is damaged, or holds something else.
    """
    try:
        content = json.loads(read_bytes(file).decode())
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{file}: not a readable JSON file ({why}); {fix}") from error
    check_json(content, file, fix, kind)
    return content


def check_json(content: object, file: Path, fix: str, kind: Any) -> None:
    """Refuse the content of a JSON file that is of another kind; see `read_json`."""
    try:
        TypeAdapter(kind).validate_python(content, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where, said = ".".join(map(str, fault["loc"])) or "the file", fault["msg"]
        raise InputError(f"{file}: {where}: {said[0].lower()}{said[1:]}; {fix}") from error
    except RecursionError as error:
        raise InputError(f"{file}: the file: is nested too deeply; {fix}") from error
