from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import cv2
import pytest

from custom.errors import InputError
from scripts.common.command_line import checked
from scripts.phantoms import phantoms

SMALL = {"patients": 2, "image_size": (160, 240)}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def images(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in digests(folder).items() if name.startswith(("images", "masks"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("phantoms") / "set"
    phantoms(str(made), seed=3, **SMALL)
    return made


def test_the_manifest_names_what_was_written(folder: Path) -> None:
    with (folder / "manifest.csv").open(newline="") as table:
        reader = csv.DictReader(table)
        rows = list(reader)
    assert reader.fieldnames is not None
    assert reader.fieldnames[:7] == ["image", "mask", "lesion_id", "patient_id", "laterality", "view", "birads"]
    assert reader.fieldnames[7:12] == ["density", "pathology", "subtlety", "mass_shape", "mass_margins"]
    assert reader.fieldnames[12:] == ["x0", "y0", "x1", "y1"]
    assert {row["image"] for row in rows} | {row["mask"] for row in rows} == set(images(folder))
    assert {row["view"] for row in rows} == {"CC", "MLO"}
    for row in rows:
        name = f"{row['patient_id']}_{row['laterality']}_{row['view']}"
        assert row["image"] == f"images/{name}.png"
        assert row["mask"] == f"masks/{row['lesion_id']}.png"
        assert row["lesion_id"].rpartition("_")[0] == name
        image, mask = (cv2.imread(str(folder / row[key]), cv2.IMREAD_UNCHANGED) for key in ("image", "mask"))
        assert (image.shape, image.dtype) == ((240, 160), "uint16")
        assert (mask.shape, mask.dtype) == ((240, 160), "uint8")
        x0, y0, x1, y1 = (int(row[edge]) for edge in ("x0", "y0", "x1", "y1"))
        within = mask[y0:y1, x0:x1]
        assert (within > 0).sum() == (mask > 0).sum()
        assert all(edge.any() for edge in (within[0], within[-1], within[:, 0], within[:, -1]))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(folder: Path, tmp_path: Path) -> None:
    phantoms(str(tmp_path / "same"), seed=3, **SMALL)
    assert digests(tmp_path / "same") == digests(folder)
    phantoms(str(tmp_path / "other"), seed=4, **SMALL)
    assert not set(images(folder).values()) & set(images(tmp_path / "other").values())


def test_a_patient_does_not_depend_on_the_others(folder: Path, tmp_path: Path) -> None:
    phantoms(str(tmp_path / "more"), seed=3, **SMALL | {"patients": 4})
    phantoms(str(tmp_path / "fewer_views"), seed=3, views=["MLO"], **SMALL)
    more, fewer = images(tmp_path / "more"), images(tmp_path / "fewer_views")
    assert len(more) > len(images(folder))
    assert images(folder).items() <= more.items()
    assert fewer.items() <= images(folder).items()


def test_a_second_run_changes_nothing_and_an_interrupted_one_is_finished(tmp_path: Path) -> None:
    phantoms(str(tmp_path), seed=3, **SMALL)
    before, times = digests(tmp_path), {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    phantoms(str(tmp_path), seed=3, **SMALL)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")} == times
    (tmp_path / "manifest.csv").unlink()
    next((tmp_path / "masks").iterdir()).unlink()
    next((tmp_path / "images").iterdir()).write_bytes(b"half")
    phantoms(str(tmp_path), seed=3, **SMALL)
    assert digests(tmp_path) == before


def test_a_list_and_a_tuple_are_one_setting(tmp_path: Path) -> None:
    phantoms(str(tmp_path / "a"), patients=1, image_size=(160, 240), views=("CC",), sides=["LEFT"], densities=(3,))
    phantoms(str(tmp_path / "b"), patients=1, image_size=[160, 240], views=["CC"], sides=("LEFT",), densities=[3])
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert "images/S_00001_LEFT_CC.png" in digests(tmp_path / "a")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("layout", "tar"),
        ("patients", 0),
        ("patients", 2.5),
        ("patients", True),
        ("patients", 100000),
        ("seed", -1),
        ("seed", "zero"),
        ("image_size", "large"),
        ("image_size", [800]),
        ("image_size", (0, 100)),
        ("image_size", (100, 160)),
        ("image_size", (400, 200)),
        ("image_size", (200, 900)),
        ("image_size", (200.5, 300)),
        ("densities", [0]),
        ("densities", [1, 1]),
        ("densities", []),
        ("views", "CC,LM"),
        ("views", "cc"),
        ("sides", ["LEFT", "BOTH"]),
        ("contrast", 0),
        ("contrast", "high"),
        ("artifacts", "false"),
    ],
)
def test_a_bad_setting_is_told_in_one_line_and_nothing_is_written(setting: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        checked(phantoms)(str(tmp_path / "out"), **SMALL | {setting: value})
    assert f"--{setting}" in str(told.value)
    assert "expected" in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()


def test_other_data_is_never_touched(folder: Path, tmp_path: Path) -> None:
    before = digests(folder)
    with pytest.raises(InputError, match="other settings"):
        phantoms(str(folder), seed=5, **SMALL)
    assert digests(folder) == before
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        phantoms(str(tmp_path), seed=5, **SMALL)
    assert list(tmp_path.iterdir()) == [tmp_path / "notes.txt"]
    with pytest.raises(InputError, match="folder"):
        phantoms(str(tmp_path / "notes.txt"), seed=5, **SMALL)
