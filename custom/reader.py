"""One reader for every kind of file that mammograms come in, with one convention for axes, brightness and metadata."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
from monai.data import ImageReader, ITKReader, NibabelReader
from monai.data.utils import to_affine_nd
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple
from PIL import Image
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.uid import ImplicitVRLittleEndian, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

from custom.errors import InputError, reason

_DICOM_SIGNATURE = b"DICM"
_DICOM_SIGNATURE_OFFSET = 128
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_GREY = ("MONOCHROME1", "MONOCHROME2")
_GREY_MODES = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_UNKNOWN = (np.nan, np.nan)
# NIfTI's codes of the units that are not millimetres: metres and micrometres.
_NIFTI_UNITS = {1: 1e3, 3: 1e-3}
_ITK_SPACING_FIELD = re.compile(rb"^(spacings|space directions|ElementSpacing|ElementSize)\b", re.MULTILINE)
_ITK_HEADER_BYTES = 1 << 16

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
                kind, in colour, or of more than one frame.
        """
        files = ensure_tuple(img)
        if len(files) != 1:
            raise InputError(
                f"{', '.join(map(str, files))}: found {len(files)} files, expected one; name one mammogram"
            )
        path = Path(files[0])
        try:
            pixels, spacing, affine = _decode(path)
            plane = _in_order(_plane(path, pixels))
            return plane, _metadata(plane.shape, spacing, affine)
        except InputError:
            raise
        except Exception as error:  # A broken file makes the decoding libraries raise anything, even struct.error.
            raise InputError(
                f"{path}: cannot be decoded, it is truncated, corrupt or of an unsupported coding ({reason(error)}); "
                "expected an intact image; fetch or export the file again"
            ) from error


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
    # OpenCV turns a frame five times as fast as numpy does.
    return cv2.transpose(plane.T.astype(np.float32, order="C"))


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
    if not path.exists():
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
        dataset = pydicom.dcmread(path, force=True)
        _check_grey_frame(path, dataset)
        # PS3.5 section 10.1: the default, which a file without file meta information has.
        syntax = dataset.file_meta.setdefault("TransferSyntaxUID", ImplicitVRLittleEndian).value
        if syntax in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes) and _JPEG_END not in dataset.PixelData:
            raise ValueError("the JPEG stream has no end, and libjpeg would make up the missing rows")
        values = dataset.pixel_array
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            values = (-1 if dataset.PixelRepresentation else 2**dataset.BitsStored - 1) - values
        slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
        if (slope, intercept) != (1, 0):
            values = values * slope + intercept
        spacing_y, spacing_x = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing") or _UNKNOWN
    return values.T, (spacing_x, spacing_y), None


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


def _decode_png_or_jpeg(path: Path) -> _Decoded:
    with Image.open(path, formats=("PNG", "JPEG")) as image:
        image.verify()  # The only look at a PNG's checksums; it leaves the image unreadable.
    with Image.open(path, formats=("PNG", "JPEG")) as image:
        if image.mode not in _GREY_MODES:
            raise InputError(f"{path}: found a {image.mode} image, expected grey; convert it to 8 or 16 bit grey")
        _check_single_frame(path, getattr(image, "n_frames", 1))
        return np.asarray(image).T, _UNKNOWN, None


def _decode_nifti(path: Path) -> _Decoded:
    reader = NibabelReader()
    pixels, header = reader.get_data(reader.read(path))
    unit = _NIFTI_UNITS.get(int(header["xyzt_units"]) & 7, 1.0)
    return pixels, header["pixdim"][1:3] * unit, np.diag([unit, unit, unit, 1.0]) @ header[MetaKeys.AFFINE]


def _decode_nrrd_or_meta_image(path: Path) -> _Decoded:
    reader = ITKReader()
    pixels, header = reader.get_data(reader.read(path))
    with path.open("rb") as file:
        has_spacing = _ITK_SPACING_FIELD.search(file.read(_ITK_HEADER_BYTES))  # Without one, ITK says 1.
    return pixels, header["spacing"][:2] if has_spacing else _UNKNOWN, header[MetaKeys.AFFINE]


_SUFFIXES = {
    _decode_dicom: (".dcm",),
    _decode_png_or_jpeg: (".png", ".jpg", ".jpeg"),
    _decode_nifti: (".nii", ".nii.gz"),
    _decode_nrrd_or_meta_image: (".nrrd", ".mha", ".mhd"),
}
