from __future__ import annotations

from pathlib import Path

import pytest

from custom.errors import InputError
from custom.files import write_if_changed


def test_what_cannot_be_put_into_its_place_does_not_stay_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.png" / "in the way").mkdir(parents=True)
    with pytest.raises(InputError, match=r"a\.png: cannot be written \(Is a directory\)"):
        write_if_changed(tmp_path / "a.png", b"content")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
