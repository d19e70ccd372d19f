"""Headers that claim more than any mammogram has, and files that inflate, are refused before memory is taken."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate

from custom.errors import InputError
from custom.readers import read_pixels
from custom.readers.decoded import MOST_PIXELS
from custom.readers.dicom import coded_sizes

SIDE = 60000


def png(side: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg(side: int) -> bytes:
    frame = b"\xff\xc0" + struct.pack(">HBHHBBBB", 11, 8, side, side, 1, 1, 0x11, 0)
    return b"\xff\xd8\xff\xe0\x00\x04ab" + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x00\xff\xd9"


def jpeg_2000(side: int) -> bytes:
    sizes = struct.pack(">HHIIIIIIIIH", 41, 0, side, side, 0, 0, side, side, 0, 0, 1)
    return b"\xff\x4f\xff\x51" + sizes + b"\x07\x01\x01\xff\xd9"


def dicom(syntax: str, data: bytes, rows: int = 8, columns: int = 8) -> pydicom.Dataset:
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.DigitalMammographyXRayImageStorageForPresentation, "1.2.3"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (
        rows, columns, 1, "MONOCHROME2",
    )  # fmt: skip
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = encapsulate([data]) if uid.UID(syntax).is_encapsulated else data
    dataset["PixelData"].VR = "OB"
    return dataset


def nifti(side: int) -> bytes:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape((10, 10))
    header["dim"][1:3] = 30000
    return header.binaryblock + bytes(100)


NRRD = f"NRRD0004\ntype: uchar\ndimension: 2\nsizes: {SIDE} {SIDE}\nencoding: gzip\n\n".encode()
META = f"NDims = 2\nCompressedData = True\nDimSize = {SIDE} {SIDE}\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
FILES = {
    "a.png": png(SIDE),
    "middle.png": png(10000),
    "a.jpg": jpeg(SIDE),
    "a.nii": nifti(SIDE),
    "a.nii.gz": gzip.compress(nifti(SIDE) + bytes(10_000_000)),
    "a.nrrd": NRRD + gzip.compress(bytes(1_000_000)),
    "a.mha": META.encode() + zlib.compress(bytes(1_000_000)),
}


def refused(file: Path) -> str:
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            read_pixels(file)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()
    return str(caught.value)


@pytest.mark.promise("A header that claims 60000 x 60000 pixels is refused before memory is taken for them")
@pytest.mark.parametrize("name", FILES)
def test_too_many_pixels_in_a_header(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    line = refused(tmp_path / name)
    assert line.startswith(f"{tmp_path / name}: found ")
    assert "pixels in its header" in line


@pytest.mark.promise("A JPEG or JPEG 2000 stream that claims more than the DICOM header around it is refused")
@pytest.mark.parametrize(
    ("syntax", "data"),
    [(uid.JPEGBaseline8Bit, jpeg(SIDE)), (uid.JPEG2000Lossless, jpeg_2000(SIDE))],
    ids=["jpeg", "jpeg 2000"],
)
def test_a_stream_that_claims_more_than_its_dicom_header(tmp_path: Path, syntax: str, data: bytes) -> None:
    dicom(syntax, data).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert "found 60000 x 60000 pixels" in refused(tmp_path / "a.dcm")


def test_a_dicom_header_that_claims_more_than_a_mammogram(tmp_path: Path) -> None:
    dicom(uid.ExplicitVRLittleEndian, b"ab", SIDE, SIDE).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert "found 60000 x 60000 pixels" in refused(tmp_path / "a.dcm")


@pytest.mark.promise("A deflated DICOM file that would fill the memory is refused")
def test_a_dicom_file_that_inflates_without_end(tmp_path: Path) -> None:
    zeros = bytes(1 << 20)
    dataset = dicom(uid.DeflatedExplicitVRLittleEndian, b"ab")
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    whole = (tmp_path / "a.dcm").read_bytes()
    bomb = b"".join([*(squeeze.compress(zeros) for _ in range(300)), squeeze.flush()])
    meta = 132 + 12 + int.from_bytes(whole[140:144], "little")
    (tmp_path / "a.dcm").write_bytes(whole[:meta] + bomb)
    assert "inflates to more than" in refused(tmp_path / "a.dcm")


def test_the_sizes_in_coded_frames() -> None:
    assert list(coded_sizes(jpeg(300))) == [(300, 300)]
    assert list(coded_sizes(jpeg_2000(300))) == [(300, 300)]
    assert list(coded_sizes(b"JP2 boxes " + jpeg_2000(300))) == [(300, 300)]
    # The largest film of CBIS-DDSM, by its columns and rows, has room to spare.
    assert MOST_PIXELS > 5295 * 6931 * 2


@pytest.mark.promise("The header of a MetaImage cannot name other files as its pixels")
@pytest.mark.parametrize("other", ["../secret.raw", "/etc/hostname", "LIST"])
def test_the_pixels_of_a_meta_image_lie_nowhere_else(tmp_path: Path, other: str) -> None:
    (tmp_path / "secret.raw").write_bytes(bytes(16))
    folder = tmp_path / "in"
    folder.mkdir()
    head = f"NDims = 2\nDimSize = 4 4\nElementType = MET_UCHAR\nElementDataFile = {other}\n"
    (folder / "a.mhd").write_text(head)
    with pytest.raises(InputError, match=r"a\.mhd: "):
        read_pixels(folder / "a.mhd")
    (folder / "b.raw").symlink_to("../secret.raw")
    (folder / "a.mhd").write_text(head.replace(other, "b.raw"))
    with pytest.raises(InputError, match="its pixels lie in another folder"):
        read_pixels(folder / "a.mhd")
