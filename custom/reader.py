"""One reader for every kind of file that mammograms come in, with one convention for axes, brightness and metadata."""

from __future__ import annotations

import errno
import gzip
import logging
import math
import re
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import nibabel
import numpy as np
import pydicom
from monai.data import ImageReader, NibabelReader
from monai.data.utils import to_affine_nd
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple
from PIL import Image
from pydicom.encaps import generate_frames
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from custom.errors import InputError, reason
from custom.volumes import read_meta_image, read_nrrd

_DICOM_SIGNATURE = b"DICM"
_DICOM_SIGNATURE_OFFSET = 128
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_JPEG_2000_SIGNATURE = b"\xff\x4f\xff\x51"
# SOF0 to SOF15 without the three that are something else, and SOF55 of JPEG-LS.
_JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_GREY = ("MONOCHROME1", "MONOCHROME2")
_GREY_MODES = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_UNKNOWN = (np.nan, np.nan)
# Twice the largest films' (CBIS-DDSM, 37 million). What claims more is refused before memory is taken for it: a file of
# a few bytes can say 60000 x 60000. Reading as many takes less than 2 GiB.
MOST_PIXELS = 80_000_000
# Room for as many pixels of two bytes and a header.
_MOST_INFLATED = 2 * MOST_PIXELS + (1 << 24)
# A header may be followed by extensions, of which none in use is as long.
_MOST_NIFTI_HEADER = 1 << 24
_NIFTI_HEADER = 348
# NIfTI's codes of the units that are not millimetres: metres and micrometres.
_NIFTI_UNITS = {1: 1e3, 3: 1e-3}

# What a decoder gives: pixels `(X, Y, ...)`, spacing `(sx, sy)` in millimetres, the file's own affine if it has one.
_Decoded = tuple[np.ndarray, Sequence[float], np.ndarray | None]


class MammogramReader(ImageReader):
    """Read one grey mammogram from DICOM, PNG, JPEG, NIfTI, NRRD or MetaImage, found by content, else by suffix.

    The array is float32 `(X, Y)`, first axis the columns, as MONAI's own readers give it. Bright is dense: MONOCHROME1
    is inverted on the stored values, so that it equals the MONOCHROME2 file of the same content; then rescale slope
    and intercept are applied (DICOM PS3.3 C.7.6.3.1.2 and C.11.1). No VOI LUT, no EXIF rotation, no reorientation.

    The metadata has the same keys for every kind of file: those of MONAI's readers, and `pixel_spacing`, `(sx, sy)` in
    millimetres, NaN where the file does not say. In DICOM it is PixelSpacing, else ImagerPixelSpacing.
    """

    def verify_suffix(self, filename: Sequence[PathLike | str] | PathLike | str) -> bool:
        """Always True: the content decides, in `get_data`."""
        return True

    def read(self, data: Sequence[PathLike | str] | PathLike | str, **kwargs: Any) -> Any:
        """Return the path unread."""
        return data  # LoadImage swallows every exception of this method, and lets those of get_data through.

    def get_data(self, img: Sequence[PathLike | str] | PathLike | str) -> tuple[np.ndarray, dict[str, Any]]:
        """Decode one file.

        Args:
            img: the path, or a sequence of one path.

        Returns:
            The float32 array `(X, Y)` and its metadata.

        Raises:
            InputError: when there is not exactly one file, or it is missing, empty, truncated, corrupt, of an unknown
                kind, in colour, of more than one frame or of too many pixels, or one of its pixels is no number.
        """
        files = ensure_tuple(img)
        if len(files) != 1:
            raise InputError(
                f"{', '.join(map(str, files))}: found {len(files)} files, expected one; name one mammogram"
            )
        path = Path(files[0])
        try:
            pixels, spacing, affine = _decode(path)
            with np.errstate(over="ignore"):
                plane = _in_order(_plane(path, pixels))
            if not np.issubdtype(pixels.dtype, np.integer) and not np.isfinite(plane.sum(dtype=np.float64)):
                raise InputError(f"{path}: found a pixel that is no finite number; export the image again")
            return plane, _metadata(plane.shape, spacing, affine)
        except InputError:
            raise
        except Exception as error:  # A broken file makes the decoding libraries raise anything, even struct.error.
            raise InputError(
                f"{path}: cannot be decoded, it is truncated, corrupt or of an unsupported coding ({reason(error)}); "
                "expected an intact image; fetch or export the file again"
            ) from error


def check_size(path: PathLike | str, shape: Iterable[int]) -> None:
    """Refuse what a header claims before memory is taken for it.

    Args:
        path: of the file.
        shape: all axes, in any order.

    Raises:
        InputError: there are more than `MOST_PIXELS`, or an axis has no length.
    """
    sides = [int(side) for side in shape]
    if min(sides, default=0) < 1 or math.prod(sides) > MOST_PIXELS:
        found = " x ".join(map(str, sides)) or "no"
        raise InputError(
            f"{path}: found {found} pixels in its header, expected from 1 to {MOST_PIXELS // 10**6} million, which is "
            "twice the largest mammogram; export the image again"
        )


def _plane(path: Path, pixels: np.ndarray) -> np.ndarray:
    """The grey plane `(X, Y)` of what was decoded, whose further axes all have length 1."""
    if pixels.ndim < 2 or np.prod(pixels.shape[2:]) != 1 or pixels.dtype.kind not in "buif":
        found = f"shape {pixels.shape} of {pixels.dtype}"
        raise InputError(
            f"{path}: found {found}, expected one grey plane (X, Y); export the plane as an image of its own"
        )
    return pixels.reshape(pixels.shape[:2])


def _in_order(plane: np.ndarray) -> np.ndarray:
    """A plane `(X, Y)` as float32 with its last axis contiguous; of most kinds of file the first one is."""
    if plane.flags.c_contiguous:
        return plane.astype(np.float32)
    # OpenCV turns a frame five times as fast as numpy does, and half as large a one in half the time.
    turned = plane.dtype if plane.dtype in (np.uint8, np.uint16, np.int16) else np.float32
    return cv2.transpose(plane.T.astype(turned, order="C", copy=False)).astype(np.float32, copy=False)


def read_pixels(file: PathLike | str) -> np.ndarray:
    """The float32 array `(X, Y)` of one file, as `MammogramReader` gives it; raises `InputError` as that does."""
    return MammogramReader().get_data(file)[0]


def read_mask(file: PathLike | str) -> np.ndarray:
    """The bool array `(X, Y)` of a mask of 0 and 255; raises `InputError` as `MammogramReader` does."""
    return read_pixels(file) > 127


def is_dicom(file: PathLike | str) -> bool:
    """Whether a file that is there is taken for DICOM: by its content, else by its suffix."""
    with Path(file).open("rb") as stream:
        head = stream.read(_DICOM_SIGNATURE_OFFSET + len(_DICOM_SIGNATURE))
    other = head.startswith((_PNG_SIGNATURE, _JPEG_SIGNATURE))
    return head.startswith(_DICOM_SIGNATURE, _DICOM_SIGNATURE_OFFSET) or (not other and _named(file, ".dcm"))


def is_image(file: PathLike | str) -> bool:
    """Whether a file that is there looks like one that `MammogramReader` reads."""
    return any(_named(file, *suffixes) for suffixes in _SUFFIXES.values()) or is_dicom(file)


def bare_name(file: PathLike | str) -> str:
    """The file's name without the suffix of a kind that `MammogramReader` reads; a UID keeps its last number."""
    name = Path(file).name
    suffixes = filter(name.lower().endswith, chain.from_iterable(_SUFFIXES.values()))
    return name[: len(name) - max(map(len, suffixes), default=0)] or name


def _named(file: PathLike | str, *suffixes: str) -> bool:
    return Path(file).name.lower().endswith(suffixes)


def _metadata(shape: tuple[int, ...], spacing: Sequence[float], affine: np.ndarray | None) -> dict[str, Any]:
    pixel_spacing = np.array([step if 0 < step < np.inf else np.nan for step in map(float, spacing)])
    affine = to_affine_nd(3, np.diag([*np.nan_to_num(pixel_spacing, nan=1.0), 1.0]) if affine is None else affine)
    return {
        MetaKeys.AFFINE: affine,
        MetaKeys.ORIGINAL_AFFINE: affine.copy(),
        MetaKeys.SPATIAL_SHAPE: np.asarray(shape),
        MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
        MetaKeys.SPACE: SpaceKeys.RAS,
        "pixel_spacing": pixel_spacing,
    }


def _decode(path: Path) -> _Decoded:
    if path.is_dir():
        raise InputError(f"{path}: found a folder, expected one image file; name a file in it")
    if not path.is_file():
        # Nor is anything waited for that a pipe or a device may give.
        raise InputError(f"{path}: no such file, expected an image; check the path")
    with path.open("rb") as file:
        head = file.read(_DICOM_SIGNATURE_OFFSET + len(_DICOM_SIGNATURE))
    if not head:
        raise InputError(f"{path}: the file is empty, expected an image; fetch or export it again")
    if head.startswith(_DICOM_SIGNATURE, _DICOM_SIGNATURE_OFFSET):
        return _decode_dicom(path)
    if head.startswith((_PNG_SIGNATURE, _JPEG_SIGNATURE)):
        return _decode_png_or_jpeg(path)
    for decode, suffixes in _SUFFIXES.items():
        if path.name.lower().endswith(suffixes):
            return decode(path)
    supported = ", ".join(chain.from_iterable(_SUFFIXES.values()))
    raise InputError(f"{path}: unknown file type, expected one of {supported}; convert the file to one of them")


def _decode_dicom(path: Path) -> _Decoded:
    with quiet_pydicom():
        dataset = read_dicom(path, force=True)
        _check_grey_frame(path, dataset)
        # PS3.5 section 10.1: the default, which a file without file meta information has.
        syntax = dataset.file_meta.setdefault("TransferSyntaxUID", ImplicitVRLittleEndian).value
        if syntax in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes) and _JPEG_END not in dataset.PixelData:
            raise ValueError("the JPEG stream has no end, and libjpeg would make up the missing rows")
        check_size(path, (dataset.Columns, dataset.Rows))
        if syntax in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes):
            for size in coded_sizes(next(generate_frames(dataset.PixelData, number_of_frames=1))):
                check_size(path, size)
        values = dataset.pixel_array
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            values = (-1 if dataset.PixelRepresentation else 2**dataset.BitsStored - 1) - values
        slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
        if (slope, intercept) != (1, 0):
            values = values * slope + intercept
        spacing_y, spacing_x = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing") or _UNKNOWN
    return values.T, (spacing_x, spacing_y), None


def read_dicom(file: PathLike | str, **options: Any) -> pydicom.Dataset:
    """A DICOM file as `pydicom.dcmread` reads it with the `options`, but for what would take the memory or wait.

    Raises:
        InputError: deflated, and too large for a mammogram.
        OSError: no regular file.
        Exception: what a broken file makes pydicom raise, which is anything.
    """
    if not Path(file).is_file():
        raise FileNotFoundError(errno.ENOENT, "no regular file")
    with Path(file).open("rb") as stream:
        head = stream.read(1 << 12)
    if DeflatedExplicitVRLittleEndian.encode() in head:
        _check_deflated(Path(file))
    return pydicom.dcmread(file, **options)


def _check_deflated(path: Path) -> None:
    """Refuse a deflated data set that would fill the memory: pydicom inflates it whole, before it looks at it."""
    with path.open("rb") as stream:
        meta = pydicom.filereader.read_preamble(stream, force=True) and pydicom.filereader._read_file_meta_info(stream)
        if meta is None or meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        length, rest = 0, b""
        while not inflater.eof and (data := rest or stream.read(1 << 16)):
            length += len(inflater.decompress(data, 1 << 20))
            rest = inflater.unconsumed_tail
            if length > _MOST_INFLATED:
                raise InputError(
                    f"{path}: inflates to more than {_MOST_INFLATED >> 20} MiB, expected a mammogram; export it again"
                )


def coded_sizes(frame: bytes) -> Iterator[tuple[int, int]]:
    """Columns and rows that a JPEG, JPEG-LS or JPEG 2000 frame claims: decoders take memory for these.

    Args:
        frame: with or without the boxes of a JP2 file around a JPEG 2000 stream.
    """
    if frame.startswith(_JPEG_SIGNATURE):
        for place in _jpeg_headers(frame):
            rows, columns = struct.unpack_from(">HH", frame, place + 5)
            yield columns, rows
        return
    for match in re.finditer(_JPEG_2000_SIGNATURE, frame):
        if match.start() + 24 <= len(frame):
            right, bottom, left, top = struct.unpack_from(">IIII", frame, match.start() + 8)
            yield right - left, bottom - top
        if match.start() == 0:
            return


def _jpeg_headers(stream: bytes) -> Iterator[int]:
    """The places of the frame headers (SOF) among the segments before the first scan."""
    place = 2
    while place + 9 <= len(stream) and stream[place] == 0xFF:
        marker = stream[place + 1]
        if marker == 0xDA:
            return
        if marker in _JPEG_FRAMES:
            yield place
        place += 1 if marker == 0xFF else 2 + int.from_bytes(stream[place + 2 : place + 4], "big")


def _check_grey_frame(path: Path, dataset: pydicom.Dataset) -> None:
    if not dataset.get("PixelData"):
        raise InputError(f"{path}: no pixel data, expected a DICOM image; if it is one, it is cut off: export it again")
    samples, photometric = dataset.get("SamplesPerPixel"), dataset.get("PhotometricInterpretation")
    if samples != 1 or photometric not in _GREY:
        # Of a damaged header only what the standard defines is repeated: anything else may be of the patient.
        number = samples if samples is None or isinstance(samples, int) else "no number of"
        colours = photometric if photometric in (None, *PhotometricInterpretation) else "unknown colours"
        found = f"{number} samples per pixel and {colours}"
        raise InputError(f"{path}: found {found}, expected grey: 1 and {' or '.join(_GREY)}; export a grey image")
    _check_single_frame(path, int(dataset.get("NumberOfFrames") or 1))


def _check_single_frame(path: Path, frames: int) -> None:
    if frames > 1:
        raise InputError(f"{path}: found {frames} frames, expected one; export the frame as an image of its own")


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep back pydicom's warnings and its logged tracebacks of failed decoders: the `InputError` tells the reason."""
    logger = logging.getLogger("pydicom")
    propagate, logger.propagate = logger.propagate, False
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pydicom")
            yield
    finally:
        logger.propagate = propagate


@contextmanager
def quiet_monai() -> Iterator[None]:
    """Keep back what MONAI says of a decoder for GPUs when it builds a reader: nothing here needs it."""
    logger = logging.getLogger("monai.data.nvimgcodec_pydicom_plugin")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "NvImgCodec")
            yield
    finally:
        logger.setLevel(level)


def _decode_png_or_jpeg(path: Path) -> _Decoded:
    with _opened(path) as image:
        image.verify()  # The only look at a PNG's checksums; it leaves the image unreadable.
    with _opened(path) as image:
        if image.mode not in _GREY_MODES:
            raise InputError(f"{path}: found a {image.mode} image, expected grey; convert it to 8 or 16 bit grey")
        _check_single_frame(path, getattr(image, "n_frames", 1))
        check_size(path, image.size)
        return np.asarray(image).T, _UNKNOWN, None


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, whose header alone has been read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `check_size` decides.
        try:
            image = Image.open(path, formats=("PNG", "JPEG"))
        except Image.DecompressionBombError as error:
            raise InputError(
                f"{path}: found more pixels in its header than the {MOST_PIXELS // 10**6} million that are read; "
                "export the image again"
            ) from error
        with image:
            yield image


def _decode_nifti(path: Path) -> _Decoded:
    with gzip.open(path) if _named(path, ".gz") else path.open("rb") as stream:
        head = stream.read(_NIFTI_HEADER)
    first = nibabel.Nifti1Header(head, check=False)
    if not float(first["vox_offset"]) < _MOST_NIFTI_HEADER:
        raise ValueError("the header is longer than any")
    check_size(path, first.get_data_shape())
    reader = NibabelReader()
    pixels, header = reader.get_data(reader.read(path))
    unit = _NIFTI_UNITS.get(int(header["xyzt_units"]) & 7, 1.0)
    return pixels, header["pixdim"][1:3] * unit, np.diag([unit, unit, unit, 1.0]) @ header[MetaKeys.AFFINE]


def _decode_nrrd(path: Path) -> _Decoded:
    return read_nrrd(path, partial(check_size, path))


def _decode_meta_image(path: Path) -> _Decoded:
    return read_meta_image(path, partial(check_size, path))


_SUFFIXES = {
    _decode_dicom: (".dcm",),
    _decode_png_or_jpeg: (".png", ".jpg", ".jpeg"),
    _decode_nifti: (".nii", ".nii.gz"),
    _decode_nrrd: (".nrrd",),
    _decode_meta_image: (".mha", ".mhd"),
}
