"""Cells and elements of a source write nothing outside the prepared data set, and entities are not resolved."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

from custom.errors import InputError
from scripts.common.tables import read_table
from scripts.prepare.inbreast_files import parse_point, read_rois
from scripts.prepare.manifest import prepare_manifest
from tests.helpers import snapshot, write_manifest

PLIST = b'<?xml version="1.0"?>%s<plist version="1.0"><dict><key>Images</key><string>%s</string></dict></plist>'


@pytest.mark.promise("No cell of a table makes a file outside the prepared data set")
@pytest.mark.parametrize("cell", ["../../escaped", "/tmp/escaped", "..", "a/b", "a\\b", "a\0b"])
def test_a_lesion_that_is_called_after_another_folder(tmp_path: Path, cell: str) -> None:
    table = write_manifest(tmp_path / "raw", patients=1)
    with table.open(newline="") as stream:
        rows = [row | {"lesion_id": cell} for row in csv.DictReader(stream)]
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match=r"manifest\.csv, row 2: lesion_id"):
        prepare_manifest(str(table), str(tmp_path / "prepared"))
    assert snapshot(tmp_path) == before


def test_an_image_above_the_table_is_linked_inside_the_data_set(tmp_path: Path) -> None:
    table = write_manifest(tmp_path / "raw", patients=1)
    (tmp_path / "raw" / "images").rename(tmp_path / "images")
    table.write_text(table.read_text().replace("images/", "../images/"))
    before = snapshot(tmp_path)
    prepare_manifest(str(table), str(tmp_path / "prepared"))
    after = snapshot(tmp_path)
    assert {name: after[name] for name in before} == before
    assert {Path(name).parts[0] for name in after.keys() - before.keys()} == {"prepared"}


def test_cells_beyond_the_heading(tmp_path: Path) -> None:
    assert read_table(b"image\na,b,c\n", tmp_path / "a.csv", ("image",)) == [{"image": "a"}]


@pytest.mark.promise("Neither entities nor files that an XML file names are resolved")
def test_neither_entities_nor_files_are_resolved(tmp_path: Path) -> None:
    laughs = b"".join(
        b'<!ENTITY e%d "%s">' % (level, b"&e%d;" % (level - 1) * 10 if level else b"ha") for level in range(20)
    )
    (tmp_path / "secret").write_text("secret words")
    outside = f'<!ENTITY e19 SYSTEM "file://{tmp_path}/secret">'.encode()
    for entities in (laughs, outside):
        began = time.monotonic()
        with pytest.raises(InputError, match=r"AllXML/1\.xml: not a property list") as caught:
            read_rois(tmp_path / "AllXML" / "1.xml", PLIST % (b"<!DOCTYPE plist [%s]>" % entities, b"&e19;"))
        assert "secret words" not in str(caught.value)
        assert time.monotonic() - began < 1


def test_a_point_of_endless_digits_takes_no_time() -> None:
    began = time.monotonic()
    assert parse_point("(" + "1" * 100_000 + "x") is None
    assert time.monotonic() - began < 1
