"""DICOM files of one grey frame."""

from __future__ import annotations

import errno
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from custom.errors import InputError
from custom.readers.decoded import MOST_PIXELS, Decoded, check_size
from custom.readers.pictures import JPEG_SIGNATURE

_JPEG = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes)
_CODED = (*_JPEG, *JPEG2000TransferSyntaxes)
_JPEG_END = b"\xff\xd9"
_JPEG_2000_SIGNATURE = b"\xff\x4f\xff\x51"
# SOF0 to SOF15 without the three that are something else, and SOF55 of JPEG-LS.
_JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_GREY = ("MONOCHROME1", "MONOCHROME2")
# Room for as many pixels of two bytes and a header.
_MOST_INFLATED = 2 * MOST_PIXELS + (1 << 24)


def decode_dicom(path: Path) -> Decoded:
    """Decode one file; bright is dense, and values are rescaled."""
    with quiet_pydicom():
        dataset = read_dicom(path, force=True)
        _check_grey(path, dataset)
        # PS3.5 section 10.1: the default, which a file without file meta information has.
        syntax = dataset.file_meta.setdefault("TransferSyntaxUID", ImplicitVRLittleEndian).value
        if syntax in _JPEG and _JPEG_END not in dataset.PixelData:
            raise ValueError("the JPEG stream has no end, and libjpeg would make up the missing rows")
        check_size(path, (dataset.Columns, dataset.Rows), int(dataset.get("NumberOfFrames") or 1))
        if syntax in _CODED:
            for size in coded_sizes(next(generate_frames(dataset.PixelData, number_of_frames=1))):
                check_size(path, size)
        values = dataset.pixel_array
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            values = (-1 if dataset.PixelRepresentation else 2**dataset.BitsStored - 1) - values
        slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
        if (slope, intercept) != (1, 0):
            values = values * slope + intercept
        spacing_y, spacing_x = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing") or (np.nan, np.nan)
    return Decoded(values.T, (spacing_x, spacing_y))


def read_dicom(file: PathLike | str, **options: Any) -> pydicom.Dataset:
    """Read a DICOM file by `pydicom.dcmread` with the `options`, unless it would fill the memory or keep one waiting.

    Raises:
        InputError: It is deflated and too large for a mammogram.
        OSError: It is no regular file.
        Exception: Anything, since a broken file makes pydicom raise anything.
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
        frame: The stream; a JPEG 2000 stream with or without the boxes of a JP2 file around it.
    """
    if frame.startswith(JPEG_SIGNATURE):
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


def _check_grey(path: Path, dataset: pydicom.Dataset) -> None:
    if not dataset.get("PixelData"):
        raise InputError(f"{path}: no pixel data, expected a DICOM image; if it is one, it is cut off: export it again")
    samples, photometric = dataset.get("SamplesPerPixel"), dataset.get("PhotometricInterpretation")
    if samples != 1 or photometric not in _GREY:
        # Of a damaged header only what the standard defines is repeated: anything else may be of the patient.
        number = samples if samples is None or isinstance(samples, int) else "no number of"
        colours = photometric if photometric in (None, *PhotometricInterpretation) else "unknown colours"
        found = f"{number} samples per pixel and {colours}"
        raise InputError(f"{path}: found {found}, expected grey: 1 and {' or '.join(_GREY)}; export a grey image")


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep back pydicom's warnings and its logged tracebacks of failed decoders: the `InputError` says the reason."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pydicom")
            yield
    finally:
        logger.setLevel(level)
