"""One reader for every kind of file that mammograms come in, with one convention for axes, brightness and metadata."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from monai.data import ImageReader
from monai.data.utils import to_affine_nd
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from custom.errors import InputError, reason
from custom.readers.dicom import decode_dicom
from custom.readers.limits import Decoded, check_size
from custom.readers.pictures import JPEG_SIGNATURE, PNG_SIGNATURE, decode_picture
from custom.readers.volumes import Check, Volume, read_meta_image, read_nifti, read_nrrd

# `LoadImage` builds every reader of MONAI and warns that a decoder for GPUs is missing, which nothing here needs.
warnings.filterwarnings("ignore", "NvImgCodec")
logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)

_DICOM_SIGNATURE = b"DICM"
_DICOM_SIGNATURE_OFFSET = 128


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
    other = head.startswith((PNG_SIGNATURE, JPEG_SIGNATURE))
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


def _decode(path: Path) -> Decoded:
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
        return decode_dicom(path)
    if head.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
        return decode_picture(path)
    for decode, suffixes in _SUFFIXES.items():
        if path.name.lower().endswith(suffixes):
            return decode(path)
    supported = ", ".join(chain.from_iterable(_SUFFIXES.values()))
    raise InputError(f"{path}: unknown file type, expected one of {supported}; convert the file to one of them")


def _checked(read: Callable[[Path, Check], Volume]) -> Callable[[Path], Decoded]:
    return lambda path: read(path, partial(check_size, path))


_SUFFIXES: dict[Callable[[Path], Decoded], tuple[str, ...]] = {
    decode_dicom: (".dcm",),
    decode_picture: (".png", ".jpg", ".jpeg"),
    _checked(read_nifti): (".nii", ".nii.gz"),
    _checked(read_nrrd): (".nrrd",),
    _checked(read_meta_image): (".mha", ".mhd"),
}
