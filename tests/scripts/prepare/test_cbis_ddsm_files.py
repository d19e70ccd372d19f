from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom.errors import InputError
from scripts.common.datasets import CBIS_DDSM_TABLES
from scripts.prepare.cbis_ddsm_files import Key, parse_key, read_tables

COLUMNS = [
    "patient_id",
    "breast_density",
    "left or right breast",
    "image view",
    "abnormality id",
    "abnormality type",
    "mass shape",
    "mass margins",
    "assessment",
    "pathology",
    "subtlety",
    "image file path",
    "cropped image file path",
    "ROI mask file path",
]
NUMBERS = st.integers(0, 99999).map("{:05d}".format)
SPACE = st.text(" \t\n\r", max_size=3)


def row(number: str = "00001", side: str = "LEFT", view: str = "CC", lesion: str = "1", part: str = "Training") -> list:
    key = f"Mass-{part}_P_{number}_{side}_{view}"
    paths = [f"{key}/1.2/1.3/000000.dcm", *(f"{key}_{lesion}/1.4/1.5/00000{place}.dcm" for place in (0, 1))]
    return [f"P_{number}", "3", side, view, lesion, "mass", "N/A", "SPICULATED", "4", "MALIGNANT", "5", *paths]


def write_tables(folder: Path, training: list, test: list) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(CBIS_DDSM_TABLES.values(), (training, test), strict=True):
        text = io.StringIO()
        csv.writer(text).writerows([COLUMNS, *rows])
        (folder / name).write_bytes(text.getvalue().encode())


@given(
    st.sampled_from(["Mass", "Calc"]), st.sampled_from(["Training", "Test"]), NUMBERS,
    st.sampled_from(["LEFT", "RIGHT"]), st.sampled_from(["CC", "MLO"]), st.sampled_from(["", "1", "2", "12"]), SPACE,
)  # fmt: skip
def test_keys(kind: str, part: str, number: str, side: str, view: str, lesion: str, space: str):
    text = f"{kind}-{part}_P_{number}_{side}_{view}" + (f"_{lesion}" if lesion else "")
    key = parse_key(f"{space}{text}{space}")
    assert key == Key(kind, part, f"P_{number}_{side}_{view}", lesion)
    assert str(key) == text
    assert key.name == text.split("_", 1)[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P_00001_LEFT_CC",
        "Mass-Training_P_0001_LEFT_CC",
        "Mass-Training_P_00001_LEFT_CC_",
        "Mass-Training_P_00001_LEFT_CC_1/000000.dcm",
        "Mass-Training_P_00001_LEFT_XX",
        "mass-training_p_00001_left_cc",
        "Mass-Validation_P_00001_LEFT_CC",
        "Mass-Training_P_\u0660\u0660\u0660\u0660\u0661_LEFT_CC",
    ],
)
def test_what_is_no_key(text: str):
    assert parse_key(text) is None


@given(st.text())
def test_any_text_is_a_key_or_none(text: str):
    key = parse_key(text)
    assert key is None or str(key) == text.strip()


@given(st.lists(st.tuples(NUMBERS, SPACE), min_size=1, max_size=5, unique_by=lambda given: given[0]), SPACE)
def test_cells_may_have_spaces_and_newlines(tmp_path_factory: pytest.TempPathFactory, lesions: list, last: str):
    folder = tmp_path_factory.mktemp("tables")
    rows = [[f"{space}{cell}{space}" for cell in row(number)] for number, space in lesions]
    rows = [[*cells[:-1], cells[-1] + last] for cells in rows]
    write_tables(folder, rows, [])
    tables = read_tables(folder)
    assert [key.name for key in tables.lesions] == sorted(f"P_{number}_LEFT_CC_1" for number, _ in lesions)
    assert {lesion["mass_margins"] for lesion in tables.lesions.values()} == {"SPICULATED"}
    assert set(tables.series_keys) == {"1.3", "1.5"}


def test_a_row(tmp_path: Path):
    write_tables(tmp_path / "deep" / "down", [row(lesion="3")], [row("00002", "RIGHT", "MLO", part="Test")])
    lesions = read_tables(tmp_path).lesions
    first, second = lesions
    assert lesions[first] == {
        "lesion_id": "P_00001_LEFT_CC_3", "patient_id": "P_00001", "laterality": "LEFT", "view": "CC", "birads": "4",
        "density": "3", "pathology": "MALIGNANT", "subtlety": "5", "mass_shape": "N/A", "mass_margins": "SPICULATED",
    }  # fmt: skip
    assert (first.part, second.part) == ("Training", "Test")
    assert second.name == "P_00002_RIGHT_MLO_1"


@pytest.mark.parametrize(
    ("training", "test", "line"),
    [
        ([], [], "no rows; expected one per lesion"),
        ([row(), row()], [], "row 3: P_00001_LEFT_CC_1 stands twice"),
        ([row()], [row()], "row 2: P_00001_LEFT_CC_1 stands twice"),
        ([row(lesion="")], [], "row 2: found patient_id 'P_00001'"),
        ([row("1")], [], "expected such as P_00001, LEFT, CC, 1"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, training: list, test: list, line: str):
    write_tables(tmp_path, training, test)
    with pytest.raises(InputError) as caught:
        read_tables(tmp_path)
    assert line in str(caught.value)


def test_a_column_is_missing(tmp_path: Path):
    write_tables(tmp_path, [row()], [])
    file = tmp_path / "mass_case_description_train_set.csv"
    file.write_text(file.read_text().replace("assessment", "birads"))
    with pytest.raises(InputError, match="column assessment is missing"):
        read_tables(tmp_path)
