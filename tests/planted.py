"""Identifying attributes planted into DICOM files, and a search for them in whatever was made of the files."""

from __future__ import annotations

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pydicom
from PIL import Image
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

STEM = "VQZPLANT"
UID_ROOT = "1.2.826.0.1.4711471.83"
BIRTH_DATE, TIME = "19470823", "235947.716253"
# Attributes of all these kinds are planted, far more than the basic confidentiality profile lists (PS3.15 table E.1-1).
# Codes, numbers and ages are not: they are too short to be told from anything else.
TEXTS = ("AE", "LO", "LT", "SH", "ST", "UC", "UR", "UT")
# Before it stands what a file says of itself.
FIRST_GROUP = 0x0008
CODING = ("SOPClassUID",)

_MARKS = re.compile(
    rf"{STEM}[0-9A-Z]*|{re.escape(UID_ROOT)}[0-9.]*"
    r"|(?<![\d.])1947[-./ ]?08[-./ ]?23|(?<![\d.])23[-./ ]?08[-./ ]?1947|23:?59:?47\.7162",
    re.IGNORECASE,
)
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]\s*){24,}={0,2}")
_ZLIB_HEADER = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_PNG = re.compile(rb"\x89PNG\r\n\x1a\n")
# Text that a PDF or a page cuts into pieces: `[(Pla) 20 (nted)] TJ`, `Pla<b>nted</b>`.
_BETWEEN_PIECES = re.compile(r"\)[\s\d.-]*\(|<[^<>]*>")
_DEPTH = 3


def plant(file: Path, kept: Collection[str] = ()) -> None:
    """Fill a DICOM file with values that nothing made of it may hold.

    Every text, name, date, time and UID of the dictionary gets one, and so do a nested item, a private element, the
    file meta information and the preamble. The texts hold the tag of their attribute.

    Args:
        file: written in its place.
        kept: keywords of attributes to leave as they are.
    """
    dataset = pydicom.dcmread(file)
    for element in identifying():
        if element.keyword not in (*CODING, *kept):
            dataset[element.tag] = element
    dataset.SOPInstanceUID = f"{UID_ROOT}.{zlib.crc32(str(file).encode())}"
    item = Dataset()
    item.PatientID = item.IssuerOfPatientID = f"{STEM} ITEM"
    dataset.OtherPatientIDsSequence = Sequence([item])
    dataset.private_block(0x0099, f"{STEM} PRIVATE", create=True).add_new(1, "LO", f"{STEM}00990001")
    dataset.file_meta.SourceApplicationEntityTitle = f"{STEM}00020016"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.preamble = f"{STEM} PREAMBLE".encode().ljust(128, b"\0")
    dataset.save_as(file)


@cache
def identifying() -> tuple[DataElement, ...]:
    """Every attribute that can hold a text, a name, a date, a time or a UID, with the value to plant."""
    values = {
        **{kind: f"{STEM}{{tag:08X}}" for kind in TEXTS},
        "PN": f"{STEM}FAMILY^{STEM}GIVEN",
        "DA": BIRTH_DATE,
        "DT": BIRTH_DATE + TIME,
        "TM": TIME,
        "UI": f"{UID_ROOT}.{{tag}}",
    }
    return tuple(
        DataElement(tag, kind, values[kind].format(tag=tag))
        for tag, (kind, _, _, _, keyword) in DicomDictionary.items()
        if tag >> 16 >= FIRST_GROUP and keyword and kind in values
    )


def find_planted(content: bytes) -> set[str]:
    """The planted values in `content`, whatever it is: as text, in a zip, compressed, in base64, or one in another."""
    return {
        mark.group().upper() for layer in _layers(content) for text in _texts(layer) for mark in _MARKS.finditer(text)
    }


def _texts(content: bytes) -> Iterator[str]:
    plain = content.decode("latin-1")
    yield plain
    yield _BETWEEN_PIECES.sub("", plain)
    for order in ("le", "be"):
        for start in (0, 1):
            yield content[start:].decode(f"utf-16-{order}", errors="replace")


def _layers(content: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    """`content` and what can be unpacked from it."""
    yield content
    if depth:
        for inner in _unpacked(content):
            yield from _layers(inner, depth - 1)


def _unpacked(content: bytes) -> Iterator[bytes]:
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    whole = memoryview(content)
    for header in _ZLIB_HEADER.finditer(content):
        with suppress(zlib.error):
            yield zlib.decompressobj().decompress(whole[header.start() :])
    for picture in _PNG.finditer(content):
        with suppress(OSError, SyntaxError), Image.open(io.BytesIO(whole[picture.start() :])) as pixels:
            yield pixels.tobytes()
    for found in _BASE64.finditer(content):
        text = b"".join(found.group().split()).rstrip(b"=")
        yield base64.b64decode(text[: len(text) - (len(text) % 4 == 1)] + b"==")
