"""The verb `predict`: from mammograms and boxes to outlines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from custom.errors import InputError, UnwritableError, reason
from custom.files import check_writable, held, write_csv
from scripts.common.parallel import parallel_map
from scripts.common.prediction.boxes import Request, read_requests
from scripts.common.prediction.engine import Engine
from scripts.common.prediction.images import Images
from scripts.common.prediction.jobs import Job, Row, failed, finished_rows, predict_job
from scripts.common.prediction.outputs import Format, Order

TABLE = "predictions.csv"


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

    Writes for every lesion a mask of the whole mammogram, a picture and a JSON with measurements and quality flags, and
    for a DICOM mammogram a DICOM SEG and a structured report, into a folder for each mammogram; `predictions.csv` says
    for each box whether it was done, or why not. Running it again does only what is not done yet.

    Args:
        image: A mammogram (DICOM, PNG, JPEG, NIfTI, NRRD or MetaImage), or a folder of them and of folders of them.
        output_dir: Folder of all results; made if it is not there.
        boxes: "[x0,y0,x1,y1]" or "[[x0,y0,x1,y1],...]" in pixels of the mammogram, half-open, x = column; for a single
            mammogram.
        boxes_file: Instead of --boxes, a CSV (image, x0, y0, x1, y1 and optional lesion_id), a COCO JSON, a DICOM
            presentation state (GSPS), or for a single mammogram a rough mask, with one box for each of its pieces.
        run_dir: Take network, weights, filters and sizes from this run; without it, use the released weights.
        format: Format of masks and probability maps: png, nii.gz or nrrd.
        probability: Write probability maps as well.
        engine: torch, or onnx for ONNX Runtime on the CPU, with a file that is exported beside the model once.
        scheduler: Address of a Dask scheduler; without it many mammograms are shared among the cores of this machine.

    Raises:
        InputError: The input is of the wrong kind, a single mammogram or one of its boxes cannot be predicted, or of
            many none, or a result cannot be written.
        Exception: The first unexpected error, re-raised after all other mammograms are done and the table is written.
    """
    order = Order.read(output_dir, run_dir, format, probability, engine)
    output, root = Path(output_dir), Path(image)
    table = None if boxes_file is None else Path(boxes_file)
    if root.is_dir() and output.resolve() == root.resolve():
        raise InputError(f"--output_dir {output}: found the folder of the images, expected another; name one")
    images = Images(root, without=[output, *([table] if table else [])])
    requests = read_requests(images, boxes, table)
    possible = groupby((request for request in requests if not request.fault), key=lambda request: request.file)
    # A worker of a cluster may have been started in another folder.
    jobs = [Job(file.absolute(), images.folder(file), tuple(found)) for file, found in possible if file]
    with held(output):
        check_writable(output)
        done = {job: rows for job in jobs if (rows := finished_rows(order, job))}
        left = [job for job in jobs if job not in done]
        if left and engine == "onnx":
            order.predictor()  # exports, so that the processes find the file
        outcomes = _predict_all(order, left, scheduler)
        for job, outcome in zip(left, outcomes, strict=True):
            done[job] = _unforeseen(job, outcome) if isinstance(outcome, Exception) else outcome
        found = {request: row for job in done for request, row in zip(job.requests, done[job], strict=True)}
        rows = [found.get(request) or failed(request, request.fault) for request in requests]
        write_csv(output / TABLE, rows)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
    _conclude(output, images, requests, rows)
    if run_dir is None:
        print("These are the released weights: what they know, and what they do not, stands in bundle/docs/README.md")


def _predict_all(order: Order, jobs: Sequence[Job], scheduler: str | None) -> list[list[Row] | Exception]:
    work = partial(predict_job, order)
    if len(jobs) > 1 or (jobs and scheduler):
        return parallel_map(work, jobs, scheduler, "Predicting", "image", keep_errors=True)
    try:
        return [work(job) for job in jobs]
    except Exception as error:
        return [error]


def _unforeseen(job: Job, error: Exception) -> list[Row]:
    fault = f"{job.file}: unforeseen {type(error).__name__} ({reason(error)}); report it with the traceback"
    if isinstance(error, UnwritableError):
        fault = str(error)
    return [failed(request, fault) for request in job.requests]


def _conclude(output: Path, images: Images, requests: Sequence[Request], rows: Sequence[Row]) -> None:
    faults = [row["reason"] for row in rows if row["status"] == "failed"]
    if faults and (images.single or len(faults) == len(rows)):
        others = f" (and {len(faults) - 1} more, see {output / TABLE})" if len(faults) > 1 else ""
        raise InputError(faults[0] + others)
    without_box = sum(request.file is not None and not request.lesion for request in requests)
    boxes, table = len(rows) - without_box, output / TABLE
    print(f"{len(rows) - len(faults)} of {boxes} boxes predicted, written to {output}", end="")
    print(f"; why the others were not stands in {table}" if len(faults) > without_box else "")
    if without_box:
        print(f"mammograms without a box: {without_box}; {table} names them")
    if flagged := sum(bool(row["flags"]) for row in rows):
        print(f"outlines to look at twice: {flagged}; {table} says why under `flags`")
