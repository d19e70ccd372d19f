"""Writing a file so that nobody ever meets half of it, and reading JSON that may be damaged or hostile."""

from __future__ import annotations

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
from typing import Annotated, Any, BinaryIO

import cv2
import numpy as np
from annotated_types import Len
from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError

from custom.errors import InputError, unwritable
from custom.locks import lock

# The longest line of a JSON file.
_LINE = 120
# Not through a symbolic link, which might lead out of the folder.
_APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW


def write_if_changed(file: Path, content: bytes, before: Callable[[], None] | None = None) -> None:
    """Replace `file` by `content` in one step, unless it holds that already; makes its folder.

    Args:
        file: to write.
        content: of it.
        before: called where it is going to change: takes away what holds for the earlier content only.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        if file.is_file() and not file.is_symlink() and file.read_bytes() == content:
            return
    except OSError as error:
        raise unwritable(file, error) from error
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
        InputError: the file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _beside(file) as unfinished:
            unfinished.write(content)
            unfinished.flush()
            os.fsync(unfinished.fileno())
    except OSError as error:
        raise unwritable(file, error) from error


@contextmanager
def _beside(file: Path) -> Iterator[BinaryIO]:
    part = file.with_name(f".{file.name}.part")
    while True:
        unfinished = os.fdopen(os.open(part, _APPENDING, 0o666), "ab")
        lock(unfinished.fileno(), fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(unfinished.fileno()), part.lstat()):
                break
        unfinished.close()  # The one before has put it into its place meanwhile.
    with unfinished:
        try:
            unfinished.truncate(0)
            yield unfinished
            part.replace(file)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise


def remove(file: Path) -> None:
    """Remove a file that may not be there.

    Raises:
        InputError: it cannot be removed.
    """
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(file, error) from error


def write_csv(file: Path, rows: Sequence[Mapping[str, Any]], first: Sequence[str] = ()) -> None:
    """Write `rows` as CSV in one step; the columns are those of the first row, `first` before the others.

    Raises:
        InputError: the file cannot be written.
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
    """The content of a regular file: a pipe would keep its reader waiting, and a device may have no end.

    Raises:
        OSError: it cannot be read, or is no regular file.
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
        InputError: that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(folder, error) from error


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


def read_json(file: Path, mend: str = "prepare the data set again", kind: Any = dict[str, Any]) -> Any:
    """The content of a JSON file, as it stands there.

    Args:
        file: to read.
        mend: what to do where it is damaged.
        kind: what it must hold: a type that pydantic checks, without turning one kind of value into another.

    Raises:
        InputError: it is damaged, or holds something else.
    """
    try:
        content = json.loads(read_bytes(file).decode())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: not a readable JSON file ({_why(error)}); {mend}") from error
    check_json(content, file, mend, kind)
    return content


def check_json(content: object, file: Path, mend: str, kind: Any) -> None:
    """Refuse the content of a JSON file that is of another kind; see `read_json`."""
    given = None if hasattr(kind, "__pydantic_config__") else ConfigDict(strict=True)
    try:
        TypeAdapter(kind, config=given).validate_python(content)
    except (ValidationError, RecursionError) as error:
        faults: list[Any] = list(error.errors(include_url=False)) if isinstance(error, ValidationError) else [{}]
        where = ".".join(map(str, faults[0].get("loc", ()))) or "the file"
        told = faults[0].get("msg", "is nested too deeply")
        raise InputError(f"{file}: {where}: {told[0].lower()}{told[1:]}; {mend}") from error


def _why(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, OSError) else str(error)
