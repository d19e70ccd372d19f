"""Which of the results the pictures are made from."""

from __future__ import annotations

import csv
from pathlib import Path

from custom.data import FILE_KEYS, read_json
from scripts.case import Row
from scripts.prepare.output import UNKNOWN
from scripts.report.blocks import NotThere
from scripts.report.sources import Evaluation, Run, Study
from scripts.study.arm import TEST
from scripts.study.definition import slug
from scripts.study.record import RECORD


def plain_evaluations(run: Run) -> list[Evaluation]:
    """One evaluation of each data set: on the boxes as they are and by the run's own head, where there is one.

    The run's own data set comes first.
    """

    def strangeness(evaluation: Evaluation) -> tuple[bool, bool, float, str]:
        settings = evaluation.summary["settings"]
        return (
            settings["dataset_dir"] != run.args["dataset_dir"],
            settings.get("head") != run.args.get("head"),
            settings.get("box_displacement", 0.0),
            evaluation.name,
        )

    first: dict[str, Evaluation] = {}
    for evaluation in sorted(run.evaluations, key=strangeness):
        first.setdefault(evaluation.summary["dataset"]["datalist_sha256"], evaluation)
    return list(first.values())


def reference_arm(study: Study) -> str:
    """The arm that the study compares the others with."""
    with (study.folder / "table.csv").open(newline="") as table:
        return next(csv.DictReader(table))["reference"]


def tested_alike(study: Study) -> dict[str, list[Evaluation]]:
    """Of each arm the evaluations of its seeds in the study's first test; arms tested on other mammograms are left out.

    Empty for a study without runs.

    Raises:
        NotThere: the runs of the reference are gone.
    """
    if not study.runs:
        return {}
    first = next(iter(read_json(study.folder / RECORD)["tests"]))
    test = slug(first) or TEST
    tested = {
        arm: [evaluation for run in runs for evaluation in run.evaluations if evaluation.name == test]
        for arm, runs in study.runs.items()
    }
    reference = reference_arm(study)
    if not tested.get(reference):
        raise NotThere(f"The runs of the reference, {reference}, are gone. Start the study again to train them anew.")
    source = _source(tested[reference][0])
    return {arm: runs for arm, runs in tested.items() if runs and _source(runs[0]) == source}


def _source(evaluation: Evaluation) -> tuple[str, str]:
    dataset = evaluation.summary["dataset"]
    return dataset["name"], dataset["source"]


def entry_of(evaluation: Evaluation, row: Row) -> Row:
    """The datalist's entry of a lesion of an evaluation, with its files.

    Raises:
        NotThere: the data set, or one of its files, is gone.
    """
    if evaluation.data is None:
        raise NotThere(
            f"The mammograms of {evaluation.summary['dataset']['name']} are not where {evaluation.name} found them. "
            "Pass the prepared data set by --dataset_dir."
        )
    entry = evaluation.data.entries[row["lesion_id"]]
    for key in FILE_KEYS:
        if not Path(entry[key]).is_file():
            raise NotThere(
                f"{Path(entry[key]).name}, the {key} of {row['lesion_id']}, is gone from the data set. "
                "Restore it, or prepare the data set again."
            )
    return entry


def prediction_file(evaluation: Evaluation, row: Row) -> Path:
    """Where the evaluation put the lesion's predicted mask."""
    return evaluation.folder / "predictions" / f"{row['lesion_id']}.png"


def is_known(value: str | None) -> bool:
    """Whether a lesion's metadata say something; data sets write `UNKNOWN` as well as nothing."""
    return value not in (None, "", UNKNOWN)
