"""Which evaluations of a run and of a study are shown in full, and what they are called."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

from scripts.common.datasets import full_name
from scripts.common.formatting import count_lesions, slug
from scripts.common.study_folder import TEST, mean_over_seeds, read_record
from scripts.report.blocks import NotThere
from scripts.report.sources import Evaluation, Row, Run, Study

# The further ones stand in the table of all evaluations alone, or a study of boxes would fill the page.
MOST = 3
# Of a setting that only an evaluation has, the value that changes nothing.
_USUAL = {"box_displacement": 0.0}
# They change where something is or how fast, not what is measured.
_OF_THE_MACHINE = {"dataset_dir", "output_dir", "cache_dir", "num_workers", "batch_size", "processes", "epochs"}


def principal(run: Run) -> list[Evaluation]:
    """The evaluations that are shown in full: one on each datalist, with the settings of the training.

    That on the run's own data comes first. Where all have other settings, such as displaced boxes, those that differ
    least.
    """

    def strangeness(evaluation: Evaluation) -> tuple[bool, bool, int, float, str]:
        settings = evaluation.summary["settings"]
        return (
            settings["dataset_dir"] != run.args["dataset_dir"],
            settings["split"] != run.args["split"],
            len(changed_settings(run, evaluation)),
            settings.get("box_displacement", 0.0),
            evaluation.name,
        )

    usual = [evaluation for evaluation in run.evaluations if not changed_settings(run, evaluation)]
    first: dict[str, Evaluation] = {}
    for evaluation in sorted(usual or run.evaluations, key=strangeness):
        first.setdefault(evaluation.summary["dataset"]["datalist_sha256"], evaluation)
    return list(first.values())[:MOST]


def changed_settings(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """The settings of an evaluation that differ from those of the training, without data set and split."""
    settings, trained = evaluation.summary["settings"], _USUAL | run.args
    return {
        name: settings[name]
        for name in settings.keys() & trained.keys() - _OF_THE_MACHINE - {"split"}
        if settings[name] != trained[name]
    }


def title(run: Run, evaluation: Evaluation) -> str:
    """Data set, split and changed settings: `inbreast_mass, split test, box displacement 0.1`."""
    changes = [f"{name.replace('_', ' ')} {value}" for name, value in sorted(changed_settings(run, evaluation).items())]
    return ", ".join([tested_on(evaluation), *changes])


def tested_on(evaluation: Evaluation) -> str:
    """`inbreast_mass, split test`; `synthetic inbreast_mass, split test` of phantoms."""
    dataset = evaluation.summary["dataset"]
    return f"{full_name(dataset)}, split {dataset['split']}"


def suffix(run: Run, evaluation: Evaluation) -> str:
    """What the names of an evaluation's figures end in; empty where it is the only one that is shown in full."""
    return f"_{slug(evaluation.name)}" if len(principal(run)) > 1 else ""


def tested(evaluation: Evaluation) -> str:
    """`127 lesions of 70 patients`."""
    return count_lesions(evaluation.summary["lesions"], evaluation.summary["patients"])


def reference_arm(study: Study) -> str:
    """The arm that the study compares the others with."""
    with (study.folder / "table.csv").open(newline="") as table:
        return next(csv.DictReader(table))["reference"]


def first_tests(study: Study) -> dict[str, list[Evaluation]]:
    """Of each arm the evaluations of its seeds in the study's first test; without the arms that have none."""
    if not study.runs:
        return {}
    test = slug(next(iter(read_record(study.folder)["tests"]))) or TEST
    evaluations = {
        arm: [evaluation for run in runs for evaluation in run.evaluations if evaluation.name == test]
        for arm, runs in study.runs.items()
    }
    return {arm: of_arm for arm, of_arm in evaluations.items() if of_arm}


def comparable_tests(study: Study) -> dict[str, list[Evaluation]]:
    """`first_tests` without the arms that were tested on other mammograms than the reference.

    Empty for a study without runs.

    Raises:
        NotThere: the runs of the reference are gone.
    """
    if not study.runs:
        return {}
    evaluations, reference = first_tests(study), reference_arm(study)
    if reference not in evaluations:
        raise NotThere(f"The runs of the reference, {reference}, are gone. Start the study again to train them anew.")
    source = _source(evaluations[reference][0])
    return {arm: of_arm for arm, of_arm in evaluations.items() if _source(of_arm[0]) == source}


def average_seeds(arm: str, evaluations: Sequence[Evaluation]) -> list[Row]:
    """The lesions of an arm with their metadata, the measures averaged over the seeds.

    Args:
        arm: its name.
        evaluations: of its seeds.

    Raises:
        InputError: the seeds were tested on different lesions.
    """
    about = {lesion["lesion_id"]: lesion for lesion in evaluations[0].lesions}
    lesions = mean_over_seeds(arm, [evaluation.lesions for evaluation in evaluations])
    return [about[lesion["lesion_id"]] | lesion for lesion in lesions]


def _source(evaluation: Evaluation) -> tuple[str, str]:
    dataset = evaluation.summary["dataset"]
    return dataset["name"], dataset["source"]
