"""Runs with their evaluations, and studies: which are shown in full, and what they are called."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from custom.data import FILE_KEYS, Datalist
from scripts.common.cases import Row
from scripts.common.datasets import full_name
from scripts.common.formatting import count_lesions, slug
from scripts.common.results import TEST, mean_over_seeds, read_record
from scripts.report.blocks import NotThere

# Further ones are only in the table of all evaluations, or a study of boxes would fill the page.
MOST = 3
# Settings that only an evaluation has, with the value that changes nothing.
_USUAL = {"box_displacement": 0.0}
# Settings that change where something is or how fast, not what is measured.
_OF_THE_MACHINE = {"dataset_dir", "output_dir", "cache_dir", "num_workers", "batch_size", "processes", "epochs"}


@dataclass(frozen=True)
class _Folder:
    folder: Path

    @property
    def name(self) -> str:
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
    def tested(self) -> str:
        """The number of lesions: `127 lesions of 70 patients`."""
        return count_lesions(self.summary["lesions"], self.summary["patients"])

    @property
    def tested_on(self) -> str:
        """Data set and split: `inbreast_mass, split test`; of phantoms, `synthetic inbreast_mass, split test`."""
        dataset = self.summary["dataset"]
        return f"{full_name(dataset)}, split {dataset['split']}"

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
                f"The mammograms of {full_name(self.summary['dataset'])} are not where {self.name} found them. "
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

    @property
    def dataset(self) -> dict[str, Any]:
        """Provenance of the data set; where it is not there, as an evaluation on it says, or its name alone."""
        if self.data:
            return self.data.provenance
        for evaluation in self.evaluations:
            settings = evaluation.summary["settings"]
            if all(settings[name] == self.args[name] for name in ("dataset_dir", "split")):
                own: dict[str, Any] = evaluation.summary["dataset"]
                return own
        return {"name": PurePath(self.args["dataset_dir"]).name}

    @property
    def principal(self) -> list[Evaluation]:
        """The evaluations that are shown in full: one on each datalist, with the settings of the training.

        The one on the run's own data comes first. Where all have other settings, such as shifted boxes, those that
        differ least are shown.
        """

        def strangeness(evaluation: Evaluation) -> tuple[bool, bool, int, float, str]:
            settings = evaluation.summary["settings"]
            return (
                settings["dataset_dir"] != self.args["dataset_dir"],
                settings["split"] != self.args["split"],
                len(self.changed_settings(evaluation)),
                settings.get("box_displacement", 0.0),
                evaluation.name,
            )

        usual = [evaluation for evaluation in self.evaluations if not self.changed_settings(evaluation)]
        first: dict[str, Evaluation] = {}
        for evaluation in sorted(usual or self.evaluations, key=strangeness):
            first.setdefault(evaluation.summary["dataset"]["datalist_sha256"], evaluation)
        return list(first.values())[:MOST]

    def changed_settings(self, evaluation: Evaluation) -> dict[str, Any]:
        """The settings of an evaluation that differ from those of the training, without data set and split."""
        settings, trained = evaluation.summary["settings"], _USUAL | self.args
        return {
            name: settings[name]
            for name in sorted(settings.keys() & trained.keys() - _OF_THE_MACHINE - {"split"})
            if settings[name] != trained[name]
        }

    def title(self, evaluation: Evaluation) -> str:
        """Data set, split and changed settings: `inbreast_mass, split test, box displacement 0.1`."""
        changes = [f"{name.replace('_', ' ')} {value}" for name, value in self.changed_settings(evaluation).items()]
        return ", ".join([evaluation.tested_on, *changes])

    def suffix(self, evaluation: Evaluation) -> str:
        """The end of the names of an evaluation's figures; empty where it is the only one that is shown in full."""
        return f"_{slug(evaluation.name)}" if len(self.principal) > 1 else ""


@dataclass(frozen=True)
class StudyResults(_Folder):
    """The results in the folder of a study.

    Attributes:
        runs: Runs of each arm in the order of their seeds; empty for a study of images.
    """

    runs: dict[str, list[Run]]

    @property
    def reference(self) -> str:
        """The arm that the study compares the others with."""
        with (self.folder / "table.csv").open(newline="") as table:
            return next(csv.DictReader(table))["reference"]

    def first_tests(self) -> dict[str, list[Evaluation]]:
        """Return the evaluations of each arm's seeds in the study's first test, without the arms that have none."""
        if not self.runs:
            return {}
        test = slug(next(iter(read_record(self.folder)["tests"]))) or TEST
        evaluations = {
            arm: [evaluation for run in runs for evaluation in run.evaluations if evaluation.name == test]
            for arm, runs in self.runs.items()
        }
        return {arm: of_arm for arm, of_arm in evaluations.items() if of_arm}

    def mean_lesions(self, arm: str) -> Sequence[Row]:
        """Return the lesions of an arm in the first test, see `mean_over_seeds`."""
        return mean_over_seeds(arm, [evaluation.lesions for evaluation in self.first_tests()[arm]])

    def comparable_tests(self) -> dict[str, list[Evaluation]]:
        """Return `first_tests` without the arms that were tested on other mammograms than the reference.

        Raises:
            NotThere: The runs of the reference are gone.
        """
        if not self.runs:
            return {}
        evaluations, reference = self.first_tests(), self.reference
        if reference not in evaluations:
            raise NotThere(
                f"The runs of the reference, {reference}, are gone. Start the study again to train them anew."
            )
        datasets = {arm: of_arm[0].summary["dataset"] for arm, of_arm in evaluations.items()}
        sources = {arm: (dataset["name"], dataset["source"]) for arm, dataset in datasets.items()}
        return {arm: of_arm for arm, of_arm in evaluations.items() if sources[arm] == sources[reference]}
