from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custom.data import Datalist
from custom.errors import InputError
from scripts.report.blocks import Figures, NotThere, Table
from scripts.report.cohort import audit, cohort, kind_of_reason
from scripts.report.sources import StudyResults
from tests.scripts.report.bare_run import evaluation, lesion, run_of


def entries(*birads: str) -> list[dict[str, Any]]:
    files = {"image": "images/a.png", "label": "masks/a.png"}
    return [files | {"lesion_id": f"L_{n}", "patient_id": "P", "birads": value} for n, value in enumerate(birads)]


def data(folder: Path, name: str = "small", split: str = "patient", **parts: list[dict[str, Any]]) -> Datalist:
    file = folder / "datalists" / f"{split}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"name": name, "source": "made up", **parts}))
    return Datalist(folder, split)


def test_shares_of_each_part(tmp_path: Path):
    small = data(tmp_path, training=entries("3", "4", "4", "4"), validation=[], test=entries("5", "N/A", ""))
    (block,) = cohort(replace(run_of(), data=small))
    assert isinstance(block, Figures)
    # Nothing is known of the density.
    (figure,) = block.figures
    assert figure.name == "birads_of_small_patient"
    axes = figure.drawing.get_axes()[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3", "4", "5"]
    assert {str(bars.get_label()): [bar.get_height() for bar in bars] for bars in axes.containers} == {
        "training (n = 4)": [25, 75, 0],
        "test (n = 1)": [0, 0, 100],
    }
    assert figure.caption == "small, split patient. Without a known value and left out: 2 lesions."
    assert "training 25 % 3, 75 % 4, 0 % 5; test 0 % 3, 0 % 4, 100 % 5" in figure.alt


def test_each_data_set_is_shown_once(tmp_path: Path):
    small = data(tmp_path, training=entries("3"))
    other = data(tmp_path / "other", "other", "test", test=entries("4"))
    of_own, of_other = evaluation("e", [lesion(0)]), evaluation("o", [lesion(0)], dataset_dir="/data/o", split="test")
    run = replace(run_of(replace(of_own, data=small), replace(of_other, data=other)), data=small)
    for source in (run, StudyResults(tmp_path, {"a": [run, run]})):
        (block,) = cohort(source)
        assert isinstance(block, Figures)
        assert [figure.name for figure in block.figures] == ["birads_of_small_patient", "birads_of_other_test"]


def test_data_that_are_gone_are_told():
    for section in (cohort, audit):
        with pytest.raises(NotThere, match="--dataset_dir"):
            section(run_of(evaluation("e", [lesion(0)])))
        assert section(StudyResults(Path("denoising"), {})) == []


def test_the_audit_counts_kinds_of_reasons(tmp_path: Path):
    rows = [
        ("a", "paired", ""),
        ("b", "paired", ""),
        ("c", "quarantined", "no mask: CBIS-DDSM/c/1-2.dcm: the mask is empty"),
        ("d", "quarantined", '"no mask: no file of d found, fetch it"'),
    ]
    lines = ["lesion_id,status,reason,more", *(f"{','.join(row)},x" for row in rows)]
    (tmp_path / "audit.csv").write_text("\n".join(lines))
    run = replace(run_of(), data=data(tmp_path))
    (table,) = audit(run)
    assert isinstance(table, Table)
    assert table.rows == [["paired", "", "2"], ["quarantined", "no mask", "2"]]
    assert "the 4 lesions in the table of its source: 2 paired, 2 quarantined." in table.caption


def test_rare_reasons_are_counted_together(tmp_path: Path):
    reasons = [f"quarantined,fault {chr(97 + number)}" for number in range(22)]
    (tmp_path / "audit.csv").write_text("\n".join(["status,reason", "quarantined,fault a", *reasons]))
    (table,) = audit(replace(run_of(), data=data(tmp_path)))
    assert isinstance(table, Table)
    assert table.rows[0] == ["quarantined", "fault a", "2"]
    assert len(table.rows) == 21
    assert table.rows[-1] == ["", "2 rarer reasons", "2"]


def test_a_damaged_audit_is_refused(tmp_path: Path):
    (tmp_path / "audit.csv").write_text("lesion_id\nx\n")
    with pytest.raises(InputError, match=r"audit\.csv: cannot be read as an audit"):
        audit(replace(run_of(), data=data(tmp_path)))


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("no mask: CBIS-DDSM/P_1/10-04-2016-DDSM-NA-8/1.000-ROI mask images-1/1-2.dcm: the mask is empty", "no mask"),
        ("no mammogram: no file of P_00001_LEFT_CC found; fetch its series", "no mammogram"),
        ("mask resampled: mask 276 x 414, image 240 x 360 (columns x rows): resized by 0.870", "mask resampled"),
        ("two masks: a/1-2.dcm and a/1-8.dcm differ and each agrees with a crop; take the wrong one away", "two masks"),
        (
            "masks/T_0.png: mask 100 x 200, image 150 x 300 (columns x rows): resized by 1.500",
            "mask … x …, image … x … (columns x rows): resized by …",
        ),
        ("masks/empty.png: the mask is empty", "the mask is empty"),
        ("AllXML/13.xml: cannot be read (Is a directory)", "cannot be read (Is a directory)"),
        ("2 files of image 12 in AllDICOMs, expected one", "… files of image … in AllDICOMs, expected one"),
        (
            "164 of 259 points outside the image of 120 x 150 (columns x rows): cut off at its edge",
            "… of … points outside the image of … x … (columns x rows): cut off at its edge",
        ),
        ("fewer than 3 points: 2", "fewer than … points: …"),
        ("box (5, 5, 5, 20): expected x0 < x1 and y0 < y1", "box (…): expected … < … and … < …"),
        ("no patient_id; a split by patient needs one", "no patient_id; a split by patient needs one"),
        ("/home/of somebody/a.png", "…"),
    ],
)
def test_a_kind_of_reason_names_no_lesion(reason: str, kind: str):
    assert kind_of_reason(reason) == kind
