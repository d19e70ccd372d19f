"""Reading the folders that a report is about, with the data behind them as far as they are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NotRequired

from annotated_types import Gt, Len, Lt
from pydantic import ConfigDict, FiniteFloat, NonNegativeInt, PositiveInt
from typing_extensions import TypedDict

from custom.data import Datalist
from custom.errors import InputError
from custom.files import FileName, file_sha256, read_json
from custom.handlers import read_lesions
from custom.metrics.vocabulary import ATTRIBUTES, BOX, COUNTS, GROUPS, METRICS, measured_metrics
from custom.runs.folder import MODEL
from scripts.common.cases import Row
from scripts.common.formatting import slug
from scripts.common.results import RECORD, read_curves, read_record
from scripts.report.sources import Evaluation, Run, StudyResults

_REMEDY = "repeat what wrote it"


class _RunArgs(TypedDict):
    """The settings in `training.json` and `summary.json` that a report shows."""

    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    dataset_dir: str
    split: FileName
    seed: NonNegativeInt
    epochs: int
    network_name: str
    image_size: Annotated[list[PositiveInt], Len(2, 2)]
    margin: FiniteFloat
    square: bool
    remove_artifacts: bool
    wiener: bool
    wiener_window: PositiveInt
    clahe: bool
    clahe_clip_limit: FiniteFloat
    clahe_tiles: Annotated[list[PositiveInt], Len(2, 2)]


class _TestSettings(_RunArgs):
    box_displacement: NotRequired[FiniteFloat]
    bootstrap_samples: PositiveInt
    confidence: Annotated[float, Gt(0), Lt(1)]


class _Statistics(TypedDict):
    mean: FiniteFloat
    sd: FiniteFloat | None
    median: FiniteFloat
    interval: Annotated[list[FiniteFloat], Len(2, 2)] | None


class _Matrix(TypedDict):
    counts: Annotated[list[Annotated[list[FiniteFloat], Len(2, 2)]], Len(2, 2)]


class _Group(TypedDict):
    lesions: PositiveInt
    patients: PositiveInt
    per_lesion: dict[str, _Statistics]
    pooled: dict[str, FiniteFloat]
    confusion_matrix: _Matrix


class _Dataset(TypedDict):
    name: str
    split: str
    source: str
    manifest_sha256: str | None
    datalist_sha256: str


class _Summary(_Group):
    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    by: dict[str, dict[str, _Group]]
    parameters: int
    model_sha256: NotRequired[str]
    dataset: _Dataset
    settings: _TestSettings
    versions: dict[str, str]


_BIN_COLUMNS = (
    *("lesion_id", "patient_id", "probability_low", "probability_high"),
    *("pixels", "mean_probability", "lesion_share"),
)


def read_source(folder: Path, dataset_dirs: Sequence[Path]) -> Run | StudyResults:
    """Read the folder of a run or a study.

    Args:
        folder: Folder of the run or the study.
        dataset_dirs: Data sets to look for besides those that the results name; one is used where its datalist is the
            one that a result was made from.

    Raises:
        InputError: The folder is neither, or a file in it is damaged.
    """
    if (folder / "training.json").is_file():
        return read_run(folder, dataset_dirs)
    if (folder / "table.md").is_file():
        return read_study(folder, dataset_dirs)
    raise InputError(
        f"{folder}: found neither training.json nor table.md; expected the folder of a run, such as runs/NAME, or of a "
        "finished study, such as studies/NAME: pass one to --source"
    )


def read_study(folder: Path, dataset_dirs: Sequence[Path]) -> StudyResults:
    """See `read_source`."""
    arms = read_record(folder)["arms"] if (folder / RECORD).is_file() else ()
    seeds: dict[str, dict[int, Path]] = {arm: {} for arm in arms}
    for run in (folder / "runs").glob("*/training.json"):
        name, _, seed = run.parent.name.rpartition("_seed")
        for arm in arms:
            if slug(arm) == name and seed.isdecimal():
                seeds[arm][int(seed)] = run.parent
    return StudyResults(
        folder, {arm: [read_run(runs[seed], dataset_dirs) for seed in sorted(runs)] for arm, runs in seeds.items()}
    )


def read_run(folder: Path, dataset_dirs: Sequence[Path]) -> Run:
    """See `read_source`."""
    args = read_json(folder / "training.json", _REMEDY, _RunArgs)
    evaluations = [
        read_evaluation(summary.parent, dataset_dirs) for summary in sorted(folder.glob("evaluation/*/summary.json"))
    ]
    for evaluation in evaluations:
        _check_model(folder, evaluation)
    curves = {tag: {epoch: event.value for epoch, event in curve.items()} for tag, curve in read_curves(folder).items()}
    run = Run(folder, args, curves, evaluations, None)
    # A run does not say which datalist it was trained on, but its evaluation on the same data does.
    return replace(run, data=_find_data(args, run.dataset.get("datalist_sha256"), dataset_dirs))


def read_evaluation(folder: Path, dataset_dirs: Sequence[Path]) -> Evaluation:
    """Read the folder of an evaluation; see `read_source`."""
    file, table, bins_file = (folder / name for name in ("summary.json", "lesions.csv", "calibration.csv"))
    summary = read_json(file, _REMEDY, _Summary)
    _check(file, summary["by"], GROUPS)
    for group in (summary, *(group for groups in summary["by"].values() for group in groups.values())):
        _check(file, group["per_lesion"], METRICS)
    lesions = read_lesions(table)
    _check(table, lesions[0] if lesions else (), ("lesion_id", *ATTRIBUTES, *BOX, *COUNTS, *measured_metrics()))
    bins = read_lesions(bins_file) if bins_file.is_file() else []
    if bins:
        _check(bins_file, bins[0], _BIN_COLUMNS)
    data = _find_data(summary["settings"], summary["dataset"]["datalist_sha256"], dataset_dirs)
    return Evaluation(folder, summary, lesions, bins, data)


def _check_model(run: Path, evaluation: Evaluation) -> None:
    """Refuse an evaluation of a model that the run has replaced since, by training on."""
    model = run / Path(evaluation.summary["settings"].get("model", MODEL)).name
    sha256 = evaluation.summary.get("model_sha256")
    if sha256 and model.is_file() and file_sha256(model) != sha256:
        raise InputError(
            f"{evaluation.folder}: evaluates an earlier {model.name} of this run; evaluate again, or delete it"
        )


def _find_data(settings: Row, datalist_sha256: str | None, dataset_dirs: Sequence[Path]) -> Datalist | None:
    """The first data set whose datalist has the hash; where no hash is known, the first that is there."""
    for folder in (*dataset_dirs, Path(settings["dataset_dir"])):
        try:
            datalist = Datalist(folder, settings["split"])
        except InputError:
            continue
        if datalist_sha256 in (None, file_sha256(datalist.file)):
            return datalist
    return None


def _check(file: Path, found: Iterable[str], names: Iterable[str]) -> None:
    """Refuse a file of another version, or that someone changed, before anything is drawn of it."""
    if missing := sorted({*names} - {*found}):
        raise InputError(
            f"{file}: {', '.join(missing)} not found, expected in a file of this version; repeat what wrote it"
        )
