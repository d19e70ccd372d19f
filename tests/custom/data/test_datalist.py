"""Data files cannot lead out of their folder, and what is wrong in them is told in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from custom.data import Datalist, LesionDataset
from custom.errors import InputError

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


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written") as caught:
        LesionDataset([], lambda item: item, str(tmp_path / "file" / "cache"))
    assert str(tmp_path / "file" / "cache") in str(caught.value)


def test_a_line_keeps_to_itself_and_to_a_length() -> None:
    assert str(InputError("a\nb\x1b[31m")) == "a\\nb\\x1b[31m"
    assert str(InputError("ä: ok")) == "ä: ok"
    assert len(str(InputError("x" * 100_000))) < 2000
