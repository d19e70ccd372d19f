from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom.errors import InputError
from custom.files import as_json, write_if_changed, write_whole


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
