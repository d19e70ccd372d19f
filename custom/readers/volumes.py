"""NIfTI, NRRD and MetaImage files.

The last two are read without ITK, whose C++ hangs or ends the program on damaged ones, and prints on others. They are
read as ITK, 3D Slicer and ITK-SNAP write them. The header is checked before any memory is taken.
Formats: https://teem.sourceforge.net/nrrd/format.html and https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import numpy as np
from monai.data import NibabelReader
from monai.utils import MetaKeys

from custom.errors import InputError
from custom.readers.decoded import Decoded, check_size

_MOST_HEADER = 1 << 16
_NRRD_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **{"float": "f4", "double": "f8"},
}
_META_TYPES = {
    **{"MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4"},
    **{"MET_LONG": "i4", "MET_ULONG": "u4", "MET_FLOAT": "f4", "MET_DOUBLE": "f8"},
}
# What ITK calls left and posterior, MONAI calls right and anterior with the sign changed.
_LPS = (-1, -1, 1)
_TO_RAS = {
    **dict.fromkeys(("left-posterior-superior", "lps"), _LPS),
    **dict.fromkeys(("right-anterior-superior", "ras"), (1, 1, 1)),
    **dict.fromkeys(("left-anterior-superior", "las"), (-1, 1, 1)),
}

# A header may be followed by extensions, of which none in use is as long.
_MOST_NIFTI_HEADER = 1 << 24
_NIFTI_HEADER = 348
# NIfTI's codes of the units that are not millimetres: metres and micrometres.
_NIFTI_UNITS = {1: 1e3, 3: 1e-3}


def decode_nifti(path: Path) -> Decoded:
    """Decode a NIfTI file, plain or in gzip."""
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
        head = stream.read(_NIFTI_HEADER)
    first = nibabel.Nifti1Header(head, check=False)
    if not float(first["vox_offset"]) < _MOST_NIFTI_HEADER:
        raise ValueError("the header is longer than any")
    check_size(path, first.get_data_shape())
    reader = NibabelReader()
    pixels, header = reader.get_data(reader.read(path))
    unit = _NIFTI_UNITS.get(int(header["xyzt_units"]) & 7, 1.0)
    return Decoded(pixels, header["pixdim"][1:3] * unit, np.diag([unit, unit, unit, 1.0]) @ header[MetaKeys.AFFINE])


def decode_nrrd(path: Path) -> Decoded:
    """Decode an NRRD file that holds its own pixels, raw or in gzip."""
    with path.open("rb") as stream:
        head = stream.read(_MOST_HEADER)
        if re.match(rb"NRRD000[1-5]\r?\n", head) is None:
            raise ValueError("no NRRD header")
        end = re.search(rb"\r?\n\r?\n", head)
        if end is None:
            raise ValueError("the header has no end")
        stream.seek(end.end())
        fields = _fields(head[: end.start()], ":")
        if {"data file", "datafile"} & fields.keys():
            raise InputError(f"{path}: its pixels lie in another file, expected them in this one; save it as one file")
        if any(int(fields.get(name, "0")) for name in ("line skip", "lineskip", "byte skip", "byteskip")):
            raise ValueError("pixels that do not follow the header")
        shape = [int(size) for size in fields["sizes"].split()]
        if len(shape) != int(fields["dimension"]):
            raise ValueError("as many sizes as axes expected")
        check_size(path, shape)
        code = np.dtype(_NRRD_TYPES[fields["type"].lower()])
        if code.itemsize > 1:
            code = np.dtype({"little": "<", "big": ">"}[fields["endian"].lower()] + code.str[1:])
        encoding = fields["encoding"].lower()
        if encoding not in ("raw", "gzip", "gz"):
            raise ValueError("an encoding other than raw and gzip")
        data = _exactly(stream.read, math.prod(shape) * code.itemsize, None if encoding == "raw" else 31)
    pixels = np.frombuffer(data, code).reshape(shape, order="F")
    if "space directions" not in fields:
        return _placed(pixels, _floats(fields["spacings"]) if "spacings" in fields else [math.nan] * len(shape))
    found = re.findall(r"none|\(([^)]*)\)", fields["space directions"])
    directions = [_floats(vector.replace(",", " ")) for vector in found if vector]
    origin = _floats(re.sub(r"[(),]", " ", fields.get("space origin", "0 " * len(directions[0]))))
    affine = _affine(np.array(directions).T, origin, _TO_RAS.get(fields.get("space", "").lower(), _LPS))
    return Decoded(pixels, (float(np.linalg.norm(directions[0])), float(np.linalg.norm(directions[1]))), affine)


def decode_meta_image(path: Path) -> Decoded:
    """Decode a MetaImage, whose pixels lie in the file itself or in one file beside it."""
    with path.open("rb") as stream:
        head = stream.read(_MOST_HEADER)
        end = re.search(rb"(?:^|\n)ElementDataFile *= *([^\r\n]*?) *(?:\r?\n|$)", head)
        if end is None:
            raise ValueError("no header with an ElementDataFile")
        fields = _fields(head[: end.end()], "=")
        shape = [int(size) for size in fields["dimsize"].split()]
        if len(shape) != int(fields["ndims"]) or int(fields.get("elementnumberofchannels", "1")) != 1:
            raise ValueError("as many sizes as axes and one channel expected")
        check_size(path, shape)
        if not _is_true(fields.get("binarydata", "true")):
            raise ValueError("pixels as text")
        order = fields.get("binarydatabyteordermsb", fields.get("elementbyteordermsb", "false"))
        code = np.dtype(_META_TYPES[fields["elementtype"].upper()]).newbyteorder(">" if _is_true(order) else "<")
        length = math.prod(shape) * code.itemsize
        packed = 15 if _is_true(fields.get("compresseddata", "false")) else None
        name = end[1].decode()
        if name.upper() == "LOCAL":
            stream.seek(end.end())
            data = _exactly(stream.read, length, packed)
        else:
            data = _from_beside(path, name, int(fields.get("headersize", "0")), length, packed)
    pixels = np.frombuffer(data, code).reshape(shape, order="F")
    steps = fields.get("elementspacing") or fields.get("elementsize")
    turn = next((fields[name] for name in ("transformmatrix", "rotation", "orientation") if name in fields), None)
    origin = next((fields[name] for name in ("offset", "position", "origin") if name in fields), "0 " * len(shape))
    return _placed(
        pixels,
        _floats(steps) if steps else [math.nan] * len(shape),
        np.eye(len(shape)) if turn is None else np.reshape(_floats(turn), (len(shape), -1)).T,
        _floats(origin),
    )


def _from_beside(path: Path, name: str, skipped: int, length: int, packed: int | None) -> bytes:
    other = path.with_name(Path(name).name or "unnamed")
    if name != other.name or not other.resolve().is_relative_to(path.parent.resolve()):
        raise InputError(f"{path}: its pixels lie in another folder, expected them beside it; save it as one .mha file")
    if not other.is_file():
        raise ValueError("the file of its pixels is not there")
    with other.open("rb") as stream:
        if skipped == -1 and packed is None:
            skipped = other.stat().st_size - length
        stream.seek(skipped)
        return _exactly(stream.read, length, packed)


def _exactly(read: Callable[[int], bytes], length: int, packed: int | None) -> bytes:
    """Return `length` bytes, which must be all there are, inflated where `packed` is zlib's number of the format."""
    if packed is None:
        data = read(length + 1)
    else:
        inflater = zlib.decompressobj(packed)
        # What cannot be packed is stored, hardly longer than it is.
        data = inflater.decompress(read(2 * length + _MOST_HEADER), length + 1)
        # zlib has compared the checksum at the end.
        if not inflater.eof:
            raise ValueError("the pixels are cut off, or there are more than the header says")
    if len(data) != length:
        raise ValueError("fewer or more pixels than the header says")
    return data


def _placed(
    pixels: np.ndarray, steps: Sequence[float], directions: np.ndarray | None = None, origin: Sequence[float] = ()
) -> Decoded:
    """Pixels with the steps along their axes, NaN where unknown, the axes' directions in columns, and their origin."""
    known = np.where(np.isfinite(steps), steps, 1.0)
    axes = np.eye(pixels.ndim) if directions is None else directions
    return Decoded(pixels, (steps[0], steps[1]), _affine(axes * known, origin or [0.0] * pixels.ndim, _LPS))


def _affine(directions: np.ndarray, origin: Sequence[float], signs: Sequence[int]) -> np.ndarray:
    """Return the affine `(4, 4)` to RAS of up to three axes; a picture of two lies flat."""
    axes = min(3, directions.shape[1])
    affine = np.eye(4)
    rows = min(3, directions.shape[0])
    affine[:rows, :axes] = directions[:rows, :axes]
    affine[:rows, 3] = origin[:rows]
    if not np.isfinite(affine).all():
        raise ValueError("a place that is no number")
    return np.diag([*signs, 1]) @ affine


def _fields(head: bytes, mark: str) -> dict[str, str]:
    lines = (line.partition(mark) for line in head.decode("latin-1").splitlines() if not line.startswith("#"))
    return {name.strip().lower(): value.strip() for name, found, value in lines if found and not value.startswith("=")}


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.split()]


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")
