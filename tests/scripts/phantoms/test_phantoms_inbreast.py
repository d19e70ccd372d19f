from __future__ import annotations

import csv
import hashlib
import plistlib
from pathlib import Path

import numpy as np
import pydicom
import pytest

from custom.errors import InputError
from scripts.phantoms import phantoms
from scripts.phantoms.inbreast import RELEASE, InbreastImage, encode_dicom, write_tree

pytestmark = pytest.mark.slow

SMALL = {"patients": 3, "image_size": (160, 208), "layout": "inbreast", "seed": 3}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    phantoms(str(folder), **SMALL)
    return folder / RELEASE


def test_the_same_seed_gives_the_same_bytes(release: Path, tmp_path: Path) -> None:
    phantoms(str(tmp_path), **SMALL)
    assert digests(tmp_path / RELEASE) == digests(release)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    phantoms(str(tmp_path), **SMALL)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_images_sheet_and_annotations_belong_together(release: Path) -> None:
    with (release / "INbreast.csv").open(newline="") as file:
        rows = {row["File Name"]: row for row in csv.DictReader(file, delimiter=";")}
    images = {path.name.split("_")[0]: path for path in (release / "AllDICOMs").iterdir()}
    annotations = {path.stem: path for path in (release / "AllXML").iterdir()}
    assert rows.keys() == images.keys()
    assert len(images) == 10
    assert annotations.keys() == {image for image, row in rows.items() if row["Bi-Rads"] != "1"}
    assert 0 < len(annotations) < len(images)
    assert len({path.name.split("_")[1] for path in images.values()}) == 3
    for image, row in rows.items():
        _, patient, modality, side, view, end = images[image].name.split("_")
        assert (len(patient), modality, end) == (16, "MG", "ANON.dcm")
        assert (side, {"ML": "MLO"}.get(view, view)) == (row["Laterality"], row["View"])
    for path in annotations.values():
        (content,) = plistlib.loads(path.read_bytes())["Images"]
        assert content["NumberOfROIs"] == len(content["ROIs"])
        for region in content["ROIs"]:
            assert region["NumberOfPoints"] == len(region["Point_px"]) == len(region["Point_mm"])


def test_both_plates_and_both_grey_conventions(release: Path) -> None:
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in (release / "AllDICOMs").iterdir()]
    assert {(header.Columns, header.Rows) for header in headers} == {(160, 208), (208, 255)}
    assert {header.PhotometricInterpretation for header in headers} == {"MONOCHROME1", "MONOCHROME2"}
    assert {header.PatientID for header in headers} == {"removed"}
    for header in headers:
        assert (header.BitsAllocated, header.BitsStored, header.HighBit) == (16, 14, 13)
        assert header.ImagerPixelSpacing == [0.07, 0.07]
    assert len({header.SOPInstanceUID for header in headers}) == len(headers)


def test_monochrome1_is_stored_inverted(tmp_path: Path) -> None:
    image = np.array([[0, 1, 2], [100, 16382, 16383]], np.uint16)
    for inverted, expected in ((False, image), (True, 16383 - image)):
        mammogram = InbreastImage("1", "a", "LEFT", "CC", "1", "1", image, inverted=inverted)
        file = tmp_path / f"{inverted}.dcm"
        file.write_bytes(encode_dicom(mammogram))
        np.testing.assert_array_equal(pydicom.dcmread(file).pixel_array, expected)


def test_defects_that_cannot_be_put_in(tmp_path: Path) -> None:
    image = np.zeros((20, 20), np.uint16)
    mask = np.zeros((20, 20), np.uint8)
    mask[5:9, 5:9] = 255
    mammogram = InbreastImage("1", "a", "LEFT", "CC", "4a", "1", image, (mask,))
    with pytest.raises(InputError, match="no mammogram left for one_point"):
        write_tree(tmp_path, [mammogram], ["wrong_count", "one_point"])
    with pytest.raises(InputError, match="'one_points' is unknown"):
        write_tree(tmp_path, [mammogram], ["one_points"])
