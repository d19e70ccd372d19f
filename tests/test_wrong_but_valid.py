"""Inputs of which every file is in order, but which are not what they are taken for."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom import uid

from custom.errors import InputError
from custom.readers import read_mask, read_pixels
from scripts.phantoms import phantoms
from scripts.prepare.cbis_ddsm import prepare_cbis_ddsm
from scripts.prepare.inbreast import prepare_inbreast
from scripts.prepare.manifest import prepare_manifest
from scripts.prepare.pairs import grey_fault
from tests.custom.findings.dicom.mammogram import mass, write_mammogram
from tests.helpers import refused, write_manifest, write_png

SIZE = [160, 240]
Rows = list[dict[str, str]]


def rows_of(table: Path) -> Rows:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def change(table: Path, edit: Callable[[Rows], object]) -> None:
    rows = rows_of(table)
    edit(rows)
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.promise("Swapped image and mask columns: no lesion is usable, and the audit says why for each")
def test_swapped_columns(tmp_path: Path) -> None:
    table = write_manifest(tmp_path / "raw", patients=3)
    change(table, lambda rows: [row.update(image=row["mask"], mask=row["image"]) for row in rows])
    line = refused(prepare_manifest, str(table), str(tmp_path / "out"))
    assert line == f"{table}: no lesion is usable; {tmp_path / 'out' / 'audit.csv'} gives the reason for each"
    reasons = {row["reason"].partition(": ")[2] for row in rows_of(tmp_path / "out" / "audit.csv")}
    assert reasons == {"the mask has many grey values, expected two"}
    assert {part.name for part in (tmp_path / "out").iterdir()} == {"audit.csv"}


@pytest.mark.promise("The folder of one data set given to the other's preparation is refused, and nothing is written")
@pytest.mark.parametrize(
    ("layout", "prepare", "line"),
    [
        ("inbreast", prepare_cbis_ddsm, "mass_case_description_train_set.csv is not there"),
        ("cbis_ddsm", prepare_inbreast, "AllDICOMs, AllXML, INbreast.csv not found"),
    ],
)
def test_the_other_data_set(tmp_path: Path, scheduler: str, layout: str, prepare: Callable, line: str) -> None:
    phantoms(str(tmp_path / "raw"), layout, patients=1, image_size=SIZE, views=["CC"])
    said = refused(prepare, str(tmp_path / "raw"), str(tmp_path / "out"), scheduler=scheduler)
    assert said.startswith(f"{tmp_path / 'raw'}: {line}")
    assert not (tmp_path / "out").exists()


@pytest.mark.promise("CBIS-DDSM: a mask that lies in the place of another patient's is quarantined")
def test_a_mask_of_another_patient_in_cbis_ddsm(tmp_path: Path, scheduler: str) -> None:
    source = tmp_path / "raw"
    phantoms(str(source), "cbis_ddsm", patients=3, image_size=SIZE, views=["CC"], seed=5)
    prepare_cbis_ddsm(str(source), str(tmp_path / "whole"), scheduler=scheduler)
    rows = rows_of(tmp_path / "whole" / "audit.csv")
    first = rows[0]
    second = next(row for row in rows if row["patient_id"] != first["patient_id"])
    masks = [source / row["mask_file"] for row in (first, second)]
    for keyword in ("PatientID", "SOPInstanceUID", "SeriesInstanceUID"):
        assert len({pydicom.dcmread(mask)[keyword].value for mask in masks}) == 2
    pixels = [pydicom.dcmread(mask).PixelData for mask in masks]
    for mask, other in zip(masks, reversed(pixels), strict=True):
        dataset = pydicom.dcmread(mask)
        dataset.PixelData = other
        dataset.save_as(mask)
    prepare_cbis_ddsm(str(source), str(tmp_path / "out"), scheduler=scheduler)
    found = {row["lesion_id"]: row for row in rows_of(tmp_path / "out" / "audit.csv")}
    swapped = {first["lesion_id"], second["lesion_id"]}
    assert {lesion for lesion, row in found.items() if row["status"] == "quarantined"} == swapped
    assert all(found[lesion]["reason"].startswith("crop disagrees: ") for lesion in swapped)


@pytest.mark.promise("Own data: a mask that stands in rows of two patients is quarantined in both")
def test_one_mask_for_two_patients(tmp_path: Path) -> None:
    table = write_manifest(tmp_path / "raw", patients=3)
    change(table, lambda rows: rows[2].update(mask=rows[0]["mask"]))
    prepare_manifest(str(table), str(tmp_path / "out"))
    first, _, third, *others = rows_of(tmp_path / "out" / "audit.csv")
    for row in (first, third):
        assert row["status"] == "quarantined"
        assert row["reason"] == f"{first['mask']}: stands in rows of 2 patients; expected the mask of one"
    assert {row["status"] for row in others} == {"paired"}


def wrapped(values: np.ndarray) -> np.ndarray:
    return (values % 256).astype(np.uint8)


def cut_off(values: np.ndarray) -> np.ndarray:
    return values.clip(0, 255).astype(np.uint8)


def scaled(values: np.ndarray) -> np.ndarray:
    return (values / values.max() * 255).astype(np.uint8)


@pytest.mark.promise(
    "Own data: an image whose values of 12 to 16 bits were wrapped around or cut off in 8 is quarantined"
)
@pytest.mark.parametrize("bits", [12, 14, 16])
@pytest.mark.parametrize(
    ("save", "found"),
    [(wrapped, "more than 8 bits were saved as 8"), (cut_off, "the one value 255 in the whole box"), (scaled, "")],
)
def test_more_than_8_bits_saved_as_8(tmp_path: Path, bits: int, save: Callable, found: str) -> None:
    table = write_manifest(tmp_path / "raw", patients=1)
    rng = np.random.default_rng(0)
    for row in rows_of(table):
        eight = read_pixels(table.parent / row["image"])
        # As a detector of so many bits sees it: with its own noise, a hundredth of the range.
        values = (eight * 2 ** (bits - 8) + rng.normal(0, 2**bits / 100, eight.shape)).clip(0, 2**bits - 1)
        mask = read_mask(table.parent / row["mask"])
        assert grey_fault(values.round(), mask) == ""
        write_png(table.parent / row["image"], save(values.round()))
    if not found:
        prepare_manifest(str(table), str(tmp_path / "out"))
    else:
        assert "no lesion is usable" in refused(prepare_manifest, str(table), str(tmp_path / "out"))
    for row in rows_of(tmp_path / "out" / "audit.csv"):
        assert found in row["reason"]
        assert (row["status"], row["reason"] == "") == (("quarantined", False) if found else ("paired", True))


def test_how_much_of_a_box_may_be_white_or_uneven() -> None:
    image, mask = np.full((20, 20), 100.0, np.float32), np.ones((20, 20), bool)
    image[:, :10] = 255
    assert grey_fault(image, mask) == ""
    image[0, 10] = 255
    assert "0.0% of neighbouring pixels differ by more than 200 grey values and 50% are 255" in grey_fault(image, mask)
    image[:] = 100
    image[0, :2] = 0, 200
    assert grey_fault(image, mask) == ""
    image[0, 1] = 201  # one of 380 pairs
    assert "0.3% of neighbouring pixels differ by more than 200 grey values and 0% are 255" in grey_fault(image, mask)
    image[19, 19] = 256  # not of 8 bits
    assert grey_fault(image, mask) == ""


@pytest.mark.promise("A DICOM header that claims 8 bits of 16-bit pixels is refused")
def test_a_header_of_8_bits_over_16(tmp_path: Path) -> None:
    file = write_mammogram(tmp_path / "a.dcm", mass(), bits=16)
    dataset = pydicom.dcmread(file)
    assert dataset.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.save_as(file)
    with pytest.raises(InputError, match=r"a\.dcm: found shape .*expected one grey plane"):
        read_pixels(file)


@pytest.mark.promise("NaN or an infinite value in an image is refused, and quarantines its lesions")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_a_pixel_that_is_no_number(tmp_path: Path, value: float) -> None:
    table = write_manifest(tmp_path / "raw", patients=3)
    pixels = read_pixels(table.parent / rows_of(table)[0]["image"]).astype(np.float64)
    pixels[3, 4] = value
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), table.parent / "a.nii")
    with pytest.raises(InputError, match=r"a\.nii: found a pixel that is no finite number"):
        read_pixels(table.parent / "a.nii")
    change(table, lambda rows: rows[0].update(image="a.nii"))
    prepare_manifest(str(table), str(tmp_path / "out"))
    first, *others = rows_of(tmp_path / "out" / "audit.csv")
    assert first["reason"] == "a.nii: found a pixel that is no finite number; export the image again"
    assert {row["status"] for row in others} == {"paired"}


@pytest.mark.promise("A download whose folders and files are symbolic links to other places is read as if it lay there")
@pytest.mark.parametrize(("layout", "prepare"), [("cbis_ddsm", prepare_cbis_ddsm), ("inbreast", prepare_inbreast)])
def test_links_in_a_download(tmp_path: Path, scheduler: str, layout: str, prepare: Callable) -> None:
    real, source = tmp_path / "disk" / "real", tmp_path / "raw"
    phantoms(str(real), layout, patients=2, image_size=SIZE, views=["CC"])
    prepare(str(real), str(tmp_path / "whole" / "out"), scheduler=scheduler)
    shutil.copytree(real, source)
    # The folder with the most is a link, and so is one file; others lead in circles or to nothing.
    largest = max((one for one in source.iterdir() if one.is_dir()), key=lambda one: len(list(one.rglob("*"))))
    shutil.rmtree(largest)
    largest.symlink_to(real / largest.name)
    (file,) = list(source.glob("*.csv"))[:1] or list(largest.glob("*.csv"))[:1]
    content = file.read_bytes()
    if file.parent == source:
        file.unlink()
        file.symlink_to(real / file.name)
    assert file.read_bytes() == content
    (source / "circle").symlink_to(source)
    (source / "above").symlink_to(tmp_path)
    (source / "nothing").symlink_to(tmp_path / "nowhere")
    prepare(str(source), str(tmp_path / "out"), scheduler=scheduler)
    audits = [folder / "audit.csv" for folder in (tmp_path / "whole" / "out", tmp_path / "out")]
    assert audits[0].read_bytes() == audits[1].read_bytes()
    assert {row["status"] for row in rows_of(audits[0])} == {"paired"}
    for image in (tmp_path / "out" / "images").iterdir():
        assert real in image.resolve().parents or image.stat().st_nlink > 1
