from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from highdicom.seg import segread
from pydicom import uid
from pydicom.encaps import encapsulate

from custom.data import Datalist, boxed_items
from custom.errors import InputError
from custom.readers import read_mask, read_pixels
from custom.transforms import CLAHE, WienerFilter, mask_box
from scripts import predict as verb
from scripts.common import bundle
from scripts.common.command_line import checked
from scripts.common.prediction import outputs, predictor
from scripts.predict import predict
from tests.custom.findings.dicom.mammogram import write_mammogram
from tests.custom.findings.dicom.validator import errors
from tests.helpers import refused, snapshot
from tests.planted import find_planted, plant
from tests.scripts.common.prediction.phantom import (
    COLUMNS,
    INFERENCE,
    ROWS,
    SIDE,
    box_of,
    mass,
    write_image,
    write_run,
    write_small_run,
)

# Place of the mass, side of the breast, and what the file is: each border, both conventions, 8 to 16 bit, each spacing.
SOURCES: dict[str, tuple[tuple[int, int], bool, dict[str, Any]]] = {
    "inside, left": ((30, 60), False, {"bits": 8, "ImagerPixelSpacing": [0.1, 0.1]}),
    "inside, right": ((70, 80), True, {"photometric": "MONOCHROME1", "bits": 8}),
    "left border": ((0, 70), False, {"photometric": "MONOCHROME1", "bits": 10, "PixelSpacing": [0.07, 0.07]}),
    "right border": ((COLUMNS - SIDE, 70), True, {"bits": 14, "PixelSpacing": [0.05, 0.05]}),
    "upper border": ((20, 0), False, {"bits": 12}),
    "lower border": ((20, ROWS - SIDE), False, {"photometric": "MONOCHROME1", "bits": 16}),
    "corner": ((COLUMNS - SIDE, ROWS - SIDE), True, {"bits": 12, "ImagerPixelSpacing": [0.1, 0.2]}),
}

FILES = ("a_1_mask.png", "a_1_probability.png", "a_1_overlay.png", "a_1.json", "segmentation.dcm", "report.dcm")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "bright")


def rows_of(output: Path) -> list[dict[str, str]]:
    with (output / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def told_of(output: Path, name: str = "a") -> dict[str, Any]:
    return json.loads((output / name / f"{name}_1.json").read_text())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("source", SOURCES)
def test_mask_segmentation_and_source_overlay_each_other_to_the_pixel(source: str, run: Path, tmp_path: Path):
    place, right, elements = SOURCES[source]
    truth = mass(*place)
    file = write_image(tmp_path / "a.dcm", truth, right, **elements)
    predict(str(file), str(tmp_path / "out"), [box_of(*place)], run_dir=str(run), probability=True)
    folder = tmp_path / "out" / "a"
    np.testing.assert_array_equal(read_mask(folder / "a_1_mask.png"), truth)
    np.testing.assert_array_equal(segread(folder / "segmentation.dcm").pixel_array.reshape(ROWS, COLUMNS).T > 0, truth)
    levels = read_pixels(folder / "a_1_probability.png") / 65535
    np.testing.assert_array_equal(levels >= 0.5, truth)
    assert levels[truth].min() > 0.99
    told = told_of(tmp_path / "out")
    assert told["box"] == box_of(*place)
    assert told["measurements"]["area"] == truth.sum() == 20 * 20 - 12 * 14
    spacing = elements.get("PixelSpacing") or elements.get("ImagerPixelSpacing")
    name = next((name for name in elements if "Spacing" in name), None)
    expected = spacing and {"row": spacing[0], "column": spacing[1], "source": name}
    assert told["spacing"] == expected
    area = told["measurements"]["area_mm2"]
    assert area == (spacing and pytest.approx(truth.sum() * spacing[0] * spacing[1]))
    assert told["quality"]["flags"] == []
    assert rows_of(tmp_path / "out") == [
        {
            "image": "a.dcm",
            "lesion": "a_1",
            "status": "done",
            "flags": "",
            "reason": "",
            "files": ";".join(f"a/{name}" for name in FILES),
        }
    ]
    assert errors(folder / "segmentation.dcm") == errors(folder / "report.dcm") == []


def test_a_mask_is_that_of_the_bundles_inference(as_program: Callable, dataset: Path, tmp_path: Path, scheduler: str):
    run = write_small_run(tmp_path / "runs" / "small")
    as_program("monai.bundle", "run", args_file=run / "inference.json", dataset_dir=dataset)
    items = boxed_items(Datalist(dataset, "patient").part("test"))
    table = tmp_path / "boxes.csv"
    lines = [f"{Path(item['image']).name},{','.join(map(str, item['box']))},{item['lesion_id']}" for item in items]
    table.write_text("\n".join(["image,x0,y0,x1,y1,lesion_id", *lines]))
    predict(str(dataset / "images"), str(tmp_path / "out"), None, str(table), str(run), scheduler=scheduler)
    shares = []
    for item in items:
        name = item["lesion_id"]
        predicted = read_pixels(tmp_path / "out" / Path(item["image"]).stem / f"{name}_mask.png")
        inferred = read_pixels(run / "inference" / "prepared_patient" / f"{name}.png")
        assert predicted.tobytes() == inferred.tobytes()
        shares.append((predicted > 0).mean())
    assert min(shares) > 0
    assert max(shares) < 0.9
    rows = rows_of(tmp_path / "out")
    assert [row["status"] for row in rows].count("done") == len(items)
    others = [row for row in rows if row["status"] == "failed"]
    assert len(rows) == len(list((dataset / "images").iterdir()))
    assert all("no box in" in row["reason"] for row in others)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_boxes_of_one_mammogram_do_not_change_each_other(run: Path, tmp_path: Path):
    file = write_image(tmp_path / "a.png", mass(30, 60))
    boxes = [box_of(30, 60), [10, 20, 60, 90], [30.5, 60.25, 41, 75]]
    predict(str(file), str(tmp_path / "together"), boxes, run_dir=str(run))
    for number, box in enumerate(boxes, start=1):
        predict(str(file), str(tmp_path / f"alone{number}"), box, run_dir=str(run))
        together, alone = (
            tmp_path / folder / "a" / f"a_{index}_mask.png"
            for folder, index in (("together", number), (f"alone{number}", 1))
        )
        assert together.read_bytes() == alone.read_bytes()


def test_a_mammogram_is_filtered_once_for_all_its_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    filtered = []
    wiener, clahe = WienerFilter.__call__, CLAHE.__call__
    monkeypatch.setattr(WienerFilter, "__call__", lambda self, frame: filtered.append("Wiener") or wiener(self, frame))
    monkeypatch.setattr(CLAHE, "__call__", lambda self, frame: filtered.append("CLAHE") or clahe(self, frame))
    run = write_run(tmp_path / "runs" / "filtered", wiener=True, clahe=True)
    file = write_image(tmp_path / "a.png", mass(30, 60))
    predict(str(file), str(tmp_path / "out"), [box_of(30, 60), box_of(20, 50), box_of(40, 70)], run_dir=str(run))
    assert len(list((tmp_path / "out" / "a").glob("*_mask.png"))) == 3
    assert filtered == ["Wiener", "CLAHE"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_repetition_changes_nothing_and_does_only_what_is_not_done(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    images = tmp_path / "images"
    for name in ("a", "b"):
        write_image(images / f"{name}.dcm", mass(30, 60), SOPInstanceUID=f"1.2.3.{ord(name)}")
    table = tmp_path / "boxes.csv"
    table.write_text("image,x0,y0,x1,y1\na.dcm,30,60,50,80\nb.dcm,30,60,50,80\n")
    worked: list[str] = []

    def here(function: Callable, jobs: list, *_: object, **__: object) -> list:
        return [function(job) for job in jobs]

    def predict_image(order: Any, job: Any) -> list:
        worked.append(job.folder.name)
        return original(order, job)

    original = verb.predict_job
    monkeypatch.setattr(verb, "parallel_map", here)
    monkeypatch.setattr(verb, "predict_job", predict_image)

    def again(**changes: object) -> list[str]:
        worked.clear()
        predict(str(images), str(tmp_path / "out"), None, str(table), str(run), **changes)
        assert [row["status"] for row in rows_of(tmp_path / "out")] == ["done", "done"]
        return worked

    assert again() == ["a", "b"]
    before = snapshot(tmp_path / "out")
    assert again() == []
    assert snapshot(tmp_path / "out") == before
    (tmp_path / "out" / "a" / "a_1_mask.png").unlink()
    assert again() == ["a"]
    assert {name: content for name, (content, _) in snapshot(tmp_path / "out").items()} == {
        name: content for name, (content, _) in before.items()
    }
    (tmp_path / "out" / "b" / "b_1.json").write_text('{"files": ["b_1_mask.png"]}')
    assert again() == ["b"]
    table.write_text(table.read_text().replace("b.dcm,30", "b.dcm,29"))
    assert again() == ["b"]
    write_image(images / "a.dcm", mass(31, 61), SOPInstanceUID="1.2.3.97")
    assert again() == ["a"]
    args = json.loads((run / "inference.json").read_text())
    (run / "inference.json").write_text(json.dumps(args | {"threshold": 0.6}))
    assert again() == ["a", "b"]
    other_chain = {"threshold": 0.6, "inferer": {"_target_": "custom.inferers.CropInferer"}}
    (run / "inference.json").write_text(json.dumps(args | other_chain))
    assert again() == ["a", "b"]
    assert again(format="nrrd") == ["a", "b"]
    assert not list((tmp_path / "out").rglob("*_mask.png"))


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "colour": (
        lambda file: write_image(file, mass(30, 60), bits=8, SamplesPerPixel=3, PhotometricInterpretation="RGB"),
        "found 3 samples per pixel and RGB, expected grey",
    ),
    "tomosynthesis": (lambda file: write_image(file, mass(30, 60), NumberOfFrames=40), "found 40 frames, expected one"),
    "no codec": (lambda file: write_video(file), "unsupported coding"),
    "no breast": (lambda file: write_image(file, mass(30, 60), PixelData=bytes(2 * ROWS * COLUMNS)), "shows no breast"),
    "no DICOM at all": (lambda file: file.write_bytes(b"nothing" * 99) and file, "a.dcm: "),
}


def write_video(file: Path) -> Path:
    write_image(file, mass(30, 60))
    dataset = pydicom.dcmread(file)
    dataset.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    dataset.PixelData = encapsulate([b"video"])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(file)
    return file


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", BAD)
def test_an_image_that_cannot_be_predicted_is_one_line_and_leaves_nothing(kind: str, run: Path, tmp_path: Path):
    write, told = BAD[kind]
    file = write(tmp_path / "a.dcm")
    line = refused(predict, image=str(file), output_dir=str(tmp_path / "out"), boxes=box_of(30, 60), run_dir=str(run))
    assert line.startswith(str(file))
    assert told in line
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["predictions.csv"]
    assert rows_of(tmp_path / "out")[0]["reason"] == line


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_in_a_batch_the_others_go_on(run: Path, tmp_path: Path, scheduler: str, capsys: pytest.CaptureFixture):
    images = tmp_path / "images"
    images.mkdir()
    for number, (write, _) in enumerate(BAD.values()):
        write(images / f"bad{number}.dcm")
    write_image(images / "good.dcm", mass(30, 60))
    write_image(images / "unboxed.png", mass(30, 60))
    table = images / "boxes.csv"
    lines = [f"{file.name},30,60,50,80" for file in sorted(images.glob("*.dcm"))]
    table.write_text("\n".join(["image,x0,y0,x1,y1", *lines, "good.dcm,0,0,500,9", "gone.dcm,1,2,3,4"]))
    # Results among the images are none of them.
    write_image(images / "out" / "earlier.png", mass(30, 60))
    predict(str(images), str(images / "out"), None, str(table), str(run), scheduler=scheduler)
    rows = rows_of(images / "out")
    done = [row["lesion"] for row in rows if row["status"] == "done"]
    assert done == ["good_1"]
    said = capsys.readouterr().out
    assert f"1 of {len(BAD) + 3} boxes predicted" in said
    assert "mammograms without a box: 1;" in said
    assert "twice" not in said
    reasons = [row["reason"] for row in rows if row["status"] == "failed"]
    for (_, told), reason in zip(BAD.values(), reasons, strict=False):
        assert told.removeprefix("a.dcm: ") in reason
    assert "the box is (0.0, 0.0, 500.0, 9.0)" in reasons[-3]
    assert "unboxed.png: no box in" in reasons[-2]
    assert "row 9: no image 'gone.dcm'" in reasons[-1]
    assert {path.parent.name for path in (images / "out").rglob("*.json")} == {"good"}


def stumble(pixels: np.ndarray) -> float:
    """A bug that only the mammogram of 8 bits meets; it ends no process, which a test cannot do to itself."""
    if pixels.max() < 2**8:
        raise ZeroDivisionError("division 'of a secret' by zero")
    return 1.0


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("alone", [False, True], ids=["batch", "alone"])
def test_a_bug_costs_one_mammogram_and_is_told_when_the_others_are_done(
    alone: bool, run: Path, tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(predictor, "breast_share", stumble)
    images = tmp_path / "images"
    for name, bits in {"a": 12, "b": 8, "c": 12}.items():
        write_image(images / f"{name}.png", mass(30, 60), bits=bits)
    table = tmp_path / "boxes.csv"
    table.write_text("image,x0,y0,x1,y1\n" + "".join(f"{name}.png,30,60,50,80\n" for name in "abc"))
    image = images / "b.png" if alone else images
    with pytest.raises(ZeroDivisionError, match="of a secret"):  # which ends a program with its traceback and 1
        predict(str(image), str(tmp_path / "out"), None, str(table), str(run), scheduler=None if alone else scheduler)
    told = {row["image"]: (row["status"], row["reason"]) for row in rows_of(tmp_path / "out")}
    line = f"{images / 'b.png'}: unforeseen ZeroDivisionError (division ... by zero); report it with the traceback"
    assert told.pop("b.png") == ("failed", line)
    assert told == ({} if alone else {"a.png": ("done", ""), "c.png": ("done", "")})


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_else_a_user_can_get_wrong(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = write_image(tmp_path / "a.dcm", mass(30, 60))
    given = {"image": str(file), "output_dir": str(tmp_path / "out"), "boxes": box_of(30, 60), "run_dir": str(run)}
    with monkeypatch.context() as lacking:
        lacking.setattr(bundle, "RELEASED", tmp_path / "model.pt")
        assert "model.pt: no such model; expected the released weights: restore it, or pass --run_dir" in refused(
            predict, **given | {"run_dir": None}
        )
    assert "nowhere: no such folder; expected that of a training" in refused(predict, **given | {"run_dir": "nowhere"})
    for folder in (tmp_path, INFERENCE.parent):
        assert "expected the args file of a training" in refused(predict, **given | {"run_dir": str(folder)})
    (run / "inference.json").rename(run / "kept.json")
    args = json.loads((run / "kept.json").read_text())
    (run / "inference.json").write_text(json.dumps(args | {"config_file": ["gone.json"]}))
    assert "its config file gone.json is gone" in refused(predict, **given)
    (run / "inference.json").write_text(json.dumps(args | {"config_file": []}))
    assert "its config files (none) have no settings, expected the inference config" in refused(predict, **given)
    (run / "kept.json").replace(run / "inference.json")
    assert "--boxes and --boxes_file: found neither" in refused(predict, **given | {"boxes": None})
    assert "no box in --boxes" in refused(predict, **given | {"boxes": []})
    assert "the box is (0.0, 0.0, 999.0, 9.0)" in refused(predict, **given | {"boxes": [0, 0, 999, 9]})
    assert "no such file or folder" in refused(predict, **given | {"image": "nowhere.dcm"})
    assert "belongs to one mammogram" in refused(predict, **given | {"image": str(tmp_path)})
    assert "found the folder of the images" in refused(
        predict, **given | {"image": str(tmp_path), "output_dir": str(tmp_path)}
    )
    assert f"{file}/out: cannot be written" in refused(predict, **given | {"output_dir": f"{file}/out"})
    torch.save({"other.weight": torch.zeros(3)}, run / "model.pt")
    line = refused(predict, **given)
    assert line.startswith(
        f"{run / 'model.pt'}: its weights do not fit the network bright: of 2 expected 2 are missing"
    )
    (run / "model.pt").write_bytes(b"no model")
    assert "not a readable model" in refused(predict, **given)
    (run / "model.pt").unlink()
    assert "no such model" in refused(predict, **given)
    with pytest.raises(InputError, match="--format: found 'jpg'"):
        checked(predict)(**given, format="jpg")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_nothing_half_written_stays(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = write_image(tmp_path / "a.dcm", mass(30, 60))

    def full(*_: object) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr(outputs, "draw_overlay", full)
    given = {"image": str(file), "output_dir": str(tmp_path / "out"), "boxes": box_of(30, 60), "run_dir": str(run)}
    assert refused(predict, **given) == "the disk is full"
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["predictions.csv"]
    (tmp_path / "out" / "a").write_text("a file where the folder should be")
    assert refused(predict, **given).startswith(f"{tmp_path / 'out' / 'a'}: cannot be written")


@pytest.mark.promise(
    "Of a DICOM mammogram no planted attribute reaches the mask, probability, picture, JSON or CSV of a prediction"
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_identifying_attribute_reaches_what_is_not_dicom(run: Path, tmp_path: Path):
    file = write_image(tmp_path / "a.dcm", mass(30, 60))
    plant(file, ("PhotometricInterpretation", "SOPClassUID"))
    predict(str(file), str(tmp_path / "out"), [box_of(30, 60)], run_dir=str(run), probability=True)
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    others = [path for path in written if path.suffix != ".dcm"]
    assert len(others) == 5
    assert not {path: found for path in others if (found := find_planted(path.read_bytes()))}


def test_an_unknown_flag_is_refused(tmp_path: Path, as_program: Callable):
    with pytest.raises(InputError, match="--boxs: no such flag; expected one like --boxes"):
        as_program("scripts", "predict", image="a.png", output_dir=tmp_path, boxs="[1,2,3,4]")


# Of the DICOM files that real mammograms are put into; their values stay those of 8 bits.
WRAPPINGS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("MONOCHROME1", 8, {}),
    ("MONOCHROME2", 10, {"ImagerPixelSpacing": [0.1, 0.2]}),
    ("MONOCHROME1", 16, {"PixelSpacing": [0.07, 0.07]}),
    ("MONOCHROME2", 14, {}),
)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_real_mammograms_wrapped_into_dicom(real_data: Path, tmp_path: Path):
    run = write_small_run(tmp_path / "runs" / "small")
    with (real_data / "manifest.csv").open(newline="") as file:
        of_each_side_and_view = {(row["laterality"], row["view"]): row for row in csv.DictReader(file)}
    shares = []
    for row, (photometric, bits, elements) in zip(of_each_side_and_view.values(), WRAPPINGS, strict=True):
        image = real_data / row["image"]
        pixels = read_pixels(image).astype(np.uint8 if bits == 8 else "<u2")
        (columns, rows), (x0, y0, x1, y1) = pixels.shape, mask_box(read_mask(real_data / row["mask"])[None]) or ()
        width, height = x1 - x0, y1 - y0
        boxes = [(x0, y0, x1, y1), (0, 0, width, height), (columns - width, rows - height, columns, rows)]
        stored = pixels if photometric == "MONOCHROME2" else 2**bits - 1 - pixels
        shape = {"Rows": rows, "Columns": columns, "PixelData": padded(stored.T.tobytes())}
        elements = {"ImageLaterality": row["laterality"][0], **shape, **elements}
        wrapped = write_mammogram(tmp_path / f"{bits}.dcm", mass(0, 0), photometric, bits, **elements)
        for source in (image, wrapped):
            predict(str(source), str(tmp_path / "out"), boxes, run_dir=str(run))
        segmentation = segread(tmp_path / "out" / str(bits) / "segmentation.dcm")
        segments = segmentation.get_pixels_by_source_instance(["1.2.3.4.5"])[0].transpose(2, 1, 0)
        for number, segment in enumerate(segments, start=1):
            of_image, of_dicom = (
                read_mask(tmp_path / "out" / name / f"{name}_{number}_mask.png") for name in (image.stem, str(bits))
            )
            np.testing.assert_array_equal(of_dicom, of_image)
            np.testing.assert_array_equal(segment > 0, of_image)
            shares.append(of_image.mean())
    assert min(shares) > 0


def padded(content: bytes) -> bytes:
    return content + bytes(len(content) % 2)
