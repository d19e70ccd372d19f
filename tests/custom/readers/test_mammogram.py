from __future__ import annotations

import contextlib
import os
import pickle
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gdcm
import itk
import nibabel as nib
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from monai.data import DataLoader, Dataset, PILReader, PydicomReader, pickle_hashing
from monai.transforms import Compose, LoadImage, LoadImaged, SaveImage
from monai.utils import MetaKeys
from PIL import Image
from pydicom import uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder

from custom.errors import InputError, find_input_error
from custom.readers import MammogramReader, bare_name, is_dicom, is_image, mammogram
from custom.readers.decoded import Decoded

GDCM_SYNTAXES = {
    uid.JPEGLossless: gdcm.TransferSyntax.JPEGLosslessProcess14,
    uid.JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
}

ENCODERS = {uid.RLELossless: "pydicom", uid.JPEG2000Lossless: "pylibjpeg"}


@pytest.fixture(autouse=True, scope="module")
def _only_the_decoders_that_are_installed_for_users() -> Iterator[None]:
    """GDCM is here to write; pydicom would prefer it to the decoders in requirements.txt."""
    decoders = [get_decoder(syntax) for syntax in (*GDCM_SYNTAXES, uid.JPEG2000Lossless)]
    for decoder in decoders:
        decoder.remove_plugin("gdcm")
    yield
    for decoder in decoders:
        decoder.add_plugin("gdcm", ("pydicom.pixels.decoders.gdcm", "_decode_frame"))


def write_dicom(path: Path, stored: np.ndarray, syntax: str = uid.ExplicitVRLittleEndian, **elements: Any) -> Path:
    """Write `stored` (rows, columns) as a mammogram; `elements` add to the data set or replace what is there."""
    dataset = pydicom.Dataset()
    dataset.SOPClassUID = uid.DigitalMammographyXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.Modality = "MG"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * stored.dtype.itemsize
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.update(elements)
    dataset.HighBit = dataset.BitsStored - 1
    if "PixelData" not in elements:
        byte_order = ">" if syntax == uid.ExplicitVRBigEndian else "<"
        data = stored.astype(stored.dtype.newbyteorder(byte_order)).tobytes()
        dataset.add_new("PixelData", "OB" if stored.itemsize == 1 else "OW", data + bytes(len(data) % 2))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    if syntax in ENCODERS:
        dataset.compress(syntax, encoding_plugin=ENCODERS[syntax])
    elif syntax not in GDCM_SYNTAXES:
        dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    if syntax in GDCM_SYNTAXES:
        _recode(path, GDCM_SYNTAXES[syntax])
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    return path


def _recode(path: Path, syntax: int) -> None:
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetFileName(str(path))
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def l_shape(dtype: str, low: int, high: int) -> np.ndarray:
    """`(rows, columns)` = (48, 40): a ramp from `low` along the columns, on which an L stands at `high`."""
    stored = np.tile(low + np.arange(40), (48, 1))
    stored[5:40, 3:6] = high
    stored[37:40, 3:20] = high
    return stored.astype(dtype)


def read(path: Path) -> np.ndarray:
    return MammogramReader().get_data(path)[0]


def spacing_of(path: Path) -> np.ndarray:
    return MammogramReader().get_data(path)[1]["pixel_spacing"]


def write_png(path: Path, frame: np.ndarray) -> Path:
    Image.fromarray(frame).save(path)
    return path


def write_nifti(path: Path, columns_first: np.ndarray, unit: str = "mm") -> Path:
    image = nib.Nifti1Image(columns_first, np.diag([0.07, 0.05, 1, 1]))
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


def write_itk(path: Path, rows_first: np.ndarray, spacing: tuple[float, ...] = (0.07, 0.05)) -> Path:
    image = itk.image_from_array(np.ascontiguousarray(rows_first))
    image.SetSpacing(spacing)
    itk.imwrite(image, str(path))
    return path


FRAME = l_shape("uint16", 700, 65535)


def write_every_kind(folder: Path) -> list[Path]:
    return [
        write_dicom(folder / "a.dcm", FRAME, PixelSpacing=[0.05, 0.07]),
        write_png(folder / "a.png", FRAME),
        write_nifti(folder / "a.nii", FRAME.T),
        write_nifti(folder / "a.nii.gz", FRAME.T[:, :, None]),
        write_nifti(folder / "four_axes.nii", FRAME.T[:, :, None, None]),
        write_itk(folder / "a.nrrd", FRAME),
        write_itk(folder / "a.mha", FRAME),
        write_itk(folder / "a.mhd", FRAME),
        write_itk(folder / "volume.mha", FRAME[None], (0.07, 0.05, 1)),
    ]


def test_rows_and_columns_swap_places(tmp_path: Path) -> None:
    stored = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    for path in (write_dicom(tmp_path / "a.dcm", stored), write_png(tmp_path / "a.png", stored)):
        image = read(path)
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image, [[1, 4], [2, 5], [3, 6]])


@pytest.mark.filterwarnings("ignore:PydicomReader")
def test_axes_and_values_are_those_of_monais_readers(tmp_path: Path) -> None:
    dicom, png = write_dicom(tmp_path / "a.dcm", FRAME), write_png(tmp_path / "a.png", FRAME)
    for path, theirs in ((dicom, PydicomReader()), (png, PILReader())):
        np.testing.assert_array_equal(read(path), theirs.get_data(theirs.read(path))[0])


DEPTHS = [
    pytest.param(l_shape("uint8", 0, 255), 8, id="8"),
    pytest.param(l_shape("uint16", 100, 4095), 12, id="12"),
    pytest.param(l_shape("uint16", 100, 16383), 14, id="14"),
    pytest.param(FRAME, 16, id="16"),
    pytest.param(l_shape("int16", -2048, 2047), 12, id="signed 12"),
    pytest.param(l_shape("int16", -32768, 32767), 16, id="signed 16"),
]


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ExplicitVRLittleEndian,
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEG2000Lossless,
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
    ],
    ids=lambda syntax: syntax.name,
)
@pytest.mark.parametrize(("stored", "bits"), DEPTHS)
def test_every_transfer_syntax_keeps_every_bit(tmp_path: Path, stored: np.ndarray, bits: int, syntax: uid.UID) -> None:
    np.testing.assert_array_equal(read(write_dicom(tmp_path / "a.dcm", stored, syntax, BitsStored=bits)), stored.T)


@pytest.mark.parametrize(
    ("dtype", "bits", "stored", "expected"),
    [
        ("uint8", 8, [[0, 1, 255]], [255, 254, 0]),
        ("uint16", 12, [[0, 10, 4095]], [4095, 4085, 0]),
        ("uint16", 14, [[0, 10, 4095]], [16383, 16373, 12288]),
        ("uint16", 16, [[0, 65535, 2]], [65535, 0, 65533]),
        ("int16", 12, [[-2048, 0, 2047]], [2047, -1, -2048]),
        ("int16", 16, [[-32768, 5, 32767]], [32767, -6, -32768]),
        # The upper four bits belong to an overlay.
        ("uint16", 12, [[0xF000, 0x500A, 0x1FFF]], [4095, 4085, 0]),
    ],
)
def test_monochrome1_is_inverted(
    tmp_path: Path, dtype: str, bits: int, stored: list[list[int]], expected: list[int]
) -> None:
    path = write_dicom(
        tmp_path / "a.dcm", np.array(stored, dtype), PhotometricInterpretation="MONOCHROME1", BitsStored=bits
    )
    np.testing.assert_array_equal(read(path)[:, 0], expected)


@pytest.mark.parametrize("rescale", [{}, {"RescaleSlope": 2, "RescaleIntercept": -7}])
def test_both_monochromes_of_one_content_are_equal(tmp_path: Path, rescale: dict[str, int]) -> None:
    stored = l_shape("uint16", 100, 4095)
    one = write_dicom(
        tmp_path / "1.dcm", 4095 - stored, PhotometricInterpretation="MONOCHROME1", BitsStored=12, **rescale
    )
    two = write_dicom(tmp_path / "2.dcm", stored, BitsStored=12, **rescale)
    np.testing.assert_array_equal(read(one), read(two))


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"RescaleSlope": 0.5, "RescaleIntercept": -1024}, [-1024, -1019]),
        ({"RescaleIntercept": 3}, [3, 13]),
        ({"RescaleSlope": None, "RescaleIntercept": None}, [0, 10]),
        ({"PhotometricInterpretation": "MONOCHROME1", "RescaleSlope": 2, "RescaleIntercept": 1}, [511, 491]),
        ({"WindowCenter": 5, "WindowWidth": 2}, [0, 10]),
    ],
)
def test_rescale_comes_after_the_inversion_and_no_window(
    tmp_path: Path, elements: dict[str, Any], expected: list[float]
) -> None:
    path = write_dicom(tmp_path / "a.dcm", np.array([[0, 10]], np.uint8), **elements)
    np.testing.assert_array_equal(read(path)[:, 0], expected)


@pytest.mark.parametrize(
    ("elements", "spacing", "diagonal"),
    [
        ({"PixelSpacing": [0.05, 0.07]}, [0.07, 0.05], [0.07, 0.05, 1, 1]),
        ({"ImagerPixelSpacing": [0.05, 0.07]}, [0.07, 0.05], [0.07, 0.05, 1, 1]),
        ({"PixelSpacing": [0.05, 0.07], "ImagerPixelSpacing": [1, 2]}, [0.07, 0.05], [0.07, 0.05, 1, 1]),
        ({"PixelSpacing": None, "ImagerPixelSpacing": [1, 2]}, [2, 1], [2, 1, 1, 1]),
        ({"PixelSpacing": [0, 0]}, [np.nan, np.nan], [1, 1, 1, 1]),
        ({}, [np.nan, np.nan], [1, 1, 1, 1]),
    ],
)
def test_spacing_of_dicom(
    tmp_path: Path, elements: dict[str, Any], spacing: list[float], diagonal: list[float]
) -> None:
    meta = MammogramReader().get_data(write_dicom(tmp_path / "a.dcm", FRAME, **elements))[1]
    np.testing.assert_array_equal(meta["pixel_spacing"], spacing)
    np.testing.assert_array_equal(meta[MetaKeys.AFFINE], np.diag(diagonal))
    np.testing.assert_array_equal(meta[MetaKeys.ORIGINAL_AFFINE], np.diag(diagonal))


@pytest.mark.parametrize("unit_and_millimetres", [("unknown", 0.07), ("mm", 0.07), ("micron", 0.00007), ("meter", 70)])
def test_spacing_of_nifti_is_in_millimetres(tmp_path: Path, unit_and_millimetres: tuple[str, float]) -> None:
    unit, expected = unit_and_millimetres
    path = write_nifti(tmp_path / "a.nii", FRAME.T, unit)
    np.testing.assert_allclose(spacing_of(path), [expected, expected / 7 * 5], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.nrrd", "NRRD0004\ntype: uint8\ndimension: 2\nsizes: 3 2\nencoding: raw\n\n"),
        ("a.mha", "NDims = 2\nDimSize = 3 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"),
    ],
)
def test_spacing_is_unknown_where_the_header_has_none(tmp_path: Path, name: str, header: str) -> None:
    path = tmp_path / name
    path.write_bytes(header.encode() + bytes([1, 2, 3, 4, 5, 6]))
    np.testing.assert_array_equal(read(path), [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(spacing_of(path), [np.nan, np.nan])


def test_every_kind_of_file_gives_the_same_array_and_metadata_keys(tmp_path: Path) -> None:
    for path in write_every_kind(tmp_path):
        image, meta = MammogramReader().get_data(path)
        np.testing.assert_array_equal(image, FRAME.T, err_msg=path.name)
        assert image.dtype == np.float32
        assert list(meta) == [
            "affine",
            "original_affine",
            "spatial_shape",
            "original_channel_dim",
            "space",
            "pixel_spacing",
        ]
        np.testing.assert_array_equal(meta["spatial_shape"], [40, 48])
        assert meta["affine"].shape == meta["original_affine"].shape == (4, 4)
        assert meta["affine"].dtype == meta["original_affine"].dtype == np.float64
        expected_spacing = [np.nan, np.nan] if path.suffix == ".png" else [0.07, 0.05]
        np.testing.assert_allclose(meta["pixel_spacing"], expected_spacing, rtol=1e-6, err_msg=path.name)


def test_the_files_own_affine_is_kept(tmp_path: Path) -> None:
    affine = np.array([[0, 0.5, 0, 3], [0.25, 0, 0, -4], [0, 0, 1, 5], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(FRAME.T, affine), tmp_path / "a.nii")
    np.testing.assert_allclose(MammogramReader().get_data(tmp_path / "a.nii")[1]["affine"], affine)
    # MONAI's affines are in millimetres.
    image = nib.Nifti1Image(FRAME.T, np.diag([1000.0, 1000, 1000, 1]) @ affine)
    image.header.set_xyzt_units("micron")
    nib.save(image, tmp_path / "b.nii")
    np.testing.assert_allclose(MammogramReader().get_data(tmp_path / "b.nii")[1]["affine"], affine)
    image = itk.image_from_array(FRAME)
    image.SetSpacing((0.5, 0.25))
    image.SetOrigin((3, -4))
    itk.imwrite(image, str(tmp_path / "a.mha"))
    # x and y of ITK (left, posterior) are those of MONAI (right, anterior) with the sign changed.
    in_space = [[-0.5, 0, 0, -3], [0, -0.25, 0, 4], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(MammogramReader().get_data(tmp_path / "a.mha")[1]["affine"], in_space)


@pytest.mark.parametrize("frame", [FRAME, l_shape("uint8", 3, 255), l_shape("uint8", 0, 1) > 0], ids=["16", "8", "1"])
def test_png_keeps_every_bit(tmp_path: Path, frame: np.ndarray) -> None:
    np.testing.assert_array_equal(read(write_png(tmp_path / "a.png", frame)), frame.T)


def test_grey_jpeg(tmp_path: Path) -> None:
    frame = np.kron(np.array([[10, 200, 90], [40, 130, 250]], np.uint8), np.ones((8, 8), np.uint8))
    Image.fromarray(frame).save(tmp_path / "a.jpg", quality=100)
    np.testing.assert_allclose(read(tmp_path / "a.jpg"), frame.T, atol=1)


@pytest.mark.parametrize(
    ("write", "name"), [(write_dicom, "a"), (write_dicom, "a.png"), (write_png, "a.jpg"), (write_png, "a.dcm")]
)
def test_content_beats_the_suffix(tmp_path: Path, write: Callable[[Path, np.ndarray], Path], name: str) -> None:
    path = tmp_path / name
    path.write_bytes(write(tmp_path / ("source.dcm" if write is write_dicom else "source.png"), FRAME).read_bytes())
    np.testing.assert_array_equal(read(path), FRAME.T)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
def test_dicom_without_preamble_and_file_meta_information(tmp_path: Path, syntax: str) -> None:
    path = write_dicom(tmp_path / "A.DCM", FRAME, syntax)
    whole = path.read_bytes()
    (group_length,) = struct.unpack("<I", whole[140:144])
    path.write_bytes(whole[144 + group_length :])
    np.testing.assert_array_equal(read(path), FRAME.T)


def test_padded_pixel_data_is_read_in_silence(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path = write_dicom(tmp_path / "a.dcm", FRAME, PixelData=FRAME.tobytes() + b"\0\0")
    np.testing.assert_array_equal(read(path), FRAME.T)
    assert not recwarn.list


@st.composite
def stored_frames(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    bits = draw(st.integers(2, 16))
    signed = draw(st.booleans())
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    dtype = np.dtype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")
    shape = array_shapes(min_dims=2, max_dims=2, max_side=9)
    return draw(arrays(dtype, shape, elements=st.integers(low, high))), bits


@given(stored_frames(), st.sampled_from([uid.ExplicitVRLittleEndian, uid.RLELossless]), st.booleans())
def test_any_frame_survives_dicom_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, frame: tuple[np.ndarray, int], syntax: str, inverted: bool
) -> None:
    stored, bits = frame
    path = tmp_path_factory.getbasetemp() / "property.dcm"
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    write_dicom(path, stored, syntax, BitsStored=bits, PhotometricInterpretation=photometric)
    highest = -1 if stored.dtype.kind == "i" else 2**bits - 1
    np.testing.assert_array_equal(read(path), highest - stored.T.astype(int) if inverted else stored.T)


def cut(path: Path, part: float = 0.6) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    return path


def write_cut_stream(path: Path, syntax: str) -> Path:
    """A DICOM file that is whole, around a compressed stream that is not."""
    dataset = pydicom.dcmread(write_dicom(path, FRAME, syntax))
    stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate([stream[: len(stream) // 2]])
    dataset.save_as(path)
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def write_png_with_wrong_pixels(path: Path) -> Path:
    """One flipped bit, the first that Pillow decodes without complaint: only the checksum of the chunk tells."""
    whole = write_png(path, FRAME).read_bytes()
    for position in range(whole.index(b"IDAT") + 4, len(whole)):
        write_bytes(path, whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with contextlib.suppress(OSError, SyntaxError), Image.open(path) as image:
            if not np.array_equal(np.asarray(image), FRAME):
                return path
    raise AssertionError("Pillow noticed every flipped bit by itself")


def write_animation(path: Path) -> Path:
    first, second = (Image.fromarray(frame) for frame in (l_shape("uint8", 0, 9), l_shape("uint8", 7, 9)))
    first.save(path, save_all=True, append_images=[second])
    return path


def write_picture(path: Path, mode: str) -> Path:
    Image.new(mode, (8, 8)).save(path)
    return path


def write_mhd_without_pixels(path: Path) -> Path:
    write_itk(path, FRAME)
    path.with_suffix(".raw").unlink()
    return path


def make_folder(path: Path) -> Path:
    write_dicom(path / "inside.dcm", FRAME)
    return path


COLOUR = np.zeros((4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
COMPRESSED = [uid.RLELossless, uid.JPEG2000Lossless, uid.JPEGLossless, uid.JPEGLosslessSV1]
REFUSALS: dict[str, tuple[Callable[[Path], Path | list[Path]], str]] = {
    "missing": (lambda d: d / "none.dcm", "no such file"),
    "folder": (make_folder, "found a folder"),
    "empty": (lambda d: write_bytes(d / "a.png", b""), "is empty"),
    "unknown": (lambda d: write_bytes(d / "a.txt", b"text"), "unknown file type, expected one of .dcm, .png, .jpg"),
    "several": (lambda d: write_every_kind(d)[:2], "found 2 files, expected one"),
    "dicom in rgb": (
        lambda d: write_dicom(
            d / "a.dcm",
            l_shape("uint8", 0, 9),
            SamplesPerPixel=3,
            PhotometricInterpretation="RGB",
            PlanarConfiguration=0,
            PixelData=bytes(3 * 40 * 48),
        ),
        "found 3 samples per pixel and RGB",
    ),
    "dicom with palette": (
        lambda d: write_dicom(d / "a.dcm", FRAME, PhotometricInterpretation="PALETTE COLOR"),
        "PALETTE COLOR",
    ),
    "dicom of two frames": (
        lambda d: write_dicom(d / "a.dcm", FRAME, NumberOfFrames=2, PixelData=2 * FRAME.tobytes()),
        "found 2 frames",
    ),
    "dicom of unannounced frames": (
        lambda d: write_dicom(d / "a.dcm", FRAME, PixelData=2 * FRAME.tobytes()),
        "found shape (40, 48, 2)",
    ),
    "dicom without pixels": (lambda d: write_dicom(d / "a.dcm", FRAME, PixelData=b""), "no pixel data"),
    "noise as dicom": (lambda d: write_bytes(d / "a.dcm", np.random.default_rng(0).bytes(3000)), "a.dcm: "),
    "text as dicom": (lambda d: write_bytes(d / "a.dcm", b"no dicom at all\n" * 30), "a.dcm: "),
    "unsupported coding": (
        lambda d: write_dicom(d / "a.dcm", FRAME, uid.MPEG2MPML, PixelData=encapsulate([b"video"])),
        "is not supported",
    ),
    "one spacing": (lambda d: write_dicom(d / "a.dcm", FRAME, PixelSpacing=[1]), "cannot be decoded"),
    "half a spacing": (lambda d: write_dicom(d / "a.dcm", FRAME, PixelSpacing=["", 1]), "cannot be decoded"),
    "dicom cut in the header": (lambda d: cut(write_dicom(d / "a.dcm", FRAME), 0.06), "a.dcm: "),
    "dicom cut in the pixels": (lambda d: cut(write_dicom(d / "a.dcm", FRAME)), "less than expected"),
    **{
        f"{syntax.name} cut": (lambda d, syntax=syntax: cut(write_dicom(d / "a.dcm", FRAME, syntax)), "it is cut off")
        for syntax in COMPRESSED
    },
    **{
        f"{syntax.name} stream cut": (
            lambda d, syntax=syntax: write_cut_stream(d / "a.dcm", syntax),
            "truncated, corrupt",
        )
        for syntax in COMPRESSED
    },
    **{
        f"png {mode}": (lambda d, mode=mode: write_picture(d / "a.png", mode), f"found a {mode} image")
        for mode in ("RGB", "RGBA", "LA", "P")
    },
    **{
        f"jpeg {mode}": (lambda d, mode=mode: write_picture(d / "a.jpg", mode), f"found a {mode} image")
        for mode in ("RGB", "CMYK")
    },
    "animated png": (lambda d: write_animation(d / "a.png"), "found 2 frames"),
    "png cut": (lambda d: cut(write_png(d / "a.png", FRAME)), "truncated, corrupt"),
    "png cut in the signature": (lambda d: write_bytes(d / "a.png", b"\x89PNG"), "truncated, corrupt"),
    "png with wrong pixels": (lambda d: write_png_with_wrong_pixels(d / "a.png"), "truncated, corrupt"),
    "jpeg cut": (lambda d: cut(write_png(d / "a.jpg", l_shape("uint8", 0, 255))), "truncated, corrupt"),
    "jpeg corrupt": (lambda d: write_bytes(d / "a.jpg", b"\xff\xd8\xff" + bytes(99)), "truncated, corrupt"),
    "nifti volume": (lambda d: write_nifti(d / "a.nii", np.zeros((4, 5, 2), "int16")), "shape (4, 5, 2)"),
    "nifti of channels": (lambda d: write_nifti(d / "a.nii", np.zeros((4, 5, 1, 3), "u1")), "shape (4, 5, 1, 3)"),
    "nifti line": (lambda d: write_nifti(d / "a.nii", np.zeros(4, "u1")), "shape (4,)"),
    "nifti in rgb": (lambda d: write_nifti(d / "a.nii", COLOUR), "one grey plane"),
    "nifti cut": (lambda d: cut(write_nifti(d / "a.nii", FRAME.T)), "truncated, corrupt"),
    "nifti.gz cut": (lambda d: cut(write_nifti(d / "a.nii.gz", FRAME.T)), "truncated, corrupt"),
    "nifti corrupt": (lambda d: write_bytes(d / "a.nii", b"no nifti" * 99), "truncated, corrupt"),
    "nrrd volume": (lambda d: write_itk(d / "a.nrrd", np.zeros((2, 4, 5), "u1"), (1, 1, 1)), "shape (5, 4, 2)"),
    "nrrd cut": (lambda d: cut(write_itk(d / "a.nrrd", FRAME)), "truncated, corrupt"),
    "nrrd corrupt": (lambda d: write_bytes(d / "a.nrrd", b"no nrrd" * 99), "truncated, corrupt"),
    "mha volume": (lambda d: write_itk(d / "a.mha", np.zeros((2, 4, 5), "u1"), (1, 1, 1)), "shape (5, 4, 2)"),
    "mha cut": (lambda d: cut(write_itk(d / "a.mha", FRAME)), "truncated, corrupt"),
    "mha corrupt": (lambda d: write_bytes(d / "a.mha", b"no mha" * 99), "truncated, corrupt"),
    "mhd without pixels": (lambda d: write_mhd_without_pixels(d / "a.mhd"), "truncated, corrupt"),
}
# The C++ of MetaImage writes to the standard error by itself.
NOISY = ("mha cut", "mhd without pixels")


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_in_one_line_through_monai_and_without_noise(
    tmp_path: Path,
    case: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    build, expected = REFUSALS[case]
    path = build(tmp_path)
    load = Compose([LoadImaged(keys="image", reader=MammogramReader(), ensure_channel_first=True)])
    capfd.readouterr()
    recwarn.clear()
    caplog.clear()
    with pytest.raises(RuntimeError) as raised:
        load({"image": path})
    error = find_input_error(raised.value)
    assert error is not None
    assert expected in str(error)
    assert str(path if isinstance(path, Path) else path[0]) in str(error)
    assert "\n" not in str(error)
    assert case in NOISY or capfd.readouterr() == ("", "")
    assert not caplog.records
    assert not recwarn.list


def test_no_cut_of_a_file_is_taken_for_the_whole(tmp_path: Path) -> None:
    compressed = [write_dicom(tmp_path / f"{syntax}.dcm", FRAME, syntax) for syntax in COMPRESSED]
    for path in (*write_every_kind(tmp_path), *compressed):
        whole = path.read_bytes()
        for length in range(1, len(whole), 1 + len(whole) // 40):
            path.write_bytes(whole[:length])
            with contextlib.suppress(InputError):
                np.testing.assert_array_equal(read(path), FRAME.T, err_msg=f"{length} bytes of {path.name}")


def test_items_of_every_kind_make_a_batch_in_a_worker(tmp_path: Path) -> None:
    items = [{"image": path} for path in write_every_kind(tmp_path)]
    load = LoadImaged(keys="image", reader=MammogramReader(), ensure_channel_first=True)
    (batch,) = DataLoader(Dataset(items, load), batch_size=len(items), num_workers=1)
    np.testing.assert_array_equal(batch["image"], np.broadcast_to(FRAME.T, (len(items), 1, 40, 48)))


def test_reader_pickles_to_the_same_hash() -> None:
    reader = MammogramReader()
    assert pickle_hashing(pickle.loads(pickle.dumps(reader))) == pickle_hashing(reader)


@pytest.mark.parametrize("write", [write_dicom, write_png])
def test_saved_png_has_the_rows_and_columns_of_the_source(
    tmp_path: Path, write: Callable[[Path, np.ndarray], Path]
) -> None:
    frame = l_shape("uint8", 0, 255)
    image = LoadImage(reader=MammogramReader(), ensure_channel_first=True)(
        write(tmp_path / ("a.dcm" if write is write_dicom else "a.png"), frame)
    )
    SaveImage(tmp_path, "saved", ".png", np.uint8, writer="PILWriter", separate_folder=False, print_log=False)(image)
    with Image.open(tmp_path / "a_saved.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), frame)


@pytest.mark.skipif("MAMMO_REAL_DATA" not in os.environ, reason="MAMMO_REAL_DATA names no folder of real mammograms")
def test_real_mammogram_is_the_same_from_jpeg_and_dicom(tmp_path: Path) -> None:
    jpeg = min(Path(os.environ["MAMMO_REAL_DATA"], "images").glob("*.jpg"))
    with Image.open(jpeg) as image:
        frame = np.asarray(image)
    np.testing.assert_array_equal(read(jpeg), frame.T)
    for syntax in (uid.ExplicitVRLittleEndian, *COMPRESSED):
        np.testing.assert_array_equal(read(write_dicom(tmp_path / "a.dcm", frame, syntax)), frame.T)


@pytest.mark.parametrize(
    ("name", "bare"),
    [("a.DCM", "a"), ("a.nii.gz", "a"), ("1.2.840.17", "1.2.840.17"), ("MG.1.2.dcm", "MG.1.2"), (".png", ".png")],
)
def test_a_name_without_its_suffix(name: str, bare: str) -> None:
    assert bare_name(f"x.y/{name}") == bare


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a", bytes(128) + b"DICM", (True, True)),
        ("a.png", bytes(128) + b"DICM", (True, True)),
        ("a.dcm", b"", (True, True)),
        ("a.dcm", b"\xff\xd8\xff", (False, True)),
        ("a.NII.GZ", b"", (False, True)),
        ("a.txt", b"text", (False, False)),
        ("png", b"text", (False, False)),
    ],
)
def test_what_a_file_is_taken_for(tmp_path: Path, name: str, content: bytes, found: tuple[bool, bool]) -> None:
    file = write_bytes(tmp_path / name, content)
    assert (is_dicom(file), is_image(file)) == found


def test_a_kind_of_file_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = mammogram.Kind(lambda path: Decoded(np.full((2, 3), 7), (0.1, 0.2)), (".new",), b"NEW", 2)
    monkeypatch.setattr(mammogram, "KINDS", (*mammogram.KINDS, kind))
    for file in (write_bytes(tmp_path / "a.new", b"anything"), write_bytes(tmp_path / "a.png", b"  NEW")):
        np.testing.assert_array_equal(read(file), np.full((2, 3), 7))
        np.testing.assert_array_equal(spacing_of(file), (0.1, 0.2))
    assert (is_image(tmp_path / "a.new"), bare_name(tmp_path / "a.new")) == (True, "a")
    with pytest.raises(InputError, match=r"expected one of \.dcm, .*, \.mhd, \.new; convert"):
        read(write_bytes(tmp_path / "a.txt", b"text"))
