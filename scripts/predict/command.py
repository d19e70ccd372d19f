"""The verb `predict`: from mammograms and boxes to outlines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

import monai
import torch

from custom.errors import InputError, UnwritableError, find_input_error, reason
from custom.files import check_writable, file_sha256, held, write_csv
from custom.findings.dicom.algorithm import Algorithm
from custom.readers import is_dicom
from scripts.common.bundle import bundle_version, read_recipe
from scripts.common.parallel import spread
from scripts.predict.boxes import Request, read_requests
from scripts.predict.engine import Engine, predictor_of
from scripts.predict.images import Images
from scripts.predict.outputs import Format, Written, is_begun, read_written, write_findings

TABLE = "predictions.csv"

Row = dict[str, str]


@dataclass(frozen=True)
class _Job:
    """The boxes of one mammogram; small, so that it can travel to another process."""

    folder: PurePath
    requests: tuple[Request, ...]

    @property
    def file(self) -> Path:
        file = self.requests[0].file
        assert file is not None
        return file


@dataclass(frozen=True)
class _Order:
    """What all mammograms have in common."""

    output_dir: Path
    run_dir: str | None
    form: Format
    probability: bool
    engine: Engine
    model_sha256: str
    settings: dict[str, Any]
    recipe: str


def predict(
    image: str,
    output_dir: str,
    boxes: Any = None,
    boxes_file: str | None = None,
    run_dir: str | None = None,
    format: Format = "png",
    probability: bool = False,
    engine: Engine = "torch",
    scheduler: str | None = None,
) -> None:
    """Outline masses in mammograms, each by the box that is given for it.

    Writes of every lesion a mask of the whole mammogram, a picture and a JSON with measurements and quality flags, and
    of a DICOM mammogram a DICOM SEG and a structured report, into a folder for each mammogram; `predictions.csv` says
    of each box whether it was done, or why not. Running it again does only what is not done yet.

    Args:
        image: a mammogram (DICOM, PNG, JPEG, NIfTI, NRRD or MetaImage), or a folder of them and of folders of them.
        output_dir: made if it is not there.
        boxes: "[x0,y0,x1,y1]" or "[[x0,y0,x1,y1],...]" in pixels of the mammogram, half-open, x = column; for a single
            mammogram.
        boxes_file: instead of --boxes, a CSV (image, x0, y0, x1, y1 and optional lesion_id), a COCO JSON, a DICOM
            presentation state (GSPS), or of a single mammogram a rough mask, with one box for each of its pieces.
        run_dir: take network, weights, filters and sizes from this run; the released weights without it.
        format: of masks and probability maps: png, nii.gz or nrrd.
        probability: write probability maps as well.
        engine: torch, or onnx for ONNX Runtime on the CPU, with a file that is exported beside the model once.
        scheduler: address of a Dask scheduler; without it many mammograms are shared among the cores of this machine.

    Raises:
        InputError: the input is of the wrong kind, a single mammogram or one of its boxes cannot be predicted, or of
            many none, or a result cannot be written.
        Exception: what nobody foresaw, of the first mammogram that met it, when the others are done and the table is
            written.
    """
    recipe = read_recipe(run_dir)
    output = Path(output_dir)
    table = None if boxes_file is None else Path(boxes_file)
    images = Images(Path(image), _no_images(Path(image), output, table))
    requests = read_requests(images, boxes, table)
    run = None if run_dir is None else str(Path(run_dir).resolve())
    order = _Order(
        output.resolve(), run, format, probability, engine, recipe.model_sha256, recipe.settings, recipe.identity
    )
    by_file: dict[Path, list[Request]] = defaultdict(list)
    for request in requests:
        if request.file and not request.fault:
            by_file[request.file].append(request)
    # A worker of a cluster may have been started in another folder.
    jobs = [
        _Job(images.folder(file), tuple(replace(request, file=file.absolute()) for request in found))
        for file, found in by_file.items()
    ]
    with held(output):
        check_writable(output)
        done = {job.folder: rows for job in jobs if (rows := _finished(order, job))}
        left = [job for job in jobs if job.folder not in done]
        if left and engine == "onnx":
            predictor_of(run, recipe.identity, engine)  # exports, so that the processes find the file
        outcomes = _predict_all(order, left, scheduler)
        for job, outcome in zip(left, outcomes, strict=True):
            done[job.folder] = _unforeseen(job, outcome) if isinstance(outcome, Exception) else outcome
        by_lesion = {(row["image"], row["lesion"]): row for rows in done.values() for row in rows}
        rows = [
            by_lesion.get((request.image, request.lesion)) or _failed(request, request.fault) for request in requests
        ]
        write_csv(output / TABLE, rows)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
    _conclude(output, images, requests, rows)
    if run_dir is None:
        print("These are the released weights: what they know, and what they do not, stands in bundle/docs/README.md")


def _no_images(image: Path, output: Path, table: Path | None) -> tuple[Path, ...]:
    """What lies below the folder of the images and is none of them."""
    if image.is_dir() and output.resolve() == image.resolve():
        raise InputError(f"--output_dir {output}: found the folder of the images, expected another; name one")
    within = image.resolve() in output.resolve().parents
    return (*([output] if within else []), *([table] if table else []))


def _predict_all(order: _Order, jobs: Sequence[_Job], scheduler: str | None) -> list[list[Row] | Exception]:
    work = partial(_predict_image, order)
    if len(jobs) > 1 or (jobs and scheduler):
        return spread(work, jobs, scheduler, "Predicting", "image", keep_errors=True)
    try:
        return [work(job) for job in jobs]
    except Exception as error:
        return [error]


def _predict_image(order: _Order, job: _Job) -> list[Row]:
    """The rows of one mammogram after its prediction; whatever is wrong with it is said there.

    Raises:
        UnwritableError: of its files one cannot be written.
    """
    try:
        predictor = predictor_of(order.run_dir, order.recipe, order.engine)
        mammogram = predictor.read(job.file)
        items, faults = {}, {}
        for request in job.requests:
            try:
                items[request.lesion] = predictor.crop(mammogram, request.box)
            except Exception as error:
                faults[request.lesion] = _fault(error)
        written = {}
        if items:
            findings = predictor.outline(mammogram, list(items), list(items.values()))
            kept = [request for request in job.requests if request.lesion in items]
            written = write_findings(
                order.output_dir / job.folder,
                mammogram,
                findings,
                _made_from(order, job.file, kept),
                _about(order, kept[0].image),
                order.form,
                order.probability,
                Algorithm(bundle_version(), order.model_sha256),
            )
    except Exception as error:
        fault = _fault(error)
        return [_failed(request, fault) for request in job.requests]
    return [
        _failed(request, faults[request.lesion])
        if request.lesion in faults
        else _done(request, job, written[request.lesion])
        for request in job.requests
    ]


def _finished(order: _Order, job: _Job) -> list[Row]:
    """The rows of a mammogram all of whose lesions have been predicted already; none otherwise."""
    folder = order.output_dir / job.folder
    if not is_begun(folder, job.requests[0].lesion):
        return []  # without reading the mammogram
    made_from = _made_from(order, job.file, job.requests)
    found = {name: read_written(folder, name, made) for name, made in made_from.items()}
    written = {name: one for name, one in found.items() if one}
    return [_done(request, job, written[request.lesion]) for request in job.requests] if written == found else []


def _made_from(order: _Order, file: Path, requests: Sequence[Request]) -> dict[str, dict[str, Any]]:
    """By the lesion's name, all that decides on its files."""
    shared = {
        "image_sha256": file_sha256(file) if file.is_file() else "",
        "model_sha256": order.model_sha256,
        "settings": order.settings,
        "recipe": order.recipe,
        "format": order.form,
        "probability": order.probability,
        "engine": order.engine,
    }
    # SEG and SR hold all lesions of the mammogram.
    together = {"segments": [request.lesion for request in requests]} if is_dicom(file) else {}
    return {request.lesion: {**shared, **together, "box": list(request.box)} for request in requests}


def _about(order: _Order, image: str) -> dict[str, Any]:
    return {
        "image": image,
        "threshold": order.settings["threshold"],
        "model": {"sha256": order.model_sha256, "network": order.settings["network_name"]},
        "engine": order.engine,
        "versions": {
            "bundle": bundle_version(),
            "monai": monai.__version__,
            "torch": torch.__version__,
            **({"onnxruntime": version("onnxruntime")} if order.engine == "onnx" else {}),
        },
    }


def _done(request: Request, job: _Job, written: Written) -> Row:
    places = ";".join((job.folder / file).as_posix() for file in written.files)
    return _row(request, "done", flags=";".join(written.flags), files=places)


def _failed(request: Request, fault: str) -> Row:
    return _row(request, "failed", reason=fault)


def _unforeseen(job: _Job, error: Exception) -> list[Row]:
    fault = f"{job.file}: unforeseen {type(error).__name__} ({reason(error)}); report it with the traceback"
    if isinstance(error, UnwritableError):
        fault = str(error)
    return [_failed(request, fault) for request in job.requests]


def _row(request: Request, status: str, flags: str = "", reason: str = "", files: str = "") -> Row:
    return {
        "image": request.image,
        "lesion": request.lesion,
        "status": status,
        "flags": flags,
        "reason": reason,
        "files": files,
    }


def _fault(error: Exception) -> str:
    found = find_input_error(error)
    if found is None or isinstance(found, UnwritableError):
        raise found or error
    return str(found)


def _conclude(output: Path, images: Images, requests: Sequence[Request], rows: Sequence[Row]) -> None:
    failed = [row["reason"] for row in rows if row["status"] == "failed"]
    if failed and (images.single or len(failed) == len(rows)):
        others = f" (and {len(failed) - 1} more, see {output / TABLE})" if len(failed) > 1 else ""
        raise InputError(failed[0] + others)
    without_box = sum(request.file is not None and not request.lesion for request in requests)
    boxes, table = len(rows) - without_box, output / TABLE
    print(f"{len(rows) - len(failed)} of {boxes} boxes predicted, written to {output}", end="")
    print(f"; why the others were not stands in {table}" if len(failed) > without_box else "")
    if without_box:
        print(f"mammograms without a box: {without_box}; {table} names them")
    if flagged := sum(bool(row["flags"]) for row in rows):
        print(f"outlines to look at twice: {flagged}; {table} says why under `flags`")
