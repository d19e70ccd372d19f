"""From a raw tree of every layout and with every defect to a prepared data set."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from custom.data import Datalist
from custom.errors import InputError
from custom.readers import MammogramReader
from scripts.common.phantom.cohort import draw_patient
from scripts.common.phantom.generate import generate_phantom
from scripts.phantoms.cbis_ddsm import PATHS, CbisDdsmWriter, RawLesion, RawMammogram, raw_files
from scripts.phantoms.cbis_ddsm_defects import MAMMOGRAM_DEFECTS, PITCH_RATIO
from scripts.phantoms.command import phantoms
from scripts.phantoms.layouts import raw_mammogram
from scripts.prepare import cbis_ddsm_pairing
from scripts.prepare.cbis_ddsm import prepare_cbis_ddsm
from scripts.prepare.pairs import read_values
from tests.helpers import snapshot

pytestmark = pytest.mark.slow

SIZE = (240, 360)
PATIENTS = 12

# What becomes of the first lesion of a mammogram with the defect, and whether its other lesions go with it.
EXPECTED = {
    "mask_resampled": (
        "repaired",
        "mask resampled: mask 276 x 414, image 240 x 360 (columns x rows): resized by 0.870",
    ),
    "mask_other_size": ("quarantined", "mask of another film: ", "mask 276 x 324, image 240 x 360", "0.870 and 1.111"),
    "mask_empty": ("quarantined", "no mask: ", "the mask is empty"),
    "mask_zero_one": ("paired", ""),
    "mask_inverted": ("quarantined", "no mask: ", "of the mask is white, expected less than half"),
    "mask_missing": ("quarantined", "no mask: none among ", "fetch the series again"),
    "crop_missing": ("quarantined", "no crop: none among ", "fetch the series again"),
    "crop_other_place": ("quarantined", "crop disagrees: ", "expected more than 0.9"),
    "crop_other_size": ("quarantined", "crop disagrees: ", "so they are of two lesions"),
    "roi_missing": ("quarantined", "no mask and crop: no file of the lesion found; fetch its series"),
    "mammogram_missing": ("quarantined", "no mammogram: no file of P_", "found; fetch its series"),
    "unreadable_mammogram": ("quarantined", "unreadable mammogram: ", "cannot be decoded"),
    "unreadable_mask": ("quarantined", "unreadable mask or crop: "),
    "two_mammograms": ("paired", ""),
    "duplicate_series": ("paired", ""),
    "two_series": ("paired", ""),
    "series_descriptions": ("paired", ""),
    "no_patient_id": ("paired", ""),
    "renamed_folders": ("paired", ""),
    "monochrome1": ("paired", ""),
    "swapped_columns": ("paired", ""),
}
WHOLE_MAMMOGRAM = ("mammogram_missing", "unreadable_mammogram")


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as table:
        return list(csv.DictReader(table))


def raw_tree(folder: Path, **settings: object) -> Path:
    phantoms(str(folder), "cbis_ddsm", **{"patients": PATIENTS, "seed": 5, "image_size": SIZE} | settings)
    return folder


def prepare(source: Path, target: Path, scheduler: str, **settings: object) -> dict[str, dict[str, str]]:
    prepare_cbis_ddsm(str(source), str(target), scheduler=scheduler, **settings)
    return {row["lesion_id"]: row for row in read_csv(target / "audit.csv")}


def truth(number: int, view: str) -> RawMammogram:
    return raw_mammogram(generate_phantom(5, draw_patient(5, number), view, SIZE))


def all_truths(patients: int = PATIENTS) -> list[RawMammogram]:
    return [truth(number, view) for number in range(1, patients + 1) for view in ("CC", "MLO")]


def lesion_ids(mammogram: RawMammogram) -> list[str]:
    name = mammogram.key.partition("_")[2]
    return [f"{name}_{lesion.number}" for lesion in mammogram.lesions]


def read(file: Path) -> np.ndarray:
    reader = MammogramReader()
    return reader.get_data(reader.read(file))[0]


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def check_usable(dataset: Path, mammogram: RawMammogram, rows: dict[str, dict[str, str]]) -> None:
    """Metadata, orientation and grey convention of every usable lesion, against the arrays it was made from."""
    for name, lesion in zip(lesion_ids(mammogram), mammogram.lesions, strict=True):
        row = rows[name]
        assert row["patient_id"] == mammogram.patient_id
        assert (row["laterality"], row["view"]) == (mammogram.laterality, mammogram.view)
        assert (row["birads"], row["density"]) == (lesion.birads, mammogram.density)
        assert (row["pathology"], row["subtlety"]) == (lesion.pathology, lesion.subtlety)
        assert row["mass_shape"] in (lesion.shape, "N/A")
        assert row["mass_margins"] in (lesion.margins, "N/A")
        if row["status"] == "quarantined":
            assert not (dataset / "masks" / f"{name}.png").exists()
            continue
        found = cv2.imread(str(dataset / "masks" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert found.dtype == np.uint8
        assert set(np.unique(found)) == {0, 255}
        lossless = row["status"] == "paired" and row["mask_file"].endswith(".dcm")
        assert dice(found > 0, lesion.mask > 0) >= (1 if lossless else 0.93)
        (image,) = (dataset / "images").glob(f"{name.rpartition('_')[0]}.*")
        values = read(image).T
        if image.suffix == ".dcm":
            np.testing.assert_array_equal(values, mammogram.image)
        else:
            assert np.corrcoef(values.ravel(), mammogram.image.ravel())[0, 1] > 0.99


@pytest.mark.promise(
    "CBIS-DDSM: in each layout each known defect of a download is paired, repaired or quarantined with its reason"
)
@pytest.mark.parametrize("variant", [*PATHS, "mixed"])
def test_every_defect_in_every_layout(tmp_path: Path, scheduler: str, variant: str):
    source = raw_tree(tmp_path / "raw", variant=variant, defects="all")
    rows = prepare(source, tmp_path / "out", scheduler)
    truths = {mammogram.key: mammogram for mammogram in all_truths()}
    struck = {row["mammogram"]: row["defect"] for row in read_csv(source / "defects.csv")}
    assert list(struck.values()) == list(MAMMOGRAM_DEFECTS)
    assert set(rows) == {name for mammogram in truths.values() for name in lesion_ids(mammogram)}
    assert len(read_csv(tmp_path / "out" / "audit.csv")) == len(rows)
    for key, mammogram in truths.items():
        status, *texts = EXPECTED[struck[key]] if key in struck else ("paired", "")
        first, *others = (rows[name] for name in lesion_ids(mammogram))
        assert first["status"] == status, first
        assert first["reason"].startswith(texts[0])
        assert bool(first["reason"]) == (status != "paired")
        assert all(text in first["reason"] for text in texts)
        assert {row["status"] for row in others} <= {status if struck.get(key) in WHOLE_MAMMOGRAM else "paired"}
        check_usable(tmp_path / "out", mammogram, rows)
    check_files(source, tmp_path / "out", rows)


def check_files(source: Path, dataset: Path, rows: dict[str, dict[str, str]]) -> None:
    """Every file of the source is that of a lesion or stands in the list of the others."""
    aside = {row["file"]: row["reason"] for row in read_csv(dataset / "audit_files.csv")}
    used = {row[f"{role}_file"] for row in rows.values() for role in ("image", "mask", "crop")} - {""}
    files = {file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()}
    tables = {name for name in files if Path(name).name.startswith("mass_case_description")}
    assert used | set(aside) | tables == files
    assert not used & set(aside)
    assert all("Calc-" not in name for name in used)
    reasons = list(aside.values())
    calcifications = [reason for reason in reasons if reason.startswith("of a calcification, Calc-Training_P_")]
    assert len(calcifications) >= 3
    assert aside["CBIS-DDSM/LICENSE"] == "not an image"
    assert sum("duplicate of " in reason or "taken from other files" in reason for reason in reasons) >= 3
    assert sum("not a DICOM file" in reason or "not an image" in reason for reason in reasons) >= 3


def test_the_splits(tmp_path: Path, scheduler: str, capsys: pytest.CaptureFixture[str]):
    rows = prepare(raw_tree(tmp_path / "raw", defects=["mask_empty", "crop_missing"]), tmp_path / "out", scheduler)
    told = capsys.readouterr().out
    usable = {name for name, row in rows.items() if row["status"] != "quarantined"}
    assert len(usable) == len(rows) - 2
    assert len({name.rpartition("_")[0] for name in rows}) == 24
    names = {file.stem for file in (tmp_path / "out" / "datalists").iterdir()}
    assert names == {"patient", "official", "paper", *(f"fold{number}" for number in range(5))}
    for name in names:
        content = json.loads((tmp_path / "out" / "datalists" / f"{name}.json").read_text())
        assert (content["name"], len(content["manifest_sha256"])) == ("cbis_ddsm_mass", 64)
        parts = {part: Datalist(tmp_path / "out", name).part(part) for part in ("training", "validation", "test")}
        listed = [entry["lesion_id"] for entries in parts.values() for entry in entries]
        assert sorted(listed) == sorted(usable)
        patients = [{entry["patient_id"] for entry in entries} for entries in parts.values()]
        several = set.union(*(a & b for a, b in combinations(patients, 2)))
        assert name == "paper" or not several
        (line,) = (line for line in told.splitlines() if f"split {name}: " in line)
        assert line.endswith(f"; {len(several)} patients in more than one part")
        if name == "official":
            assert {rows[entry["lesion_id"]]["official_part"] for entry in parts["test"]} == {"Test"}
            assert {"P_00005", "P_00010"} == patients[2]
    assert f"{len(rows)} lesions in the table\n  paired: {len(usable)}\n  quarantined: 2\n" in told
    assert "    quarantined, no crop: 1\n    quarantined, no mask: 1\n" in told
    mammograms = {name.rpartition("_")[0] for name in usable}
    assert f"usable: {len(mammograms)} of 24 mammograms and {len(usable)} of {len(rows)} lesions" in told
    assert "the official tables have 1592 and 1696" in told


def test_what_is_missing_moves_no_other_lesion(tmp_path: Path, scheduler: str):
    whole, broken = (raw_tree(tmp_path / name, defects=defects) for name, defects in (("a", ()), ("b", ["mask_empty"])))
    prepare(whole, tmp_path / "out_a", scheduler)
    rows = prepare(broken, tmp_path / "out_b", scheduler)
    (lost,) = (name for name, row in rows.items() if row["status"] == "quarantined")
    for name in ("patient", "official", "paper", "fold0"):
        a, b = (json.loads((tmp_path / out / "datalists" / f"{name}.json").read_text()) for out in ("out_a", "out_b"))
        for part in ("training", "validation", "test"):
            assert [entry for entry in a[part] if entry["lesion_id"] != lost] == b[part]


def test_a_repetition_writes_nothing_and_an_interruption_is_finished(tmp_path: Path, scheduler: str):
    source, out = raw_tree(tmp_path / "raw", patients=3, variant="mixed"), tmp_path / "raw" / "prepared"
    prepare(source, out, scheduler)
    before = snapshot(out)
    prepare(source, out, scheduler)
    assert snapshot(out) == before
    for pattern in ("audit*.csv", "datalists/pa*.json", "masks/P_00001*", "images/P_00002*"):
        for file in out.glob(pattern):
            file.unlink()
    (out / "masks" / ".P_00001_LEFT_CC_1.png.part").write_bytes(b"half")
    prepare(source, out, scheduler)
    assert {name: content for name, (content, _) in snapshot(out).items() if not name.endswith(".part")} == {
        name: content for name, (content, _) in before.items()
    }


def test_synthetic_data_says_so(tmp_path: Path, scheduler: str):
    source = raw_tree(tmp_path / "raw", patients=5)
    prepare(source, tmp_path / "out", scheduler)
    (source / "phantoms.json").unlink()
    prepare(source, tmp_path / "real", scheduler)
    datalists = (tmp_path / folder / "datalists" / "patient.json" for folder in ("out", "real"))
    synthetic, real = (json.loads(datalist.read_text())["source"] for datalist in datalists)
    assert synthetic == f"synthetic mammograms in the form of {real}"
    assert "Cancer Imaging Archive" in real


def test_links_and_copies(tmp_path: Path, scheduler: str):
    source = raw_tree(tmp_path / "raw", patients=1)
    for copy in (False, True):
        rows = prepare(source, tmp_path / f"out{copy}", scheduler, copy=copy)
        for row in rows.values():
            image = tmp_path / f"out{copy}" / "images" / f"{row['lesion_id'].rpartition('_')[0]}.dcm"
            assert image.samefile(source / row["image_file"]) != copy
            assert image.read_bytes() == (source / row["image_file"]).read_bytes()


def test_dicom_goes_before_the_mirror_and_the_whole_copy_before_the_broken_one(tmp_path: Path, scheduler: str):
    source = tmp_path / "raw"
    raw_tree(tmp_path / "jpeg", patients=2, variant="jpeg")
    shutil.copytree(tmp_path / "jpeg" / "jpeg", source / "jpeg")
    shutil.copytree(tmp_path / "jpeg" / "csv", source / "csv")
    raw_tree(tmp_path / "dicom", patients=2, variant="older")
    shutil.copytree(tmp_path / "dicom" / "CBIS-DDSM", source / "CBIS-DDSM")
    shutil.copytree(source / "CBIS-DDSM", source / "again")
    for number, file in enumerate(sorted((source / "CBIS-DDSM").rglob("*.dcm"))):
        if number % 3 == 0:
            file.write_bytes(file.read_bytes()[:-500])
    # The same rows with other paths: the DICOM tree's own tables are not needed.
    rows = prepare(source, tmp_path / "out", scheduler, tables=str(tmp_path / "jpeg"))
    assert {row["status"] for row in rows.values()} == {"paired"}
    assert {Path(row["image_file"]).suffix for row in rows.values()} == {".dcm"}
    for mammogram in all_truths(2):
        check_usable(tmp_path / "out", mammogram, rows)
    reasons = {row["reason"].partition(" of ")[0] for row in read_csv(tmp_path / "out" / "audit_files.csv")}
    # What is cut off within its header is no longer known as a copy.
    known = {reason for reason in reasons if not reason.endswith("which is taken from other files")}
    assert known == {"duplicate", "JPEG form", "not an image"}


def test_no_file_is_decoded_twice(tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch):
    decoded: Counter[str] = Counter()

    def count(file: str, folder: Path) -> np.ndarray:
        decoded[file] += 1
        return read_values(file, folder)

    monkeypatch.setattr(cbis_ddsm_pairing, "read_values", count)
    rows = prepare(raw_tree(tmp_path / "raw", variant="mixed", defects="all"), tmp_path / "out", scheduler)
    assert set(decoded.values()) == {1}
    assert {row["image_file"] for row in rows.values()} - {""} < set(decoded)
    assert not any("Calc-" in file for file in decoded)


def test_masks_that_both_agree_are_told_apart_by_nobody(tmp_path: Path, scheduler: str):
    mammogram = truth(1, "CC")
    mammogram = replace(mammogram, lesions=mammogram.lesions[:1])
    writer = CbisDdsmWriter(tmp_path / "raw")
    image, crop, mask = raw_files(mammogram)
    other = mask.pixels.copy()
    y, x = np.argwhere(other > 0).mean(axis=0).astype(int)
    other[y, x] = 0
    writer.write(mammogram, [image, crop, mask, replace(mask, number=7, pixels=other)])
    writer.write_tables()
    with pytest.raises(InputError, match="no lesion is usable"):
        prepare(tmp_path / "raw", tmp_path / "out", scheduler)
    (row,) = read_csv(tmp_path / "out" / "audit.csv")
    assert row["reason"].startswith("two masks: ")
    assert "take the wrong one away" in row["reason"]


def test_the_resampled_mask_is_enlarged_by_nearest_neighbour(tmp_path: Path, scheduler: str):
    source = raw_tree(tmp_path / "raw", patients=1, defects=["mask_resampled"])
    rows = prepare(source, tmp_path / "out", scheduler)
    (row,) = (row for row in rows.values() if row["status"] == "repaired")
    drawn = read(source / row["mask_file"]).T
    assert drawn.shape == (round(SIZE[1] * PITCH_RATIO), round(SIZE[0] * PITCH_RATIO))
    expected = np.asarray(Image.fromarray(drawn.astype(np.uint8)).resize(SIZE, Image.Resampling.NEAREST))
    found = cv2.imread(str(tmp_path / "out" / "masks" / f"{row['lesion_id']}.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda raw: shutil.rmtree(raw), "--source: {raw}: no such folder"),
        (
            lambda raw: (raw / "mass_case_description_test_set.csv").unlink(),
            "mass_case_description_test_set.csv is not",
        ),
        (
            lambda raw: (
                (raw / "old").mkdir()
                or (raw / "old" / "mass_case_description_test_set.csv").write_text("another version")
            ),
            "expected one version: name its folder with --tables",
        ),
        (lambda raw: shutil.rmtree(raw / "CBIS-DDSM"), "no lesion is usable"),
    ],
)
def test_what_stops_it(tmp_path: Path, scheduler: str, spoil: Callable, line: str):
    source = raw_tree(tmp_path / "raw", patients=1)
    spoil(source)
    with pytest.raises(InputError) as caught:
        prepare(source, tmp_path / "out", scheduler)
    assert line.format(raw=source) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cluster_of_its_own(tmp_path: Path, as_program: Callable, capsys: pytest.CaptureFixture[str]):
    source = raw_tree(tmp_path / "raw", patients=1)
    as_program("scripts", "prepare", "cbis_ddsm", source=source, dataset_dir=tmp_path / "out")
    assert "usable: 2 of 2 mammograms" in capsys.readouterr().out


@pytest.fixture
def real_tree(tmp_path: Path, real_data: Path) -> tuple[Path, list[RawMammogram]]:
    """A raw tree of six real mammograms, and what it was made from."""
    rows = [row for row in read_csv(real_data / "manifest.csv") if row["abnormality_match"] == "single"][:6]
    writer = CbisDdsmWriter(tmp_path / "raw")
    truths = []
    for row in rows:
        image, mask = (cv2.imread(str(real_data / row[name]), cv2.IMREAD_GRAYSCALE) for name in ("image", "mask"))
        number = int(row["lesion_id"].rpartition("_")[2])
        lesion = RawLesion(
            number, row["mass_shape"], row["mass_margins"], row["birads"], row["pathology"], row["subtlety"], mask
        )
        mammogram = RawMammogram(
            "Training", row["patient_id"], row["laterality"], row["view"], row["density"], image, (lesion,)
        )
        writer.write(mammogram, raw_files(mammogram))
        truths.append(mammogram)
    writer.write_tables()
    return tmp_path / "raw", truths


def test_real_mammograms(
    tmp_path: Path, scheduler: str, real_tree: tuple[Path, list[RawMammogram]], train: Callable[..., Path]
):
    source, truths = real_tree
    rows = prepare(source, tmp_path / "out", scheduler)
    assert len(rows) == 6
    assert {row["status"] for row in rows.values()} == {"paired"}
    for mammogram in truths:
        check_usable(tmp_path / "out", mammogram, rows)
    assert (train(tmp_path / "out", epochs=1) / "model.pt").is_file()
