"""Datalists: what their parts hold, and what is refused in them in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from custom.data import Datalist, boxed_items, lesion_items
from custom.errors import InputError
from custom.files import file_sha256
from tests.helpers import write_png

LESION = {"lesion_id": "a_1", "image": "images/a.png", "label": "masks/a_1.png", "patient_id": "p"}


def datalist(folder: Path, **changes: Any) -> Path:
    file = folder / "datalists" / "patient.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"name": "small", "test": [LESION | changes]}))
    return file


@pytest.mark.promise("No name or path of a datalist leads out of its data set")
@pytest.mark.parametrize(
    "changes",
    [
        {"lesion_id": "../../escaped"},
        {"lesion_id": "/escaped"},
        {"lesion_id": ".."},
        {"lesion_id": "a\\b"},
        {"lesion_id": "two\nlines"},
        {"image": "../outside.png"},
        {"label": "/etc/hostname"},
    ],
)
def test_a_name_or_path_that_leads_out_of_the_data_set(tmp_path: Path, changes: dict[str, str]) -> None:
    file = datalist(tmp_path, **changes)
    with pytest.raises(InputError, match="expected") as caught:
        Datalist(tmp_path, "patient")
    assert str(caught.value).startswith(f"{file}: test.0.{next(iter(changes))}: ")


def test_a_data_set_that_is_called_after_another_folder(tmp_path: Path) -> None:
    file = datalist(tmp_path)
    assert Datalist(tmp_path, "patient").name == "small"
    file.write_text(json.dumps({"name": "../../escaped"}))
    with pytest.raises(InputError, match=r"patient\.json: name: "):
        Datalist(tmp_path, "patient")


@pytest.mark.parametrize("changes", [{"box": "0123"}, {"box": [0, 1, 2, float("nan")]}, {"image": 5}, {"density": [1]}])
def test_a_value_of_another_kind(tmp_path: Path, changes: dict[str, Any]) -> None:
    datalist(tmp_path, **changes)
    with pytest.raises(InputError, match=rf"patient\.json: test\.0\.{next(iter(changes))}"):
        Datalist(tmp_path, "patient")


@pytest.mark.promise("An expression in a datalist is not evaluated")
def test_an_expression_in_a_datalist_stays_a_text(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    expression = f"$open({str(proof)!r}, 'w')"
    datalist(tmp_path, pathology=expression)
    assert Datalist(tmp_path, "patient").content["test"][0]["pathology"] == expression
    assert not proof.exists()


@pytest.mark.promise("A datalist with a patient in two parts is told")
def test_a_patient_in_two_parts_is_told(own_dataset: Path, caplog: pytest.LogCaptureFixture):
    file = own_dataset / "datalists" / "patient.json"
    Datalist(own_dataset, "patient").part("test")
    assert not caplog.records
    content = json.loads(file.read_text())
    content["test"][0]["patient_id"] = content["training"][0]["patient_id"]
    file.write_text(json.dumps(content))
    Datalist(own_dataset, "patient").part("test")
    (record,) = caplog.records
    count = len({entry["patient_id"] for entry in content["test"]})
    assert f"1 of {count} patients in test are in training as well" in record.getMessage()


@pytest.fixture
def two_parts(tmp_path: Path) -> Path:
    """A data set of two mammograms: one with two lesions, in training and test, one with a lesion in test alone."""
    names = {"training": ["a_1"], "validation": [], "test": ["a_2", "b_1"]}
    parts = {
        part: [
            {"lesion_id": name, "image": f"images/{name[0]}.png", "label": f"masks/{name}.png", "patient_id": name[0]}
            for name in listed
        ]
        for part, listed in names.items()
    }
    for entry in (entry for entries in parts.values() for entry in entries):
        for key in ("image", "label"):
            write_png(tmp_path / entry[key], np.pad(np.full((3, 2), 255, np.uint8), ((1, 4), (2, 5))))
    (tmp_path / "datalists").mkdir()
    content = {"name": "small", "source": "made up", "note": "for testing", **parts}
    (tmp_path / "datalists" / "patient.json").write_text(json.dumps(content))
    return tmp_path


def test_a_part_has_the_lesions_with_absolute_paths(two_parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two_parts.parent)
    lesions = Datalist(two_parts.name, "patient").part("test")
    assert [lesion["lesion_id"] for lesion in lesions] == ["a_2", "b_1"]
    assert lesions[0]["image"] == str(two_parts / "images" / "a.png")
    assert lesions[0]["label"] == str(two_parts / "masks" / "a_2.png")


def test_entries_and_masks_are_of_all_parts(two_parts: Path) -> None:
    datalist = Datalist(two_parts, "patient")
    assert {name: entry["part"] for name, entry in datalist.entries.items()} == {
        "a_1": "training",
        "a_2": "test",
        "b_1": "test",
    }
    masks = {f"{image[-5]}": {Path(mask).stem for mask in masks} for image, masks in datalist.masks_by_image.items()}
    assert masks == {"a": {"a_1", "a_2"}, "b": {"b_1"}}


def test_the_data_are_known_by_name_and_hash(two_parts: Path) -> None:
    file = two_parts / "datalists" / "patient.json"
    assert Datalist(two_parts, "patient").provenance == {
        "name": "small",
        "split": "patient",
        "source": "made up",
        "manifest_sha256": None,
        "datalist_sha256": file_sha256(file),
    }


def test_a_part_that_is_not_there(two_parts: Path) -> None:
    datalist = Datalist(two_parts, "patient")
    with pytest.raises(InputError, match="--part: found 'all', expected one of training, validation, test"):
        datalist.part("all")
    with pytest.raises(InputError, match=r"no lesions for validation \(for testing\); this datalist has training, t"):
        datalist.part("validation")
    (two_parts / "masks" / "a_2.png").unlink()
    with pytest.raises(InputError, match=r"masks/a_2\.png: the label of a_2 in patient\.json is gone"):
        datalist.part("test")


@pytest.mark.parametrize(
    ("folder", "split", "line"),
    [
        ("", "patient", "--dataset_dir is missing: give it on the command line"),
        ("nowhere", "patient", "nowhere: no such folder; expected a prepared data set"),
        ("images", "patient", "images: no datalists found; expected a prepared data set"),
        (".", "paper", r"paper\.json: no such datalist; --split takes patient here \(for testing\)"),
    ],
)
def test_a_data_set_or_split_that_is_not_there(
    two_parts: Path, monkeypatch: pytest.MonkeyPatch, folder: str, split: str, line: str
) -> None:
    monkeypatch.chdir(two_parts)
    with pytest.raises(InputError, match=line):
        Datalist(folder, split)


def test_what_is_loaded_of_an_entry(two_parts: Path) -> None:
    lesion = Datalist(two_parts, "patient").part("training")[0]
    assert lesion_items([lesion]) == [{key: lesion[key] for key in ("image", "label", "lesion_id")}]
    boxed = {"image": lesion["image"], "lesion_id": "a_1"}
    assert boxed_items([lesion, lesion | {"box": [0.5, 1, 2, 3]}]) == [
        boxed | {"box": [1, 2, 4, 4]},
        boxed | {"box": [0.5, 1, 2, 3]},
    ]
    bare = {key: lesion[key] for key in ("image", "lesion_id")}
    with pytest.raises(InputError, match=r"images/a\.png: lesion a_1 has no label, expected its mask"):
        lesion_items([bare])
    with pytest.raises(InputError, match=r"images/a\.png: lesion a_1 has no box and no label"):
        boxed_items([bare])
    write_png(Path(lesion["label"]), np.zeros((8, 9), np.uint8))
    with pytest.raises(InputError, match=r"masks/a_1\.png: the mask is empty"):
        boxed_items([lesion])
