"""The work on one mammogram: from its boxes to its files and its rows of `predictions.csv`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from custom.errors import UnwritableError, find_input_error
from scripts.common.prediction.boxes import Request
from scripts.common.prediction.outputs import Order, Written, read_findings, write_findings

Row = dict[str, str]


@dataclass(frozen=True)
class Job:
    """The boxes of one mammogram; small, so that it can travel to another process.

    Attributes:
        file: The mammogram.
        folder: Folder of its results, below that of all results.
        requests: Its boxes, at least one, without a fault.
    """

    file: Path
    folder: PurePath
    requests: tuple[Request, ...]


def predict_job(order: Order, job: Job) -> list[Row]:
    """Predict the boxes of one mammogram and write their files.

    Returns:
        A row for each box; where the input is at fault, it says so.

    Raises:
        UnwritableError: A file cannot be written.
    """
    try:
        predictor = order.predictor()
        mammogram, items, faults = predictor.read(job.file), {}, {}
        for request in job.requests:
            try:
                items[request.lesion] = predictor.crop(mammogram, request.box)
            except Exception as error:
                faults[request.lesion] = _fault(error)
        findings = predictor.outline(mammogram, items)
        written = write_findings(order, job.folder, job.requests[0].image, mammogram, findings) if findings else {}
    except Exception as error:
        fault = _fault(error)
        return [failed(request, fault) for request in job.requests]
    return [
        failed(request, faults[request.lesion])
        if request.lesion in faults
        else _done(job, request, written[request.lesion])
        for request in job.requests
    ]


def finished_rows(order: Order, job: Job) -> list[Row]:
    """The rows of a mammogram if all its boxes have been predicted already; none otherwise."""
    written = read_findings(order, job.folder, job.file, {request.lesion: request.box for request in job.requests})
    return [_done(job, request, written[request.lesion]) for request in job.requests] if written else []


def failed(request: Request, fault: str) -> Row:
    """The row of a box that could not be predicted."""
    return _row(request, "failed", reason=fault)


def _done(job: Job, request: Request, written: Written) -> Row:
    files = ";".join((job.folder / file).as_posix() for file in written["files"])
    return _row(request, "done", flags=";".join(written["quality"]["flags"]), files=files)


def _row(request: Request, status: str, flags: str = "", reason: str = "", files: str = "") -> Row:
    start = {"image": request.image, "lesion": request.lesion, "status": status}
    return {**start, "flags": flags, "reason": reason, "files": files}


def _fault(error: Exception) -> str:
    """The line of an error that is the input's fault; any other is raised again."""
    found = find_input_error(error)
    if found is None or isinstance(found, UnwritableError):
        raise found or error
    return str(found)
