"""No identifying attribute of a DICOM file reaches anything that is written or said of it."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pydicom
import pytest
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin
from planted import BIRTH_DATE, STEM, UID_ROOT, find_planted, plant
from pydicom.datadict import dictionary_VR, tag_for_keyword

from custom.errors import InputError
from custom.readers import read_pixels
from scripts.phantoms import phantoms
from scripts.prepare.cbis_ddsm import prepare_cbis_ddsm
from scripts.prepare.inbreast import prepare_inbreast
from scripts.report.command import report

pytestmark = pytest.mark.slow

SIZE = [160, 240]


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", content)
    return file.getvalue()


def png(pixels: bytes = b"", text: str = "") -> bytes:
    file, notes = io.BytesIO(), PngImagePlugin.PngInfo()
    notes.add_text("Comment", text, zip=True)
    whole = np.frombuffer(pixels.ljust(500, b"\0"), np.uint8).reshape(5, 100)
    Image.fromarray(whole).save(file, "png", pnginfo=notes)
    return file.getvalue()


def figure(text: str) -> bytes:
    file, drawn = io.BytesIO(), Figure()
    drawn.text(0.1, 0.5, f"Case {text}")
    drawn.savefig(file, format="pdf")
    return file.getvalue()


HIDDEN: dict[str, Callable[[str], bytes]] = {
    "text": lambda value: f"name: {value.lower()}!".encode(),
    "UTF-16": lambda value: b"\0" + value.encode("utf-16"),
    "compressed": lambda value: b"stream\n" + zlib.compress(value.encode()) + b"\nendstream",
    "a PDF's pieces": lambda value: zlib.compress(f"[({value[:3]}) 20 ({value[3:]})] TJ".encode()),
    "a figure's PDF": figure,
    "zip": lambda value: zipped(value.encode()),
    "data URI": lambda value: (
        b'<img src="data:image/svg+xml;base64,' + base64.b64encode(f"<text>{value}</text>".encode()) + b'">'
    ),
    "PNG text": lambda value: png(text=value),
    "PNG pixels": lambda value: png(pixels=value.encode()),
    "PNG in a page": lambda value: b"base64," + base64.b64encode(png(text=value)),
}


@pytest.mark.promise("The search for planted values finds them in text, UTF-16, zip, PDF, PNG, compressed and base64")
@pytest.mark.parametrize("kind", HIDDEN)
@pytest.mark.parametrize("value", [f"{STEM}00100010", BIRTH_DATE, f"{UID_ROOT}.5"])
def test_what_is_hidden_is_found(kind: str, value: str):
    assert find_planted(HIDDEN[kind](value)) >= {value}
    assert not find_planted(HIDDEN[kind]("a lesion of 1947 pixels, 08.23"))


def damaged(content: bytes, keyword: str, value: bytes | None, grown: int, kind: str | None = None) -> bytes:
    """An explicit little endian DICOM file with another value of one attribute.

    Args:
        content: of the sound file.
        keyword: of the attribute.
        value: None for the one that it has.
        grown: bytes of what follows that its length takes in.
        kind: its value representation; None for the one that it has.
    """
    tag, known = tag_for_keyword(keyword), dictionary_VR(keyword)
    start = content.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF) + known.encode()) + 4
    (length,) = struct.unpack_from("<H", content, start + 2)
    value = content[start + 4 : start + 4 + length] if value is None else value
    head = (kind or known).encode() + struct.pack("<H", len(value) + grown)
    return content[:start] + head + value + content[start + 4 + length :]


@pytest.fixture
def downloads(tmp_path: Path) -> dict[str, Path]:
    """Two downloads whose every DICOM file is full of planted values; CBIS-DDSM's PatientID is the name of a lesion."""
    sources = {}
    for layout, kept in (("cbis_ddsm", ("PatientID",)), ("inbreast", ())):
        sources[layout] = tmp_path / "downloads" / layout
        phantoms(str(sources[layout]), layout, patients=6, image_size=[160, 240], views=["CC"])
        for file in sources[layout].rglob("*.dcm"):
            plant(file, kept)
            assert {f"{STEM}GIVEN", f"{STEM}00081030", BIRTH_DATE} < find_planted(file.read_bytes())
    return sources


@pytest.mark.promise(
    "Of DICOM files full of planted names, dates, texts and UIDs, prepared as both data sets, trained on, "
    "evaluated, predicted and reported, nothing written or said holds a planted value"
)
def test_nothing_that_is_written_holds_what_was_planted(
    downloads: dict[str, Path],
    train: Callable[..., Path],
    as_program: Callable,
    scheduler: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture,
    caplog: pytest.LogCaptureFixture,
):
    sets = {name: tmp_path / f"prepared_{name}" for name in downloads}
    # Some are damaged, so that messages are written as well.
    for name, files, keyword in (
        ("cbis_ddsm", "*Training_P_00002_*/*/*full*/*.dcm", "Rows"),
        ("inbreast", "*_R_*.dcm", "PixelRepresentation"),
    ):
        for file in downloads[name].rglob(files):
            file.write_bytes(damaged(file.read_bytes(), keyword, f"{STEM}FAMILY".encode(), 0, "IS"))
    prepare_cbis_ddsm(str(downloads["cbis_ddsm"]), str(sets["cbis_ddsm"]), scheduler=scheduler)
    prepare_inbreast(str(downloads["inbreast"]), str(sets["inbreast"]), scheduler=scheduler)
    assert all("quarantined" in (folder / "audit.csv").read_text() for folder in sets.values())
    run = train(sets["cbis_ddsm"], split="official", epochs=1)
    for name, split in (("cbis_ddsm", "official"), ("inbreast", "test")):
        for program in ("evaluating", "inference"):
            as_program("monai.bundle", "run", args_file=run / f"{program}.json", dataset_dir=sets[name], split=split)
    report(source=str(run), output=str(tmp_path / "runs" / "report.html"))
    said = "".join([*capfd.readouterr(), caplog.text])
    assert "Epoch[1] Complete" in said
    assert not find_planted(said.encode())

    written = [
        file
        for folder in (*sets.values(), tmp_path / "runs")
        for file in folder.rglob("*")
        if file.is_file() and file.parent not in [folder / "images" for folder in sets.values()]
    ]
    # Tables, datalists and args, masks and predictions, cached lesions and models, events, report and figures.
    assert {file.suffix for file in written} >= {".csv", ".json", ".png", ".pt", ".html", ".pdf"}
    assert any("tfevents" in file.name for file in written)
    found = {str(file.relative_to(tmp_path)): find_planted(file.read_bytes()) for file in written}
    assert not {file: values for file, values in found.items() if values}


DECODING = (
    "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "BitsAllocated", "BitsStored",
    "PixelRepresentation", "RescaleSlope", "ImagerPixelSpacing",
)  # fmt: skip


@pytest.mark.promise("No message about a damaged DICOM header holds a planted value")
@pytest.mark.parametrize("keyword", DECODING)
def test_the_message_about_a_damaged_header_does_not_tell_what_it_holds(
    tmp_path: Path, keyword: str, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
):
    phantoms(str(tmp_path), "inbreast", patients=1, image_size=[160, 240], views=["CC"])
    file = next(tmp_path.rglob("*.dcm"))
    dataset = pydicom.dcmread(file)
    dataset.NumberOfFrames, dataset.RescaleSlope = 1, 1
    dataset.save_as(file)
    plant(file)
    whole, said = file.read_bytes(), []
    values = (None, f"{STEM}FAMILY^{STEM}".encode(), f"it's {STEM}\n'{STEM}".encode())
    for value, grown, kind in product(values, (0, 60, 300), (None, "LO", "PN", "IS", "DS")):
        file.write_bytes(damaged(whole, keyword, value, grown, kind))
        try:
            read_pixels(file)
        except InputError as error:
            said.append(str(error))
    assert said
    assert not find_planted("\n".join([*said, caplog.text, *(str(warning.message) for warning in recwarn)]).encode())
