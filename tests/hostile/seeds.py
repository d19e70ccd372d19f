"""Whole inputs of every kind, to be damaged: phantoms, and parts of real mammograms where there are any."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import itk
import nibabel
import numpy as np
import pydicom
import torch
from monai.bundle import ConfigParser
from PIL import Image
from pydicom import uid

from custom.metrics.summary import summarise
from custom.metrics.vocabulary import ATTRIBUTES as METADATA
from custom.metrics.vocabulary import BOX
from custom.runs.folder import OF_THE_MACHINE
from custom.runs.settings import switches
from scripts.phantoms.command import phantoms
from scripts.prepare.manifest import prepare_manifest
from tests.custom.findings.dicom.test_gsps import AROUND_PIXELS, annotation, graphic, write_state

ROOT = Path(__file__).parents[2]
SMALL = {"image_size": [32, 32], "features": [4, 4, 8, 8, 16, 4]}
FRAME = (160, 160)


@dataclass(frozen=True)
class Seed:
    """An input to damage.

    Attributes:
        kind: of the input; names what reads it.
        form: of its bytes; names the ways to damage it.
        file: to damage, in `folder`.
        folder: that is read as a whole; copied for each damage.
    """

    kind: str
    form: str
    file: Path
    folder: Path


def make_seeds(folder: Path) -> list[Seed]:
    """Write a seed or more of every kind below `folder`."""
    with redirect_stdout(StringIO()):
        return [*_images(folder / "images"), *_tables(folder), *_runs(folder)]


def _images(folder: Path) -> Iterator[Seed]:
    tree = folder / "phantoms"
    phantoms(str(tree), "inbreast", patients=1, image_size=list(FRAME))
    dicom = next(tree.rglob("*.dcm"))
    frames = [("phantom", pydicom.dcmread(dicom).pixel_array)]
    if os.environ.get("MAMMO_REAL_DATA"):
        frames.append(("real", _real_frame(Path(os.environ["MAMMO_REAL_DATA"]))))
    for name, frame in frames:
        eight = (frame // max(1, frame.max() // 255)).clip(0, 255).astype(np.uint8)
        yield from _of_frame(folder / name, dicom, frame.astype(np.uint16), eight)
    state = _folder(folder / "gsps")
    marks = (graphic("POLYLINE", AROUND_PIXELS), graphic("ELLIPSE", (5, 20, 15, 20, 10, 18, 10, 22)))
    yield Seed("gsps", "dicom", write_state(state / "marks.dcm", annotation(*marks, images=["1.2.1"])), state)


def _of_frame(folder: Path, dicom: Path, frame: np.ndarray, eight: np.ndarray) -> Iterator[Seed]:
    dataset = pydicom.dcmread(dicom)
    dataset.Rows, dataset.Columns = frame.shape
    dataset.PixelData = frame.tobytes()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    for name, syntax in {"plain": None, "rle": uid.RLELossless, "j2k": uid.JPEG2000Lossless}.items():
        if syntax:
            dataset.compress(syntax, encoding_plugin="pydicom" if name == "rle" else "pylibjpeg")
        place = _folder(folder / f"dicom_{name}")
        dataset.save_as(place / "image.dcm")
        yield Seed("DICOM image", "dicom", place / "image.dcm", place)
        dataset = pydicom.dcmread(folder / "dicom_plain" / "image.dcm")
    for name, pixels in {"eight": eight, "sixteen": frame}.items():
        place = _folder(folder / f"png_{name}")
        Image.fromarray(pixels).save(place / "image.png")
        yield Seed("PNG", "png", place / "image.png", place)
    place = _folder(folder / "jpeg")
    Image.fromarray(eight).save(place / "image.jpg", quality=90)
    yield Seed("JPEG", "bytes", place / "image.jpg", place)
    for name in ("image.nii", "image.nii.gz"):
        place = _folder(folder / name)
        nibabel.save(nibabel.Nifti1Image(frame.T, np.diag([0.07, 0.05, 1, 1])), place / name)
        yield Seed("NIfTI", "header", place / name, place)
    for name, packed in {"image.nrrd": True, "plain.nrrd": False, "image.mha": True, "image.mhd": False}.items():
        place = _folder(folder / name)
        itk.imwrite(itk.image_from_array(np.ascontiguousarray(frame)), str(place / name), compression=packed)
        yield Seed("NRRD" if name.endswith("nrrd") else "MetaImage", "header", place / name, place)


def _real_frame(folder: Path) -> np.ndarray:
    """A piece of a real mammogram, small enough for many repetitions."""
    with (folder / "manifest.csv").open(newline="") as table:
        row = next(csv.DictReader(table))
    with Image.open(folder / row["image"]) as image:
        return np.asarray(image.convert("I").resize(FRAME)).astype(np.uint16)


def _tables(folder: Path) -> Iterator[Seed]:
    inbreast = _folder(folder / "inbreast")
    phantoms(str(inbreast), "inbreast", patients=1, image_size=list(FRAME))
    xml = next(inbreast.rglob("*.xml"))
    yield Seed("INbreast XML", "xml", xml, inbreast)
    yield Seed("INbreast CSV", "csv", next(inbreast.rglob("INbreast.csv")), inbreast)
    cbis = _folder(folder / "cbis")
    phantoms(str(cbis), "cbis_ddsm", patients=2, image_size=list(FRAME), variant="jpeg")
    for table in (next(cbis.rglob("mass_case_description_train_set.csv")), next(cbis.rglob("dicom_info.csv"))):
        yield Seed("CBIS-DDSM CSV", "csv", table, cbis)
    yield Seed("CBIS-DDSM JPEG", "bytes", next(cbis.rglob("*.jpg")), cbis)
    own = _folder(folder / "manifest")
    phantoms(str(own), "manifest", patients=2, image_size=list(FRAME))
    yield Seed("manifest CSV", "csv", next(own.glob("*.csv")), own)

    boxes = _folder(folder / "boxes")
    for name in ("a", "b"):
        shutil.copy(next((own).rglob("*.png")), boxes / f"{name}.png")
    (boxes / "boxes.csv").write_text("image,lesion_id,x0,y0,x1,y1\na.png,l1,5,5,30,30\nb.png,l2,5.5,5,30,30\n")
    yield Seed("boxes CSV", "csv", boxes / "boxes.csv", boxes)
    coco = {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "annotations": [{"id": n, "image_id": n, "bbox": [5, 5, 25, 25.5]} for n in (1, 2)],
    }
    (boxes / "boxes.json").write_text(json.dumps(coco))
    yield Seed("boxes COCO", "json", boxes / "boxes.json", boxes)

    prepared = _folder(folder / "prepared")
    prepare_manifest(str(next(own.glob("*.csv"))), str(prepared), copy=True)
    with (prepared / "audit.csv").open(newline="") as table:
        names = ("lesion_id", *METADATA)
        lesions = [
            {"image": f"images/{Path(row['image']).name}", "label": f"masks/{row['lesion_id']}.png"}
            | {name: row.get(name) or "N/A" for name in names}
            for row in csv.DictReader(table)
        ]
    content = {"name": "prepared", "source": "phantoms", "manifest_sha256": "0", "training": lesions[:2]}
    content |= {"validation": lesions[2:3], "test": [lesions[0] | {"box": [5, 5, 30, 30]}, lesions[1]]}
    (_folder(prepared / "datalists") / "patient.json").write_text(json.dumps(content))
    yield Seed("datalist", "json", prepared / "datalists" / "patient.json", prepared)


def _runs(folder: Path) -> Iterator[Seed]:
    run = _folder(folder / "run")
    config = ConfigParser()
    config.read_config(str(ROOT / "bundle" / "configs" / "train.json"))
    config.update(SMALL)
    args = {name: config[name] for name in switches(config) if name not in OF_THE_MACHINE}
    args |= {"bundle_root": str(ROOT / "bundle"), "processes": 1}
    args |= {"dataset_dir": "nowhere", "output_dir": "nowhere", "cache_dir": "nowhere"}
    configs = ROOT / "bundle" / "configs"
    training = {"run_id": "training", "config_file": [str(configs / "train.json")], **args}
    (run / "training.json").write_text(json.dumps(training))
    known = ConfigParser.load_config_file(str(configs / "inference.json"))
    inference = {name: value for name, value in args.items() if name in known}
    inference |= {"run_id": "inference", "config_file": [str(configs / "inference.json")]}
    (run / "inference.json").write_text(json.dumps(inference))

    network = small_network()
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.zeros(1, 1, 32, 32)).sum().backward()
    optimizer.step()
    torch.save(network.state_dict(), run / "model.pt")
    trainer = {"epoch_length": 3, "max_epochs": 4, "iteration": 6}
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "trainer": trainer}
    torch.save(state | {"best": {"metric": 0.5, "epoch": 1}}, run / "last.pt")
    evaluation = _folder(run / "evaluation" / "prepared_patient")
    rows = [_lesion_row(number) for number in range(6)]
    with (evaluation / "lesions.csv").open("w", newline="") as table:
        writer = csv.DictWriter(table, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (evaluation / "calibration.csv").write_bytes(_calibration(rows))
    dataset = {"name": "prepared", "split": "patient", "source": "x", "manifest_sha256": "0", "datalist_sha256": "0"}
    summary = {
        "parameters": 1,
        "dataset": dataset,
        "settings": args | {"model": "model.pt", "box_displacement": 0.0, "bootstrap_samples": 10, "confidence": 0.95},
        "versions": {"bundle": "0.1.0", "monai": "1", "torch": "2"},
        **summarise(rows, 10),
    }
    (evaluation / "summary.json").write_text(json.dumps(summary))
    for kind, name in {"model.pt": "model.pt", "last.pt": "last.pt"}.items():
        yield Seed(kind, "bytes", run / name, run)
    yield Seed("args of inference", "json", run / "inference.json", run)
    yield Seed("args of training", "json", run / "training.json", run)
    yield Seed("training.json of a report", "json", run / "training.json", run)
    yield Seed("summary.json", "json", evaluation / "summary.json", run)
    yield Seed("lesions.csv", "csv", evaluation / "lesions.csv", run)
    yield Seed("calibration.csv", "csv", evaluation / "calibration.csv", run)
    study = _folder(folder / "study")
    arms = {"a": {"wiener": True}, "b": {"wiener": False, "tests": ["usual"]}}
    tests = {"usual": {}}
    about = {"description": "x", "reference": "a", "arms": arms, "tests": tests, "paper": {"a": {"dice": "90.1"}}}
    (study / "mine.json").write_text(json.dumps(about))
    yield Seed("study JSON", "json", study / "mine.json", study)


def small_network() -> torch.nn.Module:
    """The network of the seeds' run."""
    config = ConfigParser()
    config.read_config(str(ROOT / "bundle" / "configs" / "train.json"))
    config.update(SMALL)
    network: torch.nn.Module = config.get_parsed_content("network_def")
    return network


def _lesion_row(number: int) -> dict[str, object]:
    texts = {"lesion_id": f"T_{number}", **dict.fromkeys(METADATA, "3"), "patient_id": f"P{number // 2}"}
    counts = {"tp": 80 + number, "fp": 10, "fn": 20, "tn": 300}
    scores = dict.fromkeys(("jaccard", "precision", "recall", "dice_all_foreground", "dice_ellipse"), 0.5 + number / 20)
    box = dict(zip(BOX, (1.0, 2.0, 30.0, 40.0), strict=True))
    dice = {"dice": 0.6 + number / 50, "hausdorff95": 3.0 + number}
    return texts | dice | scores | counts | box | {"lesion_pixels": 100 + number}


def _calibration(rows: list[dict[str, object]]) -> bytes:
    head = "lesion_id,patient_id,probability_low,probability_high,pixels,mean_probability,lesion_share"
    bins = [(0.0, 0.1, 300, 0.02, 0.01), (0.9, 1.0, 100, 0.95, 0.9)]
    lines = [",".join(map(str, (row["lesion_id"], row["patient_id"], *one))) for row in rows for one in bins]
    return "\n".join([head, *lines, ""]).encode()


def _folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
