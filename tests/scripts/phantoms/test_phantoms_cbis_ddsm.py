"""The raw CBIS-DDSM tree, held against the description of the real one."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest

from custom.errors import InputError
from scripts.phantoms.cbis_ddsm import RawLesion, RawMammogram, raw_files
from scripts.phantoms.cbis_ddsm_defects import MAMMOGRAM_DEFECTS
from scripts.phantoms.command import phantoms
from tests.helpers import snapshot

pytestmark = pytest.mark.slow

KEY = r"Mass-(Training|Test)_P_\d{5}_(LEFT|RIGHT)_(CC|MLO)(_\d)?"
SERIES = "(full mammogram images|ROI mask images)"
PATTERNS = {
    "classic": rf"CBIS-DDSM/{KEY}/10-04-2016-DDSM-NA-\d{{5}}/1\.000000-{SERIES}-\d{{5}}/1-[12]\.dcm",
    "older": rf"CBIS-DDSM/{KEY}/10-04-2016-DDSM-\d{{5}}/1-{SERIES}-\d{{5}}/00000[01]\.dcm",
    "uid": rf"CBIS-DDSM/{KEY}/[\d.]+/[\d.]+/00000[01]\.dcm",
    "jpeg": r"jpeg/[\d.]+/1-\d{3}\.jpg",
}
SMALL = {"layout": "cbis_ddsm", "patients": 6, "seed": 2, "image_size": (160, 240)}


def make(folder: Path, **settings: object) -> Path:
    phantoms(str(folder), **SMALL | settings)
    return folder


@pytest.mark.parametrize("variant", PATTERNS)
def test_paths(tmp_path: Path, variant: str):
    source = make(tmp_path / "raw", variant=variant)
    files = {file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()}
    tables = {
        f"{'csv/' if variant == 'jpeg' else ''}mass_case_description_{part}_set.csv" for part in ("train", "test")
    }
    mirrored = {"csv/dicom_info.csv", "csv/meta.csv"} if variant == "jpeg" else set()
    images = files - tables - mirrored - {"phantoms.json"}
    assert tables | mirrored < files
    assert [name for name in images if not re.fullmatch(PATTERNS[variant], name)] == []


def test_tables(tmp_path: Path):
    source = make(tmp_path / "raw")
    for part, key in (("train", "Training"), ("test", "Test")):
        content = (source / f"mass_case_description_{part}_set.csv").read_bytes()
        lines = content.split(b"\r\n")
        assert lines.pop() == b""
        assert all(line.endswith(b'\n"') for line in lines[1:])
        with (source / f"mass_case_description_{part}_set.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(lines) - 1
        for row in rows:
            name = f"Mass-{key}_{row['patient_id']}_{row['left or right breast']}_{row['image view']}"
            assert row["image file path"].split("/")[0] == name
            for column in ("cropped image file path", "ROI mask file path"):
                assert row[column].split("/")[0] == f"{name}_{row['abnormality id']}"


def test_headers_and_the_order_of_mask_and_crop(tmp_path: Path):
    source = make(tmp_path / "raw", patients=12)
    order = []
    for path in sorted(source.rglob("*.dcm")):
        file = pydicom.dcmread(path)
        assert file.PatientID == path.relative_to(source).parts[1]
        assert "PixelSpacing" not in file
        assert file.PhotometricInterpretation == "MONOCHROME2"
        assert file.SeriesDescription in path.parent.name
        mask = file.BitsAllocated == 8
        assert set(np.unique(file.pixel_array)) == {0, 255} if mask else file.BitsAllocated == 16
        if mask:
            order.append(path.name)
    assert set(order) == {"1-1.dcm", "1-2.dcm"}


def test_the_crop_is_cut_from_the_mammogram_at_the_mask():
    image = np.arange(1200, dtype=np.uint8).reshape(30, 40)
    mask = np.zeros((30, 40), np.uint8)
    mask[5:12, 20:31] = 255
    lesion = RawLesion(4, "OVAL", "OBSCURED", "3", "BENIGN", "2", mask)
    files = {
        file.role: file for file in raw_files(RawMammogram("Test", "P_00007", "LEFT", "CC", "1", image, (lesion,)))
    }
    margin = (files["crop"].pixels.shape[0] - 7) // 2
    assert 0 <= margin <= 2
    np.testing.assert_array_equal(files["crop"].pixels, image[5 - margin : 12 + margin, 20 - margin : 31 + margin])
    assert files["crop"].series_uid == files["mask"].series_uid != files["mammogram"].series_uid
    assert {files["crop"].number, files["mask"].number} == {0, 1}
    assert files["mammogram"].patient_id == "Mass-Test_P_00007_LEFT_CC"
    assert files["mask"].patient_id == "Mass-Test_P_00007_LEFT_CC_4"


def test_the_same_bytes_each_time_and_nothing_written_twice(tmp_path: Path):
    settings = {"patients": 12, "variant": "mixed", "defects": "all"}
    first, second = (make(tmp_path / name, **settings) for name in ("a", "b"))
    before = snapshot(first)
    assert {name: content for name, (content, _) in before.items()} == {
        name: content for name, (content, _) in snapshot(second).items()
    }
    make(first, **settings)
    assert snapshot(first) == before


def test_a_defect_changes_one_mammogram_only(tmp_path: Path):
    sound = snapshot(make(tmp_path / "sound", patients=1))
    for defect in MAMMOGRAM_DEFECTS:
        spoilt = snapshot(make(tmp_path / defect, patients=1, defects=[defect]))
        name = (tmp_path / defect / "defects.csv").read_text().splitlines()[1].split(",")[0]
        changed = {
            path
            for path in (*sound, *spoilt)
            if path.startswith(("CBIS-DDSM", "copy")) and sound.get(path, b"")[:1] != spoilt.get(path, b"")[:1]
        }
        assert bool(changed) == (defect != "swapped_columns")
        assert all(f"/{name}" in path or path.startswith("CBIS-DDSM/case ") for path in changed)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"variant": "tar"}, "--variant: found 'tar', expected one that cbis_ddsm has: classic, older, uid, jpeg,"),
        ({"layout": "manifest", "variant": "classic"}, "--variant: found 'classic'"),
        ({"defects": "mask_eaten"}, "--defects: found 'mask_eaten'"),
        ({"layout": "manifest", "defects": "all"}, "--defects: found 'all'"),
        ({"defects": "all", "patients": 3}, "raise --patients"),
    ],
)
def test_bad_settings(tmp_path: Path, settings: dict, line: str):
    with pytest.raises(InputError) as told:
        make(tmp_path / "raw", **settings)
    assert line in str(told.value)
    assert not (tmp_path / "raw").exists()
