"""An L survives everything between a file and the mask that is written for it, in place and orientation."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from monai.data import PILWriter
from monai.transforms import Compose, Invertd, LoadImaged, Resized
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from custom.readers import MammogramReader
from custom.transforms import CropLesiond
from tests.helpers import write_png

COLUMNS, ROWS = 60, 90


def letter() -> np.ndarray:
    """An L at the left edge, below the middle: `(X, Y)`, 40 outside and 200 inside."""
    image = np.full((COLUMNS, ROWS), 40, np.uint8)
    image[2:8, 50:75] = 200
    image[2:20, 70:75] = 200
    return image


def write_dicom(file: Path, values: np.ndarray, photometric: str) -> None:
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset.Columns, dataset.Rows = values.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    stored = 4095 - values.astype(np.uint16) if photometric == "MONOCHROME1" else values.astype(np.uint16)
    dataset.PixelData = np.ascontiguousarray(stored.T).tobytes()
    dataset.save_as(file, enforce_file_format=True)


def write(file: Path, values: np.ndarray) -> None:
    if file.suffix == ".png":
        write_png(file, values)
    elif file.suffix == ".jpg":
        assert cv2.imwrite(str(file), np.ascontiguousarray(values.T), [cv2.IMWRITE_JPEG_QUALITY, 100])
    else:
        write_dicom(file, values, file.stem)


@pytest.mark.parametrize("name", ["MONOCHROME2.dcm", "MONOCHROME1.dcm", "image.png", "image.jpg"])
@pytest.mark.parametrize("size", [None, (128, 128)])
def test_load_crop_inverse_save(tmp_path: Path, name: str, size: tuple[int, int] | None):
    write(tmp_path / name, letter())
    chain = [
        LoadImaged("image", reader=MammogramReader(), ensure_channel_first=True),
        CropLesiond("image", box_key="box"),
    ]
    if size:
        chain.append(Resized("image", size, mode="bilinear"))
    preprocessing = Compose(chain)
    item = preprocessing({"image": str(tmp_path / name), "box": (2, 50, 20, 75)})

    item["mask"] = item["image"].clone()
    item = Invertd("mask", preprocessing, orig_keys="image", nearest_interp=False)(item)
    writer = PILWriter(output_dtype=np.uint8)
    writer.set_data_array((item["mask"] > 120) * 255, channel_dim=0)
    writer.write(tmp_path / "mask.png")

    found = cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, (letter().T > 120) * 255)


def test_both_photometric_interpretations_give_the_same_array(tmp_path: Path):
    arrays = []
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        write_dicom(tmp_path / f"{photometric}.dcm", letter(), photometric)
        arrays.append(
            LoadImaged("image", reader=MammogramReader())({"image": tmp_path / f"{photometric}.dcm"})["image"]
        )
    np.testing.assert_array_equal(*arrays)
    np.testing.assert_array_equal(arrays[0], letter())
