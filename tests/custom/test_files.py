from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from custom.errors import InputError
from custom.files import write_if_changed, write_whole


def test_what_cannot_be_put_into_its_place_does_not_stay_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.png" / "in the way").mkdir(parents=True)
    with pytest.raises(InputError, match=r"a\.png: cannot be written \(Is a directory\)"):
        write_if_changed(tmp_path / "a.png", b"content")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".a.png.part").write_bytes(b"half of something longer")
    write_if_changed(tmp_path / "a.png", b"whole")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.png": b"whole"}


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
