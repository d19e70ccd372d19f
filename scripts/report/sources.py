"""What a report is about: the folder of a run or of a study, with the data behind it as far as it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from annotated_types import Gt, Len, Lt
from pydantic import ConfigDict, FiniteFloat, NonNegativeInt, PositiveInt
from typing_extensions import TypedDict

from custom.data import Datalist
from custom.errors import InputError
from custom.files import FileName, file_sha256, read_json
from custom.handlers import read_lesions
from custom.metrics.vocabulary import ATTRIBUTES as METADATA
from custom.metrics.vocabulary import BOX, METRICS
from custom.runs.folder import MODEL
from scripts.common.formatting import slug
from scripts.common.results import RECORD, read_curves, read_record

Row = dict[str, Any]

_MEND = "repeat what wrote it"


class _RunArgs(TypedDict):
    """Of the settings in `training.json`, and in a `summary.json`, what a report shows."""

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
    order: list[str]
    counts: Annotated[list[Annotated[list[FiniteFloat], Len(2, 2)]], Len(2, 2)]
    row_normalised: Annotated[list[Annotated[list[FiniteFloat | None], Len(2, 2)]], Len(2, 2)]


class _Group(TypedDict):
    lesions: PositiveInt
    patients: PositiveInt
    per_lesion: dict[Literal[*METRICS], _Statistics]  # type: ignore[valid-type]
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


_OF_A_BIN = {"lesion_id", "patient_id", "probability_low", "probability_high", "pixels"} | {
    *("mean_probability", "lesion_share"),
}
_OF_A_LESION = {
    *("lesion_id", *METADATA, *BOX, "lesion_pixels", "tp", "fp", "fn", "tn"),
    *("dice", "jaccard", "precision", "recall", "hausdorff95", "dice_ellipse", "dice_all_foreground"),
}


@dataclass(frozen=True)
class Evaluation:
    """An evaluation of a run.

    Attributes:
        folder: holds `lesions.csv`, `summary.json`, `predictions`.
        summary: content of `summary.json`.
        lesions: of `lesions.csv`, numbers as float.
        calibration: rows of `calibration.csv`, numbers as float; empty where there is none.
        data: None where the data set is not there or is another by now.
    """

    folder: Path
    summary: dict[str, Any]
    lesions: list[Row]
    calibration: list[Row]
    data: Datalist | None

    @property
    def name(self) -> str:
        """The name of its folder: data set, split and how it was tested."""
        return self.folder.name


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        folder: of the run.
        args: content of `training.json`.
        curves: of each scalar in the run's events the value at each epoch.
        evaluations: in the order of their names.
        data: that it was trained on; None where it is not there.
    """

    folder: Path
    args: dict[str, Any]
    curves: dict[str, dict[int, float]]
    evaluations: list[Evaluation]
    data: Datalist | None

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name


@dataclass(frozen=True)
class Study:
    """The folder of a study.

    Attributes:
        folder: of the study; its name is the study's.
        runs: of each arm its runs in the order of their seeds; empty for a study of images.
    """

    folder: Path
    runs: dict[str, list[Run]]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name


def read_source(folder: Path, dataset_dirs: Sequence[Path]) -> Run | Study:
    """Read the folder of a run or a study.

    Args:
        folder: of the run or the study.
        dataset_dirs: data sets to look for besides those that the results name; one is used where its datalist is the
            one that a result was made from.

    Raises:
        InputError: it is neither, or a file in it is damaged.
    """
    if (folder / "training.json").is_file():
        return read_run(folder, dataset_dirs)
    if (folder / "table.md").is_file():
        return read_study(folder, dataset_dirs)
    raise InputError(
        f"{folder}: found neither training.json nor table.md; expected the folder of a run, such as runs/NAME, or of a "
        "finished study, such as studies/NAME: pass one to --source"
    )


def read_study(folder: Path, dataset_dirs: Sequence[Path]) -> Study:
    """See `read_source`."""
    arms = read_record(folder)["arms"] if (folder / RECORD).is_file() else ()
    seeds: dict[str, dict[int, Path]] = {arm: {} for arm in arms}
    for run in (folder / "runs").glob("*/training.json"):
        name, _, seed = run.parent.name.rpartition("_seed")
        for arm in arms:
            if slug(arm) == name and seed.isdecimal():
                seeds[arm][int(seed)] = run.parent
    return Study(
        folder, {arm: [read_run(runs[seed], dataset_dirs) for seed in sorted(runs)] for arm, runs in seeds.items()}
    )


def read_run(folder: Path, dataset_dirs: Sequence[Path]) -> Run:
    """See `read_source`."""
    args = read_json(folder / "training.json", _MEND, _RunArgs)
    evaluations = [
        read_evaluation(summary.parent, dataset_dirs) for summary in sorted(folder.glob("evaluation/*/summary.json"))
    ]
    for evaluation in evaluations:
        _check_model(folder, evaluation)
    # A run does not say which datalist it was trained on, but its evaluation on the same data does.
    known = [evaluation.summary for evaluation in evaluations if _place(evaluation.summary["settings"]) == _place(args)]
    data = _find_data(args, known[0]["dataset"]["datalist_sha256"] if known else None, dataset_dirs)
    curves = {tag: {epoch: event.value for epoch, event in curve.items()} for tag, curve in read_curves(folder).items()}
    return Run(folder, args, curves, evaluations, data)


def read_evaluation(folder: Path, dataset_dirs: Sequence[Path]) -> Evaluation:
    """The folder of an evaluation; see `read_source`."""
    summary = read_json(folder / "summary.json", _MEND, _Summary)
    table, calibration = folder / "lesions.csv", folder / "calibration.csv"
    lesions = read_lesions(table)
    bins = read_lesions(calibration) if calibration.is_file() else []
    _check(table, lesions[0] if lesions else {}, _OF_A_LESION)
    if bins:
        _check(calibration, bins[0], _OF_A_BIN)
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


def _place(settings: Row) -> tuple[str, str]:
    return settings["dataset_dir"], settings["split"]


def _find_data(settings: Row, datalist_sha256: str | None, dataset_dirs: Sequence[Path]) -> Datalist | None:
    """The first data set whose datalist is the one that is looked for; any, where no hash is known."""
    folder, split = _place(settings)
    for place in (*dataset_dirs, Path(folder)):
        try:
            datalist = Datalist(place, split)
        except InputError:
            continue
        if datalist_sha256 in (None, file_sha256(datalist.file)):
            return datalist
    return None


def _check(file: Path, found: Row, names: set[str]) -> None:
    """Refuse a file of another version, or that someone changed, before anything is drawn of it."""
    if missing := sorted(names - found.keys()):
        raise InputError(
            f"{file}: {', '.join(missing)} not found, expected in a file of this version; repeat what wrote it"
        )
