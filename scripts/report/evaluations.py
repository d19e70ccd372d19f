"""Which evaluations of a run are shown in full, and what they are called."""

from __future__ import annotations

from typing import Any

from scripts.report.sources import Evaluation, Run
from scripts.study.definition import slug

# The further ones stand in the table of all evaluations alone, or a study of boxes would fill the page.
MOST = 3
# Of a setting that only an evaluation has, the value that changes nothing.
_USUAL = {"box_displacement": 0.0}
# They change where something is or how fast, not what is measured.
_OF_THE_MACHINE = {"dataset_dir", "output_dir", "cache_dir", "num_workers", "batch_size", "processes", "epochs"}


def principal(run: Run) -> list[Evaluation]:
    """The evaluations that are shown in full: with the settings of the training, that on its own data first.

    Where all have other settings, such as displaced boxes, the first one.
    """
    usual = [evaluation for evaluation in run.evaluations if not changed_settings(run, evaluation)]
    own = run.args["dataset_dir"]
    usual.sort(key=lambda evaluation: evaluation.summary["settings"]["dataset_dir"] != own)
    return usual[:MOST] or run.evaluations[:1]


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
    dataset = evaluation.summary["dataset"]
    changes = [f"{name.replace('_', ' ')} {value}" for name, value in sorted(changed_settings(run, evaluation).items())]
    return ", ".join([dataset["name"], f"split {dataset['split']}", *changes])


def suffix(run: Run, evaluation: Evaluation) -> str:
    """What the names of an evaluation's figures end in; empty where it is the only one that is shown in full."""
    return f"_{slug(evaluation.name)}" if len(principal(run)) > 1 else ""


def counts(summary: dict[str, Any]) -> str:
    """`127 lesions of 70 patients`."""
    return f"{count(summary['lesions'], 'lesion')} of {count(summary['patients'], 'patient')}"


def count(number: int, what: str) -> str:
    """`1 lesion`, `2,000 lesions`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
