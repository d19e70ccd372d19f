"""The committed datalists, and the verb that made them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from monai.data import load_decathlon_datalist
from test_cbis_ddsm_files import row, write_tables

from tests.helpers import ROOT

PARTS = ("training", "validation", "test")
FOLDER = ROOT / "datalists"
SPLITS = ("patient", "official", "paper")
COUNTED = {"BI-RADS": "birads", "ACR density": "density", "pathology": "pathology"}


def load(name: str, part: str, folder: Path = FOLDER) -> list[dict[str, str]]:
    return load_decathlon_datalist(folder / f"cbis_ddsm_mass_{name}.json", data_list_key=part)


def parts_of(name: str) -> dict[str, list[dict[str, str]]]:
    if name == "5fold":
        lesions = load(name, "training")
        return {f"fold {fold}": [lesion for lesion in lesions if lesion["fold"] == fold] for fold in range(5)}
    return {part: load(name, part) for part in PARTS}


def readme_tables() -> dict[str, tuple[dict[str, list[int]], str]]:
    """The counts of each file's section in the README, and the sentence below them."""
    sections = (FOLDER / "README.md").read_text().split("\n## ")[1:]
    tables = {}
    for section in sections:
        cells = [
            [cell.strip() for cell in line.strip("| ").split("|")] for line in re.findall(r"^\|.*$", section, re.M)
        ]
        counts = {heading: list(map(int, numbers)) for heading, *numbers in cells[2:]}
        tables[section.split(".json")[0]] = (counts, section.strip().splitlines()[-1])
    return tables


@pytest.mark.parametrize("name", [*SPLITS, "5fold"])
def test_counts_are_those_of_the_readme(name: str):
    counts, sentence = readme_tables()[f"cbis_ddsm_mass_{name}"]
    parts = parts_of(name)
    columns = [*parts.values(), [lesion for lesions in parts.values() for lesion in lesions]]
    expected = {
        "lesions": [len(lesions) for lesions in columns],
        "mammograms": [len({lesion["image"] for lesion in lesions}) for lesions in columns],
        "patients": [len({lesion["patient_id"] for lesion in lesions}) for lesions in columns],
    }
    for heading, key in COUNTED.items():
        for value in {lesion[key] for lesion in columns[-1]}:
            expected[f"{heading} {value}"] = [sum(lesion[key] == value for lesion in lesions) for lesions in columns]
    assert counts == expected
    patients = [{lesion["patient_id"] for lesion in lesions} for lesions in parts.values()]
    several = sum(number > 1 for number in Counter(patient for group in patients for patient in group).values())
    assert sentence.startswith(f"Patients in more than one part: {several}.")
    assert (several > 0) == (name == "paper")
    if name in SPLITS:
        shared = sum(lesion["patient_id"] in patients[0] for lesion in parts["test"]) / len(parts["test"])
        assert sentence.endswith(f"Test lesions whose patient is also in training: {shared:.1%}.")


# Measured on the official tables with other tools than ours.
def test_the_counts_of_the_official_tables():
    counts, _ = readme_tables()["cbis_ddsm_mass_official"]
    totals = {heading: numbers[-1] for heading, numbers in counts.items()}
    assert (totals["lesions"], totals["mammograms"], totals["patients"]) == (1696, 1592, 892)
    assert [totals[f"BI-RADS {value}"] for value in range(6)] == [162, 3, 91, 364, 702, 374]
    assert [totals[f"ACR density {value}"] for value in range(1, 5)] == [337, 757, 449, 153]
    assert (totals["pathology MALIGNANT"], totals["pathology BENIGN"]) == (784, 771)
    assert [counts[heading][2] for heading in ("lesions", "mammograms", "patients")] == [378, 361, 201]
    assert [len(lesions) for lesions in parts_of("paper").values()] == [1373, 153, 170]


def test_every_entry_is_whole():
    everywhere = [{lesion["lesion_id"] for part in parts_of(name).values() for lesion in part} for name in SPLITS]
    assert everywhere[0] == everywhere[1] == everywhere[2]
    for lesion in (lesion for name in (*SPLITS, "5fold") for part in parts_of(name).values() for lesion in part):
        name = lesion["lesion_id"].rpartition("_")[0]
        assert name == f"{lesion['patient_id']}_{lesion['laterality']}_{lesion['view']}"
        assert Path(lesion["image"]).parts[-2:] == ("images", f"{name}.dcm")
        assert Path(lesion["label"]).parts[-2:] == ("masks", f"{lesion['lesion_id']}.png")
        assert set(lesion) >= {"birads", "density", "pathology", "subtlety", "mass_shape", "mass_margins"}


def rebuilt_tables(folder: Path) -> None:
    """The official tables as far as the committed datalists hold them."""
    rows: dict[bool, list] = {False: [], True: []}
    for part, lesions in parts_of("official").items():
        for lesion in lesions:
            number, kind = lesion["lesion_id"].rpartition("_")[2], "Test" if part == "test" else "Training"
            cells = row(lesion["patient_id"][2:], lesion["laterality"], lesion["view"], number, kind)
            cells[1], cells[8:11] = lesion["density"], [lesion[key] for key in ("birads", "pathology", "subtlety")]
            cells[6:8] = [lesion[key] for key in ("mass_shape", "mass_margins")]
            rows[part == "test"].append(cells)
    write_tables(folder, rows[False], rows[True])
    table = ["image_id,dicom,acr,birads,listed_107"]
    for lesion in json.loads((FOLDER / "inbreast_mass.json").read_text())["test"]:
        image, view = lesion["lesion_id"].removesuffix("_1"), {"MLO": "ML"}.get(lesion["view"], lesion["view"])
        name = f"{image}_{lesion['patient_id']}_MG_{lesion['laterality'][0]}_{view}_ANON.dcm"
        table.append(f"{image},{name},{lesion['density']},{lesion['birads']},1")
    (folder / "mass_images.csv").write_text("\n".join(table))


def test_making_them_again_gives_the_same_bytes(tmp_path: Path, as_program: Callable):
    tables = os.environ.get("MAMMO_TABLES")
    if not tables:
        rebuilt_tables(tmp_path / "tables")
    as_program("scripts", "datalists", tables=tables or tmp_path / "tables", output_dir=tmp_path / "made")
    made = {file.name: file.read_text() for file in (tmp_path / "made").iterdir()}
    committed = {name: (FOLDER / name).read_text() for name in made}
    assert set(made) == {
        "README.md",
        "inbreast_mass.json",
        *(f"cbis_ddsm_mass_{name}.json" for name in (*SPLITS, "5fold")),
    }
    if not tables:  # The rebuilt tables hold the same lesions, but other paths.
        for name in ("cbis_ddsm_mass_patient.json", "inbreast_mass.json"):
            of, committed_of = (json.loads(files[name])["manifest_sha256"] for files in (made, committed))
            made = {name: text.replace(of, committed_of) for name, text in made.items()}
    assert made == committed
