from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import itk
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monai.data import load_decathlon_datalist

from custom.data import Datalist
from custom.errors import InputError
from custom.files import write_if_changed
from custom.readers import read_mask
from scripts.common.tables import read_table
from scripts.prepare import manifest, output
from scripts.prepare.manifest import REQUIRED, judge_lesions, mammogram_names, prepare_manifest
from tests.helpers import snapshot, write_manifest, write_png


def change(table: Path, edit: Callable[[list[dict[str, str]]], None]) -> None:
    with table.open() as file:
        rows = list(csv.DictReader(file))
    edit(rows)
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)


def audit(dataset: Path) -> dict[str, dict[str, str]]:
    with (dataset / "audit.csv").open() as file:
        return {row["lesion_id"]: row for row in csv.DictReader(file)}


def test_the_contract(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=6)
    prepare_manifest(str(table), str(tmp_path / "out"))
    image = tmp_path / "out" / "images" / "T_000_LEFT_CC.png"
    assert image.samefile(tmp_path / "raw" / "images" / image.name)
    mask = cv2.imread(str(tmp_path / "out" / "masks" / "T_000_LEFT_CC_1.png"), cv2.IMREAD_UNCHANGED)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, cv2.imread(str(tmp_path / "raw" / "masks" / image.name), cv2.IMREAD_UNCHANGED))
    assert {file.stem for file in (tmp_path / "out" / "datalists").iterdir()} == {
        "patient",
        "paper",
        *(f"fold{number}" for number in range(5)),
    }
    lesion = Datalist(tmp_path / "out", "patient").part("training")[0]
    assert {"image", "label", "lesion_id", "patient_id", "laterality", "view", "birads", "density", "pathology"} == set(
        lesion
    )
    rows = audit(tmp_path / "out")
    assert list(rows["T_000_LEFT_CC_1"])[:3] == ["lesion_id", "status", "reason"]
    assert len(rows) == 12
    assert {row["status"] for row in rows.values()} == {"paired"}


def test_a_repetition_writes_nothing_and_an_interruption_is_finished(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=5)
    prepare_manifest(str(table), str(tmp_path / "out"))
    before = snapshot(tmp_path / "out")
    prepare_manifest(str(table), str(tmp_path / "out"))
    assert snapshot(tmp_path / "out") == before
    for name in ("audit.csv", "datalists/patient.json", "masks/T_001_LEFT_CC_1.png", "images/T_002_LEFT_MLO.png"):
        (tmp_path / "out" / name).unlink()
    prepare_manifest(str(table), str(tmp_path / "out"))
    after = snapshot(tmp_path / "out")
    assert {name: content for name, (content, _) in after.items()} == {
        name: content for name, (content, _) in before.items()
    }


def test_copies_are_files_of_their_own(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=3)
    for _ in range(2):
        prepare_manifest(str(table), str(tmp_path / "out"), copy=True)
        image = tmp_path / "out" / "images" / "T_000_LEFT_CC.png"
        original = tmp_path / "raw" / "images" / image.name
        assert not image.samefile(original)
        assert image.read_bytes() == original.read_bytes()


def test_symbolic_links_where_hard_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    table = write_manifest(tmp_path / "raw", patients=3)
    prepare_manifest(str(table), str(tmp_path / "out"))
    image = tmp_path / "out" / "images" / "T_000_LEFT_CC.png"
    assert image.is_symlink()
    assert image.samefile(tmp_path / "raw" / "images" / image.name)


@pytest.mark.promise("Own data: a mask without a pixel in the lesion's box is quarantined")
def test_a_mask_that_has_nothing_of_its_box_is_of_another_lesion(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=6)
    mask = read_mask(table.parent / "masks" / "T_000_LEFT_CC.png")
    x1 = int(np.flatnonzero(mask.any(1))[-1])
    y0, y1 = np.flatnonzero(mask.any(0))[[0, -1]].tolist()

    def box(rows: list[dict[str, str]]) -> None:
        rows[0] |= {"x0": str(x1 + 1), "y0": str(y0), "x1": str(x1 + 3), "y1": str(y1 + 1)}
        rows[1] |= dict.fromkeys(("x0", "y0", "x1", "y1"), "")

    change(table, box)
    prepare_manifest(str(table), str(tmp_path / "beside"))
    first, *others = audit(tmp_path / "beside").values()
    assert f"has no pixel in the box ({x1 + 1}, {y0}," in first["reason"]
    assert {row["status"] for row in others} == {"paired"}
    change(table, lambda rows: rows[0].update(x0=str(x1)))
    prepare_manifest(str(table), str(tmp_path / "touching"))
    assert next(iter(audit(tmp_path / "touching").values()))["status"] == "paired"


def test_every_fault_is_one_quarantined_row(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=9)
    raw = table.parent

    def spoil(rows: list[dict[str, str]]) -> None:
        columns_rows = cv2.imread(str(raw / rows[1]["image"]), cv2.IMREAD_UNCHANGED).shape[::-1]
        write_png(raw / "masks/empty.png", np.zeros(columns_rows, np.uint8))
        write_png(raw / "masks/full.png", np.full(columns_rows, 255, np.uint8))
        write_png(raw / "masks/other.png", np.eye(50, dtype=np.uint8) * 255)
        write_png(raw / "masks/grey.png", np.arange(100, dtype=np.uint8).reshape(10, 10))
        (raw / "images/cut.png").write_bytes((raw / rows[6]["image"]).read_bytes()[:500])
        rows[0]["patient_id"] = ""
        rows[1]["mask"] = "masks/empty.png"
        rows[2]["mask"] = "masks/other.png"
        rows[3]["mask"] = "masks/grey.png"
        rows[4]["mask"] = "masks/nowhere.png"
        rows[5]["image"] = "images/nowhere.png"
        rows[6]["image"] = "images/cut.png"
        rows[7] |= {"x0": "5", "y0": "5", "x1": "900", "y1": "20"}
        rows[8] |= {"x0": "5", "y0": "5", "x1": "5", "y1": "20"}
        rows[9] |= {"x0": "5", "y0": "a", "x1": "7", "y1": "20"}
        rows[10]["mask"] = ""
        rows[11] |= {"x0": "5", "y0": "6.5", "x1": "70", "y1": "80"}
        # ITK writes its pixels to two.raw beside it.
        frame = cv2.imread(str(raw / rows[12]["image"]), cv2.IMREAD_UNCHANGED)
        itk.imwrite(itk.image_from_array(frame), str(raw / "images/two.mhd"))
        rows[12]["image"] = "images/two.mhd"

    change(table, spoil)
    change(
        table, lambda rows: rows[1].update(mask="masks/full.png") or rows.append(rows[1] | {"mask": "masks/empty.png"})
    )
    prepare_manifest(str(table), str(tmp_path / "out"))
    rows = list(audit(tmp_path / "out").values())
    reasons = [row["reason"] for row in rows]
    for number, text in enumerate(
        (
            "no patient_id",
            "masks/full.png: the mask covers the whole frame",
            "masks/other.png: mask 50 x 50, image",
            "masks/grey.png: the mask has many grey values, expected two",
            "masks/nowhere.png: no such file",
            "images/nowhere.png: no such file",
            "images/cut.png: cannot be decoded",
            "box (5, 5, 900, 20) leaves the frame",
            "box (5, 5, 5, 20): expected x0 < x1",
            "box (5, a, 7, 20): expected four numbers",
            "the table names no file",
            "",
            "images/two.mhd: found a MetaImage whose pixels lie in another file; save it as one .mha file",
        )
    ):
        assert text in reasons[number]
        assert (rows[number]["status"] == "quarantined") == bool(text)
        assert str(raw) not in reasons[number]
    assert "the mask is empty" in reasons[-1]
    assert len(rows) == 19
    usable = [row for row in rows if row["status"] == "paired"]
    listed = [
        lesion
        for part in ("training", "validation", "test")
        for lesion in json.loads((tmp_path / "out" / "datalists" / "patient.json").read_text())[part]
    ]
    assert {lesion["lesion_id"] for lesion in listed} == {row["lesion_id"] for row in usable}
    assert [lesion["box"] for lesion in listed if "box" in lesion] == [[5, 6.5, 70, 80]]


def test_a_mask_of_another_pitch_is_repaired(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=3)
    mask = np.zeros((100, 200), np.uint8)
    mask[20:40, 60:140] = 1  # 0 and 1 are as good as 0 and 255
    write_png(table.parent / "images" / "T_000_LEFT_CC.png", np.tile(np.arange(150, dtype=np.uint8)[:, None], 300))
    write_png(table.parent / "masks" / "T_000_LEFT_CC.png", mask)
    prepare_manifest(str(table), str(tmp_path / "out"))
    row = audit(tmp_path / "out")["T_000_LEFT_CC_1"]
    assert row["status"] == "repaired"
    assert row["reason"].endswith("mask 100 x 200, image 150 x 300 (columns x rows): resized by 1.500")
    repaired = cv2.imread(str(tmp_path / "out" / "masks" / "T_000_LEFT_CC_1.png"), cv2.IMREAD_UNCHANGED).T
    expected = np.zeros((150, 300), np.uint8)
    expected[30:60, 90:210] = 255
    np.testing.assert_array_equal(repaired, expected)


def test_the_tables_own_split(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=3)
    parts = dict(zip(("T_000", "T_001", "T_002"), ("training", "validation", "TEST"), strict=True))
    change(table, lambda rows: [row.update(split=parts[row["patient_id"]]) for row in rows])
    prepare_manifest(str(table), str(tmp_path / "out"))
    for patient, part in parts.items():
        assert {lesion["patient_id"] for lesion in Datalist(tmp_path / "out", "table").part(part.lower())} == {patient}


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (lambda rows: [row.pop("mask") for row in rows], "column mask is missing; found image, patient_id"),
        (lambda rows: rows.clear() or rows.append({}), "column image, mask, patient_id is missing"),
        (lambda rows: [row.update(lesion_id="same") for row in rows], "row 3: lesion_id same stands twice"),
        (lambda rows: rows[0].update(lesion_id="../a"), "row 2: lesion_id '../a'; expected letters"),
        (
            lambda rows: [row.update(split="train") for row in rows],
            "row 2: split 'train'; expected training, validation",
        ),
        (
            lambda rows: [row.update(split=("test", "training")[number % 2]) for number, row in enumerate(rows)],
            "row 3: patient T_000 is in training and in test",
        ),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, edit: Callable, line: str):
    table = write_manifest(tmp_path / "raw", patients=3)
    change(table, edit)
    with pytest.raises(InputError) as caught:
        prepare_manifest(str(table), str(tmp_path / "out"))
    assert line in str(caught.value)
    assert str(table) in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_relative_symbolic_link_is_followed(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=3)
    image = table.parent / "images" / "T_000_LEFT_CC.png"
    (tmp_path / "store").mkdir()
    stored = image.rename(tmp_path / "store" / "x.png")
    image.symlink_to(Path("../../store/x.png"))
    prepare_manifest(str(table), str(tmp_path / "out"))
    assert (tmp_path / "out" / "images" / image.name).samefile(stored)


def test_a_heading_that_stands_twice(tmp_path: Path):
    table = tmp_path / "manifest.csv"
    table.write_text("image,mask,note,note,patient_id\na,b,c,d,e\n")
    with pytest.raises(InputError, match="column note stands twice"):
        prepare_manifest(str(table), str(tmp_path / "out"))


def test_datalists_that_are_no_longer_made_go(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=6)
    prepare_manifest(str(table), str(tmp_path / "out"))
    change(table, lambda rows: rows.__delitem__(slice(8, None)))  # four patients are too few for five folds
    prepare_manifest(str(table), str(tmp_path / "out"))
    assert {file.stem for file in (tmp_path / "out" / "datalists").iterdir()} == {"paper", "patient"}


@pytest.mark.promise("A preparation from changed input that is interrupted leaves no datalists of the earlier one")
def test_datalists_are_of_the_masks_that_lie_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table, out = write_manifest(tmp_path / "raw", patients=6), tmp_path / "out"
    prepare_manifest(str(table), str(out))
    before = snapshot(out)
    mask = table.parent / "masks" / "T_003_LEFT_CC.png"
    write_png(mask, np.roll(read_mask(mask), 1, axis=0) * np.uint8(255))

    def interrupt(image: str, *others: object):
        if image == "images/T_005_LEFT_CC.png":
            raise KeyboardInterrupt
        return judge_lesions(image, *others)

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "judge_lesions", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare_manifest(str(table), str(out))
    after = snapshot(out)
    assert after["masks/T_003_LEFT_CC_1.png"] != before["masks/T_003_LEFT_CC_1.png"]
    assert not list((out / "datalists").iterdir())
    prepare_manifest(str(table), str(out))
    assert snapshot(out).keys() == before.keys()


@pytest.mark.parametrize("changed", ["nothing", "density"])
def test_an_interruption_between_two_datalists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str):
    table, out = write_manifest(tmp_path / "raw", patients=6), tmp_path / "out"
    prepare_manifest(str(table), str(out))
    before = snapshot(out)
    if changed == "density":
        change(table, lambda rows: [row.update(density="3") for row in rows])
    written = []

    def interrupt(file: Path, content: bytes) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(file)
        write_if_changed(file, content)

    with monkeypatch.context() as patch:
        patch.setattr(output, "write_if_changed", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare_manifest(str(table), str(out))
    left = {name: state for name, state in snapshot(out).items() if name.startswith("datalists")}
    if changed == "nothing":
        assert snapshot(out) == before
    else:
        assert len(left) == 2
        assert not any(state == before[name] for name, state in left.items())


def test_datalists_that_were_written_before_an_interruption_stay(tmp_path: Path):
    table, out = write_manifest(tmp_path / "raw", patients=6), tmp_path / "out"
    prepare_manifest(str(table), str(out))
    before = snapshot(out)
    (out / "datalists" / "patient.json").unlink()
    prepare_manifest(str(table), str(out))
    after = snapshot(out)
    assert {name for name in before if after[name] != before[name]} == {"datalists/patient.json"}


def test_what_is_not_known_is_no_path_to_monai(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=3)
    change(table, lambda rows: [row.update(pathology="", note="") for row in rows])
    prepare_manifest(str(table), str(tmp_path / "out"))
    file = tmp_path / "out" / "datalists" / "patient.json"
    (lesion, *_) = load_decathlon_datalist(file, data_list_key="training", base_dir=tmp_path / "out")
    assert (lesion["pathology"], lesion["note"]) == ("N/A", "N/A")


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=3)
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="out: cannot be written"):
        prepare_manifest(str(table), str(tmp_path / "out"))


def test_nothing_usable(tmp_path: Path):
    table = write_manifest(tmp_path / "raw", patients=1)
    change(table, lambda rows: [row.update(patient_id="") for row in rows])
    with pytest.raises(InputError, match="no lesion is usable"):
        prepare_manifest(str(table), str(tmp_path / "out"))
    assert len(audit(tmp_path / "out")) == 2


@pytest.mark.parametrize("patients", [2, 3])
def test_too_few_patients_for_a_split_are_told(tmp_path: Path, capsys: pytest.CaptureFixture, patients: int):
    prepare_manifest(str(write_manifest(tmp_path / "raw", patients=patients)), str(tmp_path / "out"))
    assert ("no split, and so nothing to train on: it takes lesions of three patients" in capsys.readouterr().out) == (
        patients < 3
    )
    assert (tmp_path / "out" / "datalists" / "patient.json").is_file() == (patients == 3)


def test_the_folder_of_another_data_set_stays_as_it_is(tmp_path: Path):
    """Also where a datalist is damaged, as long as one can be read."""
    prepare_manifest(str(write_manifest(tmp_path / "one", patients=3)), str(tmp_path / "out"))
    (tmp_path / "out" / "datalists" / "paper.json").write_text("{")
    before = snapshot(tmp_path / "out")
    other = write_manifest(tmp_path / "two", patients=4).rename(tmp_path / "two" / "others.csv")
    with pytest.raises(
        InputError, match=r"out: holds a data set from manifest .*, expected one from manifest others\.csv"
    ):
        prepare_manifest(str(other), str(tmp_path / "out"))
    assert snapshot(tmp_path / "out") == before


def test_no_table(tmp_path: Path):
    with pytest.raises(InputError, match=r"nowhere\.csv: cannot be read"):
        prepare_manifest(str(tmp_path / "nowhere.csv"), str(tmp_path / "out"))


cell = st.text(st.characters(codec="utf-8", exclude_characters='\r\0"', exclude_categories=["Cc", "Zs"]), min_size=1)


@given(
    st.lists(st.tuples(cell, cell, cell), min_size=1), st.sampled_from(["", "\ufeff"]), st.sampled_from(["", " ", "\n"])
)
def test_cells_are_stripped(rows: list[tuple[str, str, str]], mark: str, space: str):
    def quoted(text: str) -> str:
        return f'"{text}{space}"'

    lines = [",".join(quoted(text) for text in ("image", "mask", "patient_id"))]
    lines += [",".join(quoted(text) for text in row) for row in rows]
    read = read_table((mark + "\n".join(lines)).encode(), Path("table.csv"), REQUIRED)
    assert [tuple(row.values()) for row in read] == [tuple(text.strip() for text in row) for row in rows]


@given(st.sets(st.text("ab /.-é", min_size=1).map(lambda name: f"{name}x.png"), min_size=1))
def test_names_are_safe_and_each_its_own(images: set[str]):
    names = mammogram_names(images)
    assert set(names) == images
    assert len(set(names.values())) == len(images)
    assert all(name and set(name) <= set("abx._-0123456789mogr") for name in names.values())
