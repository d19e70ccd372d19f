"""Of each kind of input, the public entry that reads it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from custom.data import Datalist, boxed_items, lesion_items
from custom.errors import InputError
from custom.findings.dicom.gsps import read_boxes
from custom.findings.dicom.source import read_source
from custom.findings.spacing import read_spacing
from custom.handlers import LesionMasks, RunCheckpoints
from custom.readers import MammogramReader, is_dicom
from custom.runs.folder import epochs_done, evaluation_folder
from custom.runs.settings import CommandLine
from scripts.common.bundle import read_recipe
from scripts.common.prediction.boxes import read_requests
from scripts.common.prediction.images import Images
from scripts.common.prediction.predictor import Predictor
from scripts.common.tables import read_content
from scripts.prepare import inbreast_files
from scripts.prepare.cbis_ddsm import make_tasks
from scripts.prepare.cbis_ddsm_files import index_source, read_tables
from scripts.prepare.cbis_ddsm_pairing import prepare_mammogram
from scripts.prepare.inbreast import AnnotatedImage, find_images, prepare_image
from scripts.prepare.manifest import prepare_manifest
from scripts.report.command import report
from scripts.study.definition import read_study
from tests.hostile.seeds import small_network


def _image(file: Path, output: Path) -> None:
    """As `predict` reads one: pixels, spacing, and of DICOM what a result refers to."""
    pixels, metadata = MammogramReader().get_data(file)
    assert pixels.dtype == np.float32
    assert pixels.ndim == 2
    read_spacing(file, metadata["pixel_spacing"])
    if is_dicom(file):
        read_source(file)


def _gsps(file: Path, output: Path) -> None:
    read_boxes(file)


def _inbreast(file: Path, output: Path) -> None:
    """As `prepare inbreast` works, without its processes."""
    release = inbreast_files.find_release(str(_root(file, "inbreast")))
    sheet_file = release / inbreast_files.SHEET
    sheet = inbreast_files.read_sheet(sheet_file, read_content(sheet_file))
    images, _ = find_images(release / inbreast_files.IMAGES)
    for xml in sorted((release / inbreast_files.ANNOTATIONS).glob("*.xml")):
        image = AnnotatedImage(xml, tuple(images.get(xml.stem, ())), sheet.get(xml.stem, {}), output, False, True)
        _told(row["reason"] for row in prepare_image(image).audit)


def _cbis(file: Path, output: Path) -> None:
    """As `prepare cbis_ddsm` works, without its processes."""
    source = _root(file, "cbis")
    tables = read_tables(source)
    files, _ = index_source(source, output, tables)
    for task in make_tasks(tables.lesions, files, source, output, False):
        _told(columns["reason"] for columns in prepare_mammogram(task).values())


def _told(reasons: object) -> None:
    for reason in reasons:  # type: ignore[attr-defined]
        assert "\n" not in reason, reason


def _root(file: Path, name: str) -> Path:
    return next(parent for parent in file.parents if parent.name == name)


def _manifest(file: Path, output: Path) -> None:
    prepare_manifest(str(file), str(output / "prepared"))


def _boxes(file: Path, output: Path) -> None:
    read_requests(Images(file.parent, (file,)), None, file)


def _datalist(file: Path, output: Path) -> None:
    """As training and inference read it, to the files that they name after it."""
    folder = str(file.parent.parent)
    datalist = Datalist(folder, "patient")
    list(datalist.masks_by_image)
    lesion_items(datalist.part("training"))
    items = boxed_items(datalist.part("test"))
    model = output / "run" / "model.pt"
    masks = LesionMasks(evaluation_folder(str(model), datalist.name, "patient", "test", 0.0, 4))
    result = [{"mask": torch.zeros(1, 8, 8)} for _ in items]
    masks(SimpleNamespace(state=SimpleNamespace(batch=items, output=result)))


def _args_of_training(file: Path, output: Path) -> None:
    from custom.runs.settings import check_names, check_values, switches

    command = CommandLine.parse(["training", "--args_file", str(file)])
    check_names(command)
    known = switches(command.read_config()) if command.config_files else ()
    check_values({name: value for name, value in command.overrides.items() if name in known})


def _recipe(file: Path, output: Path) -> None:
    Predictor(read_recipe(str(file.parent)))


def _last(file: Path, output: Path) -> None:
    """As a resumed training reads it."""
    epochs_done(file.parent)
    network = small_network()
    optimizer = torch.optim.Adam(network.parameters())
    evaluator = SimpleNamespace(state=SimpleNamespace())
    from ignite.engine import Engine

    engine = Engine(lambda engine, batch: None)
    engine.state.device, engine.state.max_epochs = torch.device("cpu"), 5  # type: ignore[attr-defined]
    RunCheckpoints(str(file.parent), network, optimizer, evaluator, resume=True).go_on(engine)  # type: ignore[arg-type]


def _report(file: Path, output: Path) -> None:
    report(str(_root(file, "run")), str(output / "report.html"))


def _study(file: Path, output: Path) -> None:
    study = read_study(str(file))
    for arm in study.arms:
        study.overrides(arm), study.tests_of(arm), study.config_files(arm)


ENTRIES: dict[str, Callable[[Path, Path], None]] = {
    **dict.fromkeys(("DICOM image", "PNG", "JPEG", "NIfTI", "NRRD", "MetaImage"), _image),
    "gsps": _gsps,
    "INbreast XML": _inbreast,
    "INbreast CSV": _inbreast,
    "CBIS-DDSM CSV": _cbis,
    "CBIS-DDSM JPEG": _cbis,
    "manifest CSV": _manifest,
    "boxes CSV": _boxes,
    "boxes COCO": _boxes,
    "datalist": _datalist,
    "model.pt": _recipe,
    "last.pt": _last,
    "args of inference": _recipe,
    "args of training": _args_of_training,
    "training.json of a report": _report,
    "summary.json": _report,
    "lesions.csv": _report,
    "calibration.csv": _report,
    "study JSON": _study,
}


def read(kind: str, file: Path, output: Path) -> None:
    """Give `file` to what reads its kind, which may write below `output`; silent.

    Raises:
        InputError: it is refused.
    """
    with redirect_stdout(StringIO()):
        ENTRIES[kind](file, output)


__all__ = ["ENTRIES", "InputError", "read"]
