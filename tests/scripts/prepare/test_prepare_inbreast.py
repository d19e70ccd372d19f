from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from monai.data import load_decathlon_datalist

from custom.data import Datalist
from custom.errors import InputError, find_input_error
from custom.readers import MammogramReader
from scripts.common.phantom.cohort import draw_patient
from scripts.common.phantom.generate import generate_phantom
from scripts.phantoms.inbreast import (
    DEFECTS,
    RELEASE,
    InbreastImage,
    encode_annotation,
    hash_patient,
    outline,
    region,
    write_inbreast,
    write_tree,
)  # fmt: skip
from scripts.prepare import inbreast, output
from scripts.prepare.datalists import inbreast_datalist
from scripts.prepare.inbreast import prepare_inbreast
from scripts.prepare.inbreast_files import parse_image_name, parse_point, rasterise, read_sheet
from tests.helpers import ROOT, snapshot

COLUMNS, ROWS = 120, 150
# An L that no flip, turn or transposition maps onto itself: corners, and the pixels that it covers, edges included.
CORNERS = [(40, 20), (100, 20), (100, 30), (50, 30), (50, 90), (40, 90)]
L_SHAPE = np.zeros((COLUMNS, ROWS), np.uint8)
L_SHAPE[40:101, 20:31] = L_SHAPE[40:51, 20:91] = 255


def square(x: int, y: int, side: int = 10) -> np.ndarray:
    mask = np.zeros((COLUMNS, ROWS), np.uint8)
    mask[x : x + side, y : y + side] = 255
    return mask


def mammogram(image_id: int, *masks: np.ndarray, **other: object) -> InbreastImage:
    """An image of noise, brighter where a mask `(X, Y)` is."""
    values = np.random.default_rng(image_id).integers(100, 8000, (COLUMNS, ROWS))
    values += 8000 * (np.maximum.reduce([np.zeros((COLUMNS, ROWS), np.uint8), *masks]) > 0)
    settings: dict[str, object] = {"laterality": "LEFT", "view": "MLO", "birads": "4a", "density": "3"}
    return InbreastImage(
        image_id=str(image_id),
        patient=f"P{image_id // 10}",
        image=np.ascontiguousarray(values.T.astype(np.uint16)),
        masks=tuple(np.ascontiguousarray(mask.T) for mask in masks),
        **settings | other,
    )


def audit(dataset: Path) -> dict[str, dict[str, str]]:
    with (dataset / "audit.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({row["lesion_id"] for row in rows}) == len(rows)
    return {row["lesion_id"]: row for row in rows}


def read_mask(dataset: Path, lesion: str) -> np.ndarray:
    mask = cv2.imread(str(dataset / "masks" / f"{lesion}.png"), cv2.IMREAD_UNCHANGED)
    assert mask.dtype == np.uint8
    return mask.T


@pytest.fixture
def prepare(scheduler: str, tmp_path: Path) -> Callable[..., Path]:
    def run(*mammograms: InbreastImage, defects: tuple[str, ...] = (), **flags: bool) -> Path:
        if mammograms:
            write_tree(tmp_path / "raw", mammograms, defects)
        prepare_inbreast(str(tmp_path / "raw"), str(tmp_path / "out"), scheduler=scheduler, **flags)
        return tmp_path / "out"

    return run


# Per defect: what the audit says of each lesion, named by what follows the image's number.
PAIRED = {"_1": ("paired", "")}
EXPECTED = {
    "wrong_count": {"_roi1": ("quarantined", "NumberOfPoints is 260, but Point_px holds 259"), **PAIRED},
    "one_point": {"_roi1": ("quarantined", "fewer than 3 points: 1"), **PAIRED},
    "two_points": {"_roi1": ("quarantined", "fewer than 3 points: 2"), **PAIRED},
    "unreadable_point": {
        "_roi1": ("quarantined", "Point_px holds '(1e3, print(7))', expected two numbers (x, y)"),
        **PAIRED,
    },
    "half_outside": {**PAIRED, "_2": ("repaired", "points outside the image of 120 x 150 (columns x rows): cut off")},
    "all_outside": {**PAIRED, "_2": ("quarantined", "259 of 259 points outside the image of 120 x 150 (columns x ro")},
    "overlapping": {**PAIRED, "_2": ("paired", "")},
    "odd_names": {**PAIRED, "_2": ("paired", ""), "_3": ("paired", "")},
    "xml_without_image": {"_1": ("quarantined", "no file of image 3008 in AllDICOMs, expected one")},
    "truncated_image": {"_1": ("quarantined", "cannot be decoded, it is truncated")},
    "broken_xml": {"": ("quarantined", "AllXML/3010.xml: not a property list")},
    "blank_density": PAIRED,
    "no_sheet_row": {"_1": ("paired", "INbreast.csv has no row for image 3012")},
    "view_fb": PAIRED,
}


@pytest.mark.promise("INbreast: each known defect of a download is paired, repaired or quarantined with its reason")
def test_every_defect_has_its_status_and_reason(prepare: Callable[..., Path], capsys: pytest.CaptureFixture):
    assert set(EXPECTED) == set(DEFECTS)
    sides, views, densities = ("LEFT", "RIGHT"), ("CC", "MLO"), "1234"
    mammograms, more = [], {"odd_names": (square(5, 5), square(70, 100))}
    for number, defect in enumerate(EXPECTED):
        settings = {"laterality": sides[number % 2], "view": views[number // 2 % 2], "density": densities[number % 4]}
        masks = (L_SHAPE, *more.get(defect, ()))
        mammograms.append(
            mammogram(3000 + number, *masks, birads="56"[number % 2], inverted=number % 3 == 0, **settings)
        )
    normal = mammogram(4000, birads="1")
    benign = mammogram(4001, birads="2")
    out = prepare(*mammograms, normal, benign, defects=tuple(EXPECTED))

    rows = audit(out)
    found = {lesion: (row["status"], row["reason"]) for lesion, row in rows.items()}
    expected = {
        f"{3000 + number}{suffix}": outcome
        for number, defect in enumerate(EXPECTED)
        for suffix, outcome in EXPECTED[defect].items()
    }
    assert found.keys() == expected.keys()
    for lesion, (status, reason) in expected.items():
        assert found[lesion][0] == status, lesion
        assert reason in found[lesion][1] if reason else not found[lesion][1], lesion
        assert str(out.parent) not in found[lesion][1]

    entries = {entry["lesion_id"]: entry for entry in Datalist(out, "test").part("test")}
    assert entries.keys() == {lesion for lesion, (status, _) in found.items() if status != "quarantined"}
    for lesion, entry in entries.items():
        number = int(lesion[:4]) - 3000
        source, defect = mammograms[number], list(EXPECTED)[number]
        assert entry["image"] == str(out / f"images/{source.image_id}.dcm")
        assert entry["label"] == str(out / f"masks/{lesion}.png")
        assert entry["patient_id"] == hash_patient(source.patient)
        assert entry["laterality"] == source.laterality
        assert entry["view"] == ("FB" if defect == "view_fb" else source.view)
        assert entry["birads"] == ("N/A" if defect == "no_sheet_row" else source.birads)
        assert entry["density"] == ("N/A" if defect in ("no_sheet_row", "blank_density") else source.density)
        assert entry["pathology"] == "N/A"
        assert {name: rows[lesion][name] or "N/A" for name in ("patient_id", "view", "birads", "density")} == {
            name: entry[name] for name in ("patient_id", "view", "birads", "density")
        }
        image, _ = MammogramReader().get_data(entry["image"])
        np.testing.assert_array_equal(image, source.image.T)
        if lesion.endswith("_1"):
            np.testing.assert_array_equal(read_mask(out, lesion), L_SHAPE)
    np.testing.assert_array_equal(read_mask(out, "3007_2"), square(5, 5))
    np.testing.assert_array_equal(read_mask(out, "3007_3"), square(70, 100))
    # A quarter of the 60 columns between the mass's first and last.
    np.testing.assert_array_equal(read_mask(out, "3006_2"), np.roll(L_SHAPE, 15, axis=0))
    cut = read_mask(out, "3004_2")
    shift = 101 - np.count_nonzero(cut[:, 25])  # The bar at row 25 ended at column 100.
    assert 40 < shift < 100
    np.testing.assert_array_equal(cut[:-shift], L_SHAPE[shift:])
    assert not cut[-shift:].any()

    text = capsys.readouterr().out
    assert f"{len({entry['image'] for entry in entries.values()})} mammograms with {len(entries)} masses, " in text
    assert "which is not what public work on INbreast counts: 107 with 116" in text
    assert "15 images, 1 of them without annotation" in text


def test_a_word_when_the_counts_are_those_of_public_work(
    prepare: Callable[..., Path], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inbreast, "MAMMOGRAMS", 2)
    monkeypatch.setattr(inbreast, "MASSES", 3)
    prepare(mammogram(11, L_SHAPE), mammogram(12, L_SHAPE, square(5, 5)))
    assert "2 mammograms with 3 masses, as public work on INbreast counts\n" in capsys.readouterr().out


def test_either_folder_is_the_source(scheduler: str, tmp_path: Path):
    write_tree(tmp_path / "raw", [mammogram(11, L_SHAPE)])
    written = []
    for name, source in {"outer": tmp_path / "raw", "inner": tmp_path / "raw" / RELEASE}.items():
        prepare_inbreast(str(source), str(tmp_path / name), scheduler=scheduler)
        written.append({file: content for file, (content, _) in snapshot(tmp_path / name).items()})
    assert written[0] == written[1]
    assert set(written[0]) == {"audit.csv", "datalists/test.json", "images/11.dcm", "masks/11_1.png"}


def test_a_repetition_writes_nothing_and_an_interruption_is_finished(prepare: Callable[..., Path]):
    out = prepare(mammogram(11, L_SHAPE), mammogram(12, L_SHAPE, square(5, 5)))
    before = snapshot(out)
    prepare()
    assert snapshot(out) == before
    for name in ("audit.csv", "datalists/test.json", "masks/12_2.png", "images/11.dcm"):
        (out / name).unlink()
    (out / "masks" / "12_1.png").write_bytes(b"half")
    (out / "masks" / ".12_2.png.part").write_bytes(b"half")
    prepare()
    after = snapshot(out)
    assert {name: content for name, (content, _) in after.items()} == {
        name: content for name, (content, _) in before.items()
    }


def test_a_run_that_stopped_midway_is_finished(prepare: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    mammograms = [mammogram(11, L_SHAPE), mammogram(12, L_SHAPE, square(5, 5))]
    finished = {name: content for name, (content, _) in snapshot(prepare(*mammograms)).items()}
    shutil.rmtree(out := prepare())
    link_image = output.link_image

    def stop_at_the_second(source: Path, target: Path, copy: bool) -> None:
        if target.stem == "12":
            raise InputError("stopped")
        link_image(source, target, copy)

    with monkeypatch.context() as patch:
        patch.setattr(output, "link_image", stop_at_the_second)
        with pytest.raises(InputError, match="stopped"):
            prepare()
    assert not (out / "datalists").exists()
    prepare()
    assert {name: content for name, (content, _) in snapshot(out).items()} == finished


def test_through_the_command_line(as_program: Callable, scheduler: str, tmp_path: Path):
    write_tree(tmp_path / "raw", [mammogram(11, L_SHAPE)])
    flags = {"source": tmp_path / "raw", "dataset_dir": tmp_path / "out", "scheduler": scheduler, "copy": True}
    as_program("scripts", "prepare", "inbreast", **flags)
    original = next((tmp_path / "raw").rglob("*.dcm"))
    copied = tmp_path / "out" / "images" / "11.dcm"
    assert not copied.samefile(original)
    assert copied.read_bytes() == original.read_bytes()


def test_the_manifests_hash_follows_sheet_and_annotations(prepare: Callable[..., Path], tmp_path: Path):
    def sha256(out: Path) -> str:
        return json.loads((out / "datalists" / "test.json").read_text())["manifest_sha256"]

    hashes = {sha256(prepare(mammogram(11, L_SHAPE)))}
    assert sha256(prepare()) in hashes
    for file in (tmp_path / "raw" / RELEASE / "INbreast.csv", next((tmp_path / "raw").rglob("*.xml"))):
        file.write_bytes(file.read_bytes() + b"\n")
        hashes.add(sha256(prepare()))
    assert len(hashes) == 3


@pytest.mark.parametrize("part", ["training", "validation"])
def test_nothing_is_trained_on_it(prepare: Callable[..., Path], part: str):
    out = prepare(mammogram(11, L_SHAPE))
    with pytest.raises(InputError, match=rf"no lesions for {part} \(INbreast is the unseen test set.*has test"):
        Datalist(out, "test").part(part)


@pytest.mark.parametrize("split", ["patient", "test"])
def test_a_training_stops_with_the_reason(prepare: Callable[..., Path], train: Callable[..., Path], split: str):
    with pytest.raises(RuntimeError) as caught:
        train(prepare(mammogram(11, L_SHAPE)), split=split)
    assert "INbreast is the unseen test set" in str(find_input_error(caught.value))


def test_a_run_is_evaluated_on_it(
    prepare: Callable[..., Path], train: Callable[..., Path], as_program: Callable, dataset: Path
):
    out = prepare(mammogram(11, L_SHAPE), mammogram(12, square(5, 5), square(60, 60)), defects=("view_fb",))
    run = train(dataset, epochs=1)
    flags = {"args_file": run / "evaluating.json", "dataset_dir": out, "split": "test", "bootstrap_samples": 10}
    as_program("monai.bundle", "run", "evaluating", **flags)
    results = run / "evaluation" / "inbreast_mass_test"
    with (results / "lesions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["lesion_id"] for row in rows] == ["11_1", "12_1", "12_2"]
    assert {(row["birads"], row["density"], row["pathology"]) for row in rows} == {("4a", "3", "N/A")}
    assert [row["view"] for row in rows] == ["FB", "MLO", "MLO"]
    assert json.loads((results / "summary.json").read_text())["dataset"]["name"] == "inbreast_mass"


def test_spiculated_regions_join_the_mass_they_touch(prepare: Callable[..., Path], tmp_path: Path, capsys):
    first, second = square(10, 10), square(60, 60)
    touching, overlapping = square(20, 12, 6), square(55, 55, 8)
    also_overlapping, between, far = square(66, 66, 8), square(12, 16, 6), square(100, 120)
    regions = [
        region("Mass", outline(first.T)),
        region("Spiculated Region", outline(touching.T)),
        region("Spiculated region ", outline(overlapping.T)),
        region("Espiculated Region", outline(also_overlapping.T)),
        region("Spiculated Region", outline(far.T)),
        region("Cluster", outline(between.T)),
        region("Mass", outline(second.T)),
    ]
    write_tree(tmp_path / "raw", [mammogram(11, first, second)])
    (tmp_path / "raw" / RELEASE / "AllXML" / "11.xml").write_bytes(encode_annotation(regions))
    out = prepare()
    np.testing.assert_array_equal(read_mask(out, "11_1"), first)
    np.testing.assert_array_equal(read_mask(out, "11_2"), second)
    assert "touch no mass" not in capsys.readouterr().out
    prepare(join_spiculated=True)
    np.testing.assert_array_equal(read_mask(out, "11_1"), first | touching)
    np.testing.assert_array_equal(read_mask(out, "11_2"), second | overlapping | also_overlapping)
    assert {lesion: row["joined"] for lesion, row in audit(out).items()} == {"11_1": "2", "11_2": "3 4"}
    assert "1 spiculated regions touch no mass" in capsys.readouterr().out
    assert json.loads((out / "datalists" / "test.json").read_text())["source"].endswith("spiculated regions")


def test_files_that_are_not_of_the_release(prepare: Callable[..., Path], tmp_path: Path, capsys):
    write_tree(tmp_path / "raw", [mammogram(11, L_SHAPE), mammogram(12, L_SHAPE)])
    images = tmp_path / "raw" / RELEASE / "AllDICOMs"
    (images / "._11_junk").write_bytes(b"junk")
    (images.parent / "AllXML" / "._11.xml").write_bytes(b"junk")
    (images.parent / "AllXML" / "13.xml").mkdir()
    (images / "notes.txt").write_bytes(b"mine")
    original = next(images.glob("12_*"))
    (images / original.name.replace("_L_", "_R_")).write_bytes(original.read_bytes())
    rows = audit(prepare())
    assert "AllDICOMs/notes.txt: not a name of the release, left out" in capsys.readouterr().out
    assert {lesion: row["status"] for lesion, row in rows.items()} == {
        "11_1": "paired",
        "12_1": "quarantined",
        "13": "quarantined",
    }
    assert rows["13"]["reason"] == "AllXML/13.xml: cannot be read (Is a directory)"
    assert rows["12_1"]["reason"] == "2 files of image 12 in AllDICOMs, expected one"


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda raw: None, "no such folder; expected the downloaded 'INbreast Release 1.0'"),
        (lambda raw: raw.mkdir(), "AllDICOMs, AllXML, INbreast.csv not found; expected a folder that holds"),
        (lambda raw: raw.write_text("zip"), "no such folder"),
        (
            lambda raw: write_tree(raw, [mammogram(11, L_SHAPE)]) and (raw / RELEASE / "INbreast.csv").unlink(),
            f"{RELEASE}: INbreast.csv not found",
        ),
        (
            lambda raw: (
                write_tree(raw, [mammogram(11, L_SHAPE)])
                and (raw / RELEASE / "INbreast.csv").write_text("File Name,ACR,Bi-Rads\n")
            ),
            "INbreast.csv: column File Name, Bi-Rads, ACR is missing; found File Name,ACR,Bi-Rads",
        ),
        (lambda raw: write_tree(raw, [mammogram(11, birads="2")]), "no region is named Mass in 1 XML files"),
        (lambda raw: write_tree(raw, [mammogram(11, L_SHAPE)], ["xml_without_image"]), "no lesion is usable"),
    ],
)
def test_a_source_that_cannot_be_used(prepare: Callable[..., Path], tmp_path: Path, spoil: Callable, line: str):
    spoil(tmp_path / "raw")
    if "AllDICOMs" not in line and (tmp_path / "raw" / RELEASE).is_dir():
        (tmp_path / "raw" / RELEASE / "AllDICOMs").mkdir(exist_ok=True)
    with pytest.raises(InputError) as caught:
        prepare()
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_phantoms_come_back_with_their_masks(prepare: Callable[..., Path], tmp_path: Path):
    phantoms = [
        generate_phantom(5, draw_patient(5, number), view, (160, 240)) for number in (1, 2, 7) for view in ("CC", "MLO")
    ]
    write_inbreast(tmp_path / "raw", phantoms, "", ())
    entries = {entry["lesion_id"]: entry for entry in Datalist(prepare(), "test").part("test")}
    assert len(entries) == sum(len(phantom.masks) for phantom in phantoms)
    for phantom in phantoms:
        side, view = int(phantom.patient.laterality == "RIGHT"), int(phantom.view == "MLO")
        for number, expected in enumerate(phantom.masks, start=1):
            entry = entries[f"{20_000_000 + 100 * phantom.patient.number + 10 * side + view}_{number}"]
            image, _ = MammogramReader().get_data(entry["image"])
            mask, _ = MammogramReader().get_data(entry["label"])
            assert image.shape == mask.shape
            assert (mask > 0).sum() == (expected > 0).sum()
            # Shifted by the air around, the phantom's own grey levels lie under the mask.
            np.testing.assert_array_equal(image.T[mask.T > 0], phantom.image[expected > 0] * 4.0)


def test_orientation_by_an_asymmetric_polygon():
    np.testing.assert_array_equal(rasterise(CORNERS, (COLUMNS, ROWS)), L_SHAPE > 0)


coordinate = st.floats(-19, 39, width=32)


@example([(12, 33), (-9, 35), (-16, 1)])  # fillPoly alone, cutting at the frame, is 12 pixels off here.
@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=3))
def test_a_triangle_covers_what_lies_well_inside_and_nothing_well_outside(corners: list[tuple[float, float]]):
    mask = rasterise(corners, (30, 20))
    polygon = np.array(corners, np.float32)
    inside = np.array([[cv2.pointPolygonTest(polygon, (x, y), True) for y in range(20)] for x in range(30)])
    assert mask[inside > 1.5].all()
    assert not mask[inside < -1.5].any()


def test_corners_far_away_do_not_overflow():
    mask = rasterise([(5, 5), (1e300, 5), (1e300, 1e300), (5, 1e300)], (30, 20))
    assert mask[6:, 6:].all()
    assert not mask[:4].any()
    assert not mask[:, :4].any()


@given(st.floats(), st.floats(), st.sampled_from(["({}, {})", "({},{})", " ( {} , {} ) "]))
def test_points_are_read_back(x: float, y: float, form: str):
    parsed = parse_point(form.format(x, y))
    assert parsed == ((x, y) if np.isfinite(x) and np.isfinite(y) else None)


@given(st.text("()0123456789.,-+e nai_x\u0663", max_size=12))
def test_anything_else_is_no_point(text: str):
    parsed = parse_point(text)
    if parsed is not None:
        assert "(" + ",".join(text.strip()[1:-1].split(",")) + ")" == text.strip()
        assert parsed == tuple(float(number) for number in text.strip()[1:-1].split(","))
        assert text.isascii()


@pytest.mark.parametrize("text", ["", "(1, 2, 3)", "1, 2", "(1; 2)", "(0x1, 2)", "(nan, 1)", "(1, 1e999)", "(1_0, 2)"])
def test_no_points(text: str):
    assert parse_point(text) is None


hexadecimal = st.text("0123456789abcdef", min_size=16, max_size=16)


@given(st.integers(0), hexadecimal, st.sampled_from("RL"), st.sampled_from(["CC", "ML", "FB"]))
def test_image_names_are_read_back(image_id: int, patient: str, side: str, view: str):
    name = parse_image_name(f"{image_id}_{patient}_MG_{side}_{view}_ANON.dcm")
    assert name is not None
    assert (name.image_id, name.patient_id) == (str(image_id), patient)
    assert (name.laterality[0], name.view) == (side, "MLO" if view == "ML" else view)
    assert name.laterality in ("LEFT", "RIGHT")


@given(st.text() | st.from_regex(r"[0-9]*_[0-9a-g]{15,17}_M[GR]_[RLX]_(CC|ML|MLO)_ANON\.(dcm|xml)", fullmatch=True))
def test_other_names_are_not(text: str):
    name = parse_image_name(text)
    if name is not None:
        view = {"MLO": "ML"}.get(name.view, name.view)
        assert text == f"{name.image_id}_{name.patient_id}_MG_{name.laterality[0]}_{view}_ANON.dcm"


space = st.text(" \t", max_size=200)


@given(
    st.dictionaries(st.integers(0, 99999999).map(str), st.tuples(st.sampled_from("1234 "), st.sampled_from("2 4a 6"))),
    space, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]),
)  # fmt: skip
def test_cells_of_the_sheet_are_stripped(images: dict[str, tuple[str, str]], space: str, line_end: str, mark: str):
    lines = ["Patient ID;File Name ;ACR; Bi-Rads"]
    lines += [f"removed;{space}{name};{acr}{space};{space}{birads}" for name, (acr, birads) in images.items()]
    sheet = read_sheet(Path("INbreast.csv"), (mark + line_end.join([*lines, ";;;", ""])).encode())
    assert sheet == {name: {"density": acr.strip(), "birads": birads.strip()} for name, (acr, birads) in images.items()}


def test_the_test_list(tmp_path: Path):
    table = tmp_path / "images.csv"
    names = {number: f"{number}_{hash_patient('a')}_MG_R_ML_ANON.dcm" for number in (12, 11, 13)}
    lines = [f"{number},{name},2,4a,{int(number != 13)}" for number, name in names.items()]
    table.write_text("\n".join(["image_id,dicom,acr,birads,listed_107", *lines]))
    about, parts = inbreast_datalist(table)
    assert (about["name"], list(parts)) == ("inbreast_mass", ["training", "validation", "test"])
    entries = parts["test"]
    assert [entry["lesion_id"] for entry in entries] == ["11_1", "12_1"]
    assert entries[0] == {
        "image": "images/11.dcm", "label": "masks/11_1.png", "lesion_id": "11_1",
        "patient_id": hash_patient("a"), "laterality": "RIGHT", "view": "MLO", "birads": "4a", "density": "2",
        "pathology": "",
    }  # fmt: skip


def test_the_list_in_the_repository():
    file = ROOT / "datalists" / "inbreast_mass.json"
    entries = load_decathlon_datalist(file, data_list_key="test", base_dir=file.parent)
    assert len({entry["image"] for entry in entries}) == len(entries) == inbreast.MAMMOGRAMS
    content = json.loads(file.read_text())
    assert content["training"] == content["validation"] == []
    assert "unseen test set" in content["note"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "cannot be read"),
        ("image_id,dicom\n", "column acr, birads, listed_107 is missing"),
        (
            "image_id,dicom,acr,birads,listed_107\n7,8_x.dcm,1,2,1\n",
            "'8_x.dcm' is no file name of INbreast for image 7",
        ),
    ],
)
def test_a_list_from_a_table_that_cannot_be_used(tmp_path: Path, content: str | None, line: str):
    table = tmp_path / "images.csv"
    if content is not None:
        table.write_text(content)
    with pytest.raises(InputError) as caught:
        inbreast_datalist(table)
    assert line in str(caught.value)
