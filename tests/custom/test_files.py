from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom.errors import InputError
from custom.files import LOCK, as_json, held, hold, read_json, release, write_if_changed, write_whole
from tests.helpers import ROOT

BEGIN = """
import os, sys, time
from pathlib import Path
from custom.files import hold
hold(Path(sys.argv[1]))
"""
HOLD = f"""{BEGIN}
os.fork()  # as a worker of a data loader, which lives on for some seconds when its parent is killed
os.write(1, b"held\\n")  # at once: two processes write it
time.sleep(20)
"""


def python(program: str, folder: Path, **options: Any) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", program, str(folder)], cwd=ROOT, stderr=subprocess.PIPE, **options)


@pytest.mark.promise("A folder is written by one process at a time, until that ends, however it ends")
def test_a_folder_is_held_by_one_process_until_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    other = python(HOLD, folder, stdout=subprocess.PIPE, start_new_session=True)
    assert other.stdout is not None
    assert [other.stdout.readline() for _ in range(2)] == [b"held\n"] * 2  # the fork closes it before it says so
    try:
        with pytest.raises(InputError, match="folder: another process is writing into it"):
            hold(folder)
        other.kill()
        other.wait()
        assert hold(folder)
    finally:
        os.killpg(other.pid, signal.SIGKILL)
    with held(folder):
        pass
    assert b"another process is writing into it" in python(BEGIN, folder).communicate()[1]
    release(folder)
    assert list(folder.iterdir()) == []


def test_a_process_that_ends_leaves_nothing_in_the_folder(tmp_path: Path) -> None:
    ended = python(f"{BEGIN}\nif os.fork():\n    os.wait()\n    raise SystemExit(3)", tmp_path)
    assert (ended.wait(), list(tmp_path.iterdir())) == (3, [])


def test_who_waits_goes_on_in_the_folder_that_the_one_before_has_removed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    other = python(f"{BEGIN}\nprint(flush=True)\nsys.stdin.read()", folder, stdin=-1, stdout=-1)
    assert other.stdin is not None
    assert other.stdout is not None
    other.stdout.readline()

    def remove() -> None:
        shutil.rmtree(folder)
        other.stdin.close()

    threading.Timer(0.2, remove).start()
    with held(folder, wait=True):
        assert [file.name for file in folder.iterdir()] == [LOCK]
    assert other.wait() == 0


def test_where_there_are_no_locks_nothing_is_guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / LOCK).symlink_to(tmp_path / "made")
    with held(tmp_path / "linked"):
        assert not (tmp_path / "made").exists()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    with held(tmp_path), held(tmp_path):
        write_whole(tmp_path / "a", b"content")
    assert (tmp_path / "a").read_bytes() == b"content"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"file/folder: cannot be written \(Not a directory\); name another folder"):
        hold(tmp_path / "file" / "folder")


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b"[]", b'{"a": ' + b"9" * 5000 + b"}", b""])
def test_json_that_is_none_of_ours(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json: .*fix it"):
        read_json(file, "fix it")


def test_what_cannot_be_put_into_its_place_does_not_stay_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.png" / "in the way").mkdir(parents=True)
    with pytest.raises(InputError, match=r"a\.png: cannot be written \(Is a directory\)"):
        write_if_changed(tmp_path / "a.png", b"content")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".a.png.part").write_bytes(b"half of something longer")
    write_if_changed(tmp_path / "a.png", b"whole")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.png": b"whole"}


@pytest.mark.promise("A link in the output folder is not written through, neither a file nor a half-written one")
def test_a_link_is_replaced_or_refused_and_never_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "out"
    outside.write_bytes(b"mine")
    folder.mkdir()
    (folder / "a.png").symlink_to(outside)
    write_if_changed(folder / "a.png", b"mine")
    assert not (folder / "a.png").is_symlink()
    (folder / ".b.png.part").symlink_to(outside)
    with pytest.raises(InputError, match=r"b\.png: cannot be written"):
        write_whole(folder / "b.png", b"other")
    (folder / ".c.png.part").symlink_to(tmp_path / "made")
    with pytest.raises(InputError, match=r"c\.png: cannot be written"):
        write_whole(folder / "c.png", b"other")
    assert outside.read_bytes() == b"mine"
    assert not (tmp_path / "made").exists()


def test_of_many_who_write_one_file_each_writes_all_of_it(tmp_path: Path) -> None:
    contents = [bytes([number]) * 200_000 for number in range(40)]
    seen = []

    def write(content: bytes) -> None:
        write_whole(tmp_path / "a", content)
        seen.append((tmp_path / "a").read_bytes())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, contents))
    assert set(seen) <= set(contents)
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON))
def test_json_reads_back_as_it_was(content: dict):
    assert json.loads(as_json(content)) == content


def test_what_fits_into_a_line_stands_on_one():
    text = as_json({"a": [1, 2], "b": {"c": "x" * 60, "d": ["y" * 60]}, "": {}}).decode()
    assert text.splitlines() == [
        "{",
        '    "a": [1, 2],',
        '    "b": {',
        f'        "c": "{"x" * 60}",',
        f'        "d": ["{"y" * 60}"]',
        "    },",
        '    "": {}',
        "}",
    ]
