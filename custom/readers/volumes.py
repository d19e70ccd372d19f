"""NIfTI, NRRD and MetaImage files.

The last two are read without ITK, whose C++ hangs or ends the program on damaged ones, and prints on others. Of both
that is read which ITK, 3D Slicer and ITK-SNAP write. The header is checked before any memory is taken.
Formats: https://teem.sourceforge.net/nrrd/format.html and https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import nibabel
import numpy as np
from monai.data import NibabelReader
from monai.utils import MetaKeys

from custom.errors import InputError

# Pixels `(X, Y, ...)`, spacing `(sx, sy)` in millimetres, NaN where the file does not say, and the affine to RAS.
Volume = tuple[np.ndarray, Sequence[float], np.ndarray]
Number = TypeVar("Number", int, float)
# Refuses the lengths of the axes, if they are too large.
Check = Callable[[Sequence[int]], None]

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
_TO_RAS = {
    "left-posterior-superior": (-1, -1, 1),
    "right-anterior-superior": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
}
_SPACES = {"lps": "left-posterior-superior", "ras": "right-anterior-superior", "las": "left-anterior-superior"}


# A header may be followed by extensions, of which none in use is as long.
_MOST_NIFTI_HEADER = 1 << 24
_NIFTI_HEADER = 348
# NIfTI's codes of the units that are not millimetres: metres and micrometres.
_NIFTI_UNITS = {1: 1e3, 3: 1e-3}


def read_nifti(file: Path, check: Check) -> Volume:
    """Read a NIfTI file, plain or in gzip.

    Raises:
        InputError: of `check`.
        ValueError: damaged.
    """
    with gzip.open(file) if file.name.lower().endswith(".gz") else file.open("rb") as stream:
        head = stream.read(_NIFTI_HEADER)
    first = nibabel.Nifti1Header(head, check=False)
    if not float(first["vox_offset"]) < _MOST_NIFTI_HEADER:
        raise ValueError("the header is longer than any")
    check(first.get_data_shape())
    reader = NibabelReader()
    pixels, header = reader.get_data(reader.read(file))
    unit = _NIFTI_UNITS.get(int(header["xyzt_units"]) & 7, 1.0)
    return pixels, header["pixdim"][1:3] * unit, np.diag([unit, unit, unit, 1.0]) @ header[MetaKeys.AFFINE]


def read_nrrd(file: Path, check: Check) -> Volume:
    """Read an NRRD file that holds its own pixels, raw or in gzip.

    Raises:
        InputError: of `check`, or the pixels lie in another file.
        ValueError: damaged, or of an encoding that is not read; of other kinds where a value makes no sense.
    """
    with file.open("rb") as stream:
        head = stream.read(_MOST_HEADER)
        if re.match(rb"NRRD000[1-5]\r?\n", head) is None:
            raise ValueError("no NRRD header")
        end = re.search(rb"\r?\n\r?\n", head)
        if end is None:
            raise ValueError("the header has no end")
        stream.seek(end.end())
        fields = _fields(head[: end.start()], ":")
        if {"data file", "datafile"} & fields.keys():
            raise InputError(f"{file}: its pixels lie in another file, expected them in this one; save it as one file")
        if any(int(fields.get(name, "0")) for name in ("line skip", "lineskip", "byte skip", "byteskip")):
            raise ValueError("pixels that do not follow the header")
        shape = _numbers(fields["sizes"], int)
        if len(shape) != int(fields["dimension"]):
            raise ValueError("as many sizes as axes expected")
        check(shape)
        code = np.dtype(_NRRD_TYPES[fields["type"].lower()])
        if code.itemsize > 1:
            code = np.dtype({"little": "<", "big": ">"}[fields["endian"].lower()] + code.str[1:])
        encoding = fields["encoding"].lower()
        if encoding not in ("raw", "gzip", "gz"):
            raise ValueError("an encoding other than raw and gzip")
        data = _exactly(stream.read, math.prod(shape) * code.itemsize, None if encoding == "raw" else 31)
    pixels = np.frombuffer(data, code).reshape(shape, order="F")
    return pixels, *_nrrd_place(fields, len(shape))


def _nrrd_place(fields: dict[str, str], axes: int) -> tuple[tuple[float, float], np.ndarray]:
    if "space directions" in fields:
        found = re.findall(r"none|\(([^)]*)\)", fields["space directions"])
        directions = [_numbers(vector.replace(",", " "), float) for vector in found if vector]
        space = fields.get("space", "").lower()
        signs = _TO_RAS.get(_SPACES.get(space, space), _TO_RAS["left-posterior-superior"])
        origin = _numbers(re.sub(r"[(),]", " ", fields.get("space origin", "0 " * len(directions[0]))), float)
        affine = _affine(np.array(directions).T, origin, signs)
        return (float(np.linalg.norm(directions[0])), float(np.linalg.norm(directions[1]))), affine
    steps = _numbers(fields["spacings"], float) if "spacings" in fields else [math.nan] * axes
    known = [step if math.isfinite(step) else 1.0 for step in steps]
    return (steps[0], steps[1]), _affine(np.diag(known), [0.0] * axes, _TO_RAS["left-posterior-superior"])


def read_meta_image(file: Path, check: Check) -> Volume:
    """Read a MetaImage, whose pixels lie in the file itself or in one file beside it.

    Raises:
        InputError: of `check`, or the pixels lie in another folder.
        ValueError: damaged, or of a kind that is not read; of other kinds where a value makes no sense.
    """
    with file.open("rb") as stream:
        head = stream.read(_MOST_HEADER)
        end = re.search(rb"(?:^|\n)ElementDataFile *= *([^\r\n]*?) *(?:\r?\n|$)", head)
        if end is None:
            raise ValueError("no header with an ElementDataFile")
        fields = _fields(head[: end.end()], "=")
        shape = _numbers(fields["dimsize"], int)
        if len(shape) != int(fields["ndims"]) or int(fields.get("elementnumberofchannels", "1")) != 1:
            raise ValueError("as many sizes as axes and one channel expected")
        check(shape)
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
            data = _from_beside(file, name, int(fields.get("headersize", "0")), length, packed)
    pixels = np.frombuffer(data, code).reshape(shape, order="F")
    steps = fields.get("elementspacing") or fields.get("elementsize")
    spacing = _numbers(steps, float) if steps else [math.nan] * len(shape)
    known = [step if math.isfinite(step) else 1.0 for step in spacing]
    turn = next((fields[name] for name in ("transformmatrix", "rotation", "orientation") if name in fields), None)
    directions = np.eye(len(shape)) if turn is None else np.reshape(_numbers(turn, float), (len(shape), -1)).T
    origin = next((fields[name] for name in ("offset", "position", "origin") if name in fields), "0 " * len(shape))
    affine = _affine(directions * known, _numbers(origin, float), _TO_RAS["left-posterior-superior"])
    return pixels, (spacing[0], spacing[1]), affine


def _from_beside(file: Path, name: str, skipped: int, length: int, packed: int | None) -> bytes:
    other = file.with_name(Path(name).name or "unnamed")
    if name != other.name or not other.resolve().is_relative_to(file.parent.resolve()):
        raise InputError(f"{file}: its pixels lie in another folder, expected them beside it; save it as one .mha file")
    if not other.is_file():
        raise ValueError("the file of its pixels is not there")
    with other.open("rb") as stream:
        if skipped == -1 and packed is None:
            skipped = other.stat().st_size - length
        stream.seek(skipped)
        return _exactly(stream.read, length, packed)


def _exactly(read: Callable[[int], bytes], length: int, packed: int | None) -> bytes:
    """So many bytes and no more, inflated where `packed` is zlib's number of the format."""
    if packed is None:
        data = read(length + 1)
    else:
        inflater, parts, found = zlib.decompressobj(packed), [], 0
        while not inflater.eof and found <= length:
            coded = inflater.unconsumed_tail or read(1 << 16)
            if not coded:
                break
            parts.append(inflater.decompress(coded, length + 1 - found))
            found += len(parts[-1])
        data = b"".join(parts)
        # zlib says at the end whether the checksum holds.
        if len(data) == length and not inflater.eof:
            inflater.decompress(inflater.unconsumed_tail + read(1 << 10), 1)
        if not inflater.eof:
            raise ValueError("the pixels are cut off, or there are more than the header says")
    if len(data) != length:
        raise ValueError("fewer or more pixels than the header says")
    return data


def _affine(directions: np.ndarray, origin: Sequence[float], signs: Sequence[int]) -> np.ndarray:
    """The affine `(4, 4)` of up to three axes; a picture of two lies flat."""
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


def _numbers(text: str, kind: Callable[[str], Number]) -> list[Number]:
    return [kind(part) for part in text.split()]


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")
