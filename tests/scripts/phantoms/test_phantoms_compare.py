from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from custom.errors import InputError
from scripts.phantoms import compare, phantoms

pytestmark = pytest.mark.slow

SIZE = (480, 760)


def write_as_real(folder: Path, **settings: object) -> None:
    """Phantoms as the real pack holds its images: grey levels of 8 bit."""
    phantoms(str(folder), image_size=SIZE, views=["CC"], **settings)
    for path in (folder / "images").iterdir():
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), (image >> 4).astype(np.uint8))


def test_both_sets_are_measured_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "IMAGE_SIZE", SIZE)
    write_as_real(tmp_path / "real", patients=8, seed=9)
    capsys.readouterr()
    compare.compare(str(tmp_path / "real"), str(tmp_path / "out"), patients=8)
    lines = capsys.readouterr().out.splitlines()
    with (tmp_path / "real" / "manifest.csv").open(newline="") as table:
        lesions = len(list(csv.DictReader(table)))
    assert lines[2].startswith(f"| mammograms, lesions | 8, {lesions} | 16, ")
    assert [line.split("|")[1].strip() for line in lines[3:7]] == [f"spectral exponent, density {d}" for d in "1234"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"phantoms_comparison.png", "phantoms_masses.png", "phantoms_sheet.png"}


def test_a_folder_without_a_manifest_and_a_missing_image_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.csv: not found") as told:
        compare.compare(str(tmp_path), str(tmp_path / "out"), patients=1)
    assert "\n" not in str(told.value)
    write_as_real(tmp_path / "real", patients=1)
    image = next((tmp_path / "real" / "images").iterdir())
    image.unlink()
    with pytest.raises(InputError, match=f"{image.name}: not a readable image"):
        compare.compare(str(tmp_path / "real"), str(tmp_path / "out"), patients=1)


def test_too_few_mammograms_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "IMAGE_SIZE", SIZE)
    write_as_real(tmp_path / "real", patients=1)
    with pytest.raises(InputError, match="ask for more"):
        compare.compare(str(tmp_path / "real"), str(tmp_path / "out"), patients=1)
    assert not (tmp_path / "out").exists()
