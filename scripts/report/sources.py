"""The folders that a report is about: runs and studies, with the data behind them as far as they are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, NotRequired

from annotated_types import Gt, Len, Lt
from pydantic import ConfigDict, FiniteFloat, NonNegativeInt, PositiveInt
from typing_extensions import TypedDict

from custom.data import FILE_KEYS, Datalist
from custom.errors import InputError
from custom.files import FileName, file_sha256, read_json
from custom.handlers import read_lesions
from custom.metrics.vocabulary import ATTRIBUTES, BOX, COUNTS, GROUPS, METRICS, measured_metrics
from custom.runs.folder import MODEL
from scripts.common.cases import Row
from scripts.common.curves import read_curves
from scripts.common.datasets import told_name
from scripts.common.formatting import slug
from scripts.common.study_folder import RECORD, read_record
from scripts.report.blocks import NotThere

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
    order: list[str]
    counts: Annotated[list[Annotated[list[FiniteFloat], Len(2, 2)]], Len(2, 2)]
    row_normalised: Annotated[list[Annotated[list[FiniteFloat | None], Len(2, 2)]], Len(2, 2)]


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


@dataclass(frozen=True)
class _Folder:
    folder: Path

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name


@dataclass(frozen=True)
class Evaluation(_Folder):
    """An evaluation of a run, named after data set, split and how it was tested.

    Attributes:
        summary: Content of `summary.json`.
        lesions: Rows of `lesions.csv`, numbers as float.
        calibration: Rows of `calibration.csv`, numbers as float; empty where there is none.
        data: Data set; None where it is not there or has changed.
    """

    summary: dict[str, Any]
    lesions: list[dict[str, Any]]
    calibration: list[dict[str, Any]]
    data: Datalist | None

    @property
    def bootstrap(self) -> tuple[int, float, int]:
        """Samples, confidence and seed of the intervals."""
        settings = self.summary["settings"]
        return settings["bootstrap_samples"], settings["confidence"], settings["seed"]

    @property
    def confidence(self) -> str:
        """The confidence of the intervals, such as `95 %`."""
        return f"{100 * self.summary['settings']['confidence']:g} %"

    def entry(self, row: Row) -> Row:
        """The datalist's entry of a lesion, with its files.

        Raises:
            NotThere: The data set, or one of its files, is gone.
        """
        if self.data is None:
            raise NotThere(
                f"The mammograms of {told_name(self.summary['dataset'])} are not where {self.name} found them. "
                "Pass the prepared data set by --dataset_dir."
            )
        entry = self.data.entries[row["lesion_id"]]
        for key in FILE_KEYS:
            if not Path(entry[key]).is_file():
                raise NotThere(
                    f"{Path(entry[key]).name}, the {key} of {row['lesion_id']}, is gone from the data set. "
                    "Restore it, or prepare the data set again."
                )
        return entry

    def prediction(self, row: Row) -> Path:
        """The file of a lesion's predicted mask."""
        return self.folder / "predictions" / f"{row['lesion_id']}.png"


@dataclass(frozen=True)
class Run(_Folder):
    """A run.

    Attributes:
        args: Content of `training.json`.
        curves: Value at each epoch of each scalar in the run's events.
        evaluations: Evaluations in the order of their names.
        data: Data set that it was trained on; None where it is not there.
    """

    args: dict[str, Any]
    curves: dict[str, dict[int, float]]
    evaluations: list[Evaluation]
    data: Datalist | None


@dataclass(frozen=True)
class StudyResults(_Folder):
    """What a study has left in its folder.

    Attributes:
        runs: Runs of each arm in the order of their seeds; empty for a study of images.
    """

    runs: dict[str, list[Run]]


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
    data = _find_data(args, own_dataset(args, evaluations).get("datalist_sha256"), dataset_dirs)
    curves = {tag: {epoch: event.value for epoch, event in curve.items()} for tag, curve in read_curves(folder).items()}
    return Run(folder, args, curves, evaluations, data)


def own_dataset(args: Row, evaluations: Sequence[Evaluation]) -> Row:
    """What an evaluation on a run's own data says of them: the run itself names their folder and no more."""
    own = [one.summary["dataset"] for one in evaluations if _place(one.summary["settings"]) == _place(args)]
    return own[0] if own else {"name": PurePath(args["dataset_dir"]).name}


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


def _place(settings: Row) -> tuple[str, str]:
    return settings["dataset_dir"], settings["split"]


def _find_data(settings: Row, datalist_sha256: str | None, dataset_dirs: Sequence[Path]) -> Datalist | None:
    """The first data set whose datalist has the hash; where no hash is known, the first that is there."""
    folder, split = _place(settings)
    for place in (*dataset_dirs, Path(folder)):
        try:
            datalist = Datalist(place, split)
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
