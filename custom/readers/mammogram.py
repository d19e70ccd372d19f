"""One reader for every kind of file that mammograms come in, with one convention for axes, brightness and metadata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from monai.data import ImageReader
from monai.data.utils import to_affine_nd
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from custom.errors import InputError, reason
from custom.readers.decoded import Decoded
from custom.readers.dicom import decode_dicom
from custom.readers.pictures import JPEG_SIGNATURE, PNG_SIGNATURE, decode_picture
from custom.readers.volumes import decode_meta_image, decode_nifti, decode_nrrd


class Kind(NamedTuple):
    """A kind of file: its decoder, which may raise anything, and how it is known: by a signature, else by a suffix."""

    decode: Callable[[Path], Decoded]
    suffixes: tuple[str, ...]
    signature: bytes = b""
    offset: int = 0


DICOM = Kind(decode_dicom, (".dcm",), b"DICM", 128)
KINDS = (
    DICOM,
    Kind(decode_picture, (".png",), PNG_SIGNATURE),
    Kind(decode_picture, (".jpg", ".jpeg"), JPEG_SIGNATURE),
    Kind(decode_nifti, (".nii", ".nii.gz")),
    Kind(decode_nrrd, (".nrrd",)),
    Kind(decode_meta_image, (".mha", ".mhd")),
)


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
            img: Path of the file, or a sequence of one path.

        Returns:
            The float32 array `(X, Y)` and its metadata.

        Raises:
            InputError: There is not exactly one file, or it is missing, empty, truncated, corrupt, of an unknown kind,
                in colour, of more than one frame or of too many pixels, or one of its pixels is no number.
        """
        files = ensure_tuple(img)
        if len(files) != 1:
            raise InputError(
                f"{', '.join(map(str, files))}: found {len(files)} files, expected one; name one mammogram"
            )
        path = Path(files[0])
        try:
            decoded = _decode(path)
            with np.errstate(over="ignore"):
                plane = _in_order(_plane(path, decoded.pixels))
            if not np.issubdtype(decoded.pixels.dtype, np.integer) and not np.isfinite(plane.sum(dtype=np.float64)):
                raise InputError(f"{path}: found a pixel that is no finite number; export the image again")
            return plane, _metadata(plane.shape, decoded)
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
    """Return the float32 array `(X, Y)` of one file, as `MammogramReader` does; raises `InputError` as that does."""
    return MammogramReader().get_data(file)[0]


def read_mask(file: PathLike | str) -> np.ndarray:
    """Return the bool array `(X, Y)` of a mask of 0 and 255; raises `InputError` as `MammogramReader` does."""
    return read_pixels(file) > 127


def is_dicom(file: PathLike | str) -> bool:
    """Return whether a file that is there is taken for DICOM: by its content, else by its suffix."""
    return _kind(Path(file)) is DICOM


def is_image(file: PathLike | str) -> bool:
    """Return whether a file that is there looks like one that `MammogramReader` reads."""
    return bool(_suffix(file)) or is_dicom(file)


def bare_name(file: PathLike | str) -> str:
    """Return the file's name without the suffix of a kind that is read; a UID keeps its last number."""
    name = Path(file).name
    return name[: len(name) - len(_suffix(file))] or name


def _suffix(file: PathLike | str) -> str:
    """The longest suffix of a kind that the file's name has, or nothing."""
    name = Path(file).name.lower()
    return max(filter(name.endswith, (suffix for kind in KINDS for suffix in kind.suffixes)), key=len, default="")


def _kind(path: Path) -> Kind | None:
    with path.open("rb") as file:
        head = file.read(1 << 8)
    for kind in KINDS:
        if kind.signature and head.startswith(kind.signature, kind.offset):
            return kind
    return next((kind for kind in KINDS if _suffix(path) in kind.suffixes), None)


def _metadata(shape: tuple[int, ...], decoded: Decoded) -> dict[str, Any]:
    pixel_spacing = np.array([step if 0 < step < np.inf else np.nan for step in map(float, decoded.spacing)])
    flat = np.diag([*np.nan_to_num(pixel_spacing, nan=1.0), 1.0])
    affine = to_affine_nd(3, flat if decoded.affine is None else decoded.affine)
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
    if not path.stat().st_size:
        raise InputError(f"{path}: the file is empty, expected an image; fetch or export it again")
    kind = _kind(path)
    if kind is None:
        supported = ", ".join(suffix for kind in KINDS for suffix in kind.suffixes)
        raise InputError(f"{path}: unknown file type, expected one of {supported}; convert the file to one of them")
    return kind.decode(path)
