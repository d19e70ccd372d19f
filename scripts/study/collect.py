"""What the finished runs of a study say: the lesions' scores, the curves, the cost of the networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from custom.handlers import read_lesions
from custom.runs.folder import read_inference
from scripts.common.results import read_curves
from scripts.study.arm import Job
from scripts.study.cost import network_cost
from scripts.study.definition import Study
from scripts.study.outcome import Outcome

# Columns of the table and what the trainings call them.
CURVES = {
    "train_loss": "train/loss",
    "train_dice": "train/dice",
    "val_loss": "validation/loss",
    "val_dice": "validation/dice",
}


def collect(study: Study, jobs: list[Job]) -> list[Outcome]:
    """The outcome of every arm in every test, in the study's order; the cost is measured here, one after the other."""
    by_arm = {arm: [job for job in jobs if job.arm == arm] for arm in study.arms}
    curves = {arm: [at_best_epoch(job.run_dir) for job in runs] for arm, runs in by_arm.items()}
    return [
        Outcome(
            arm=arm,
            test=test,
            lesions=[read_lesions(job.evaluation_dir(test) / "lesions.csv") for job in runs],
            curves=curves[arm],
            cost=run_cost(runs[0].run_dir, study.tests[test]),
            paper=study.paper.get(arm, {}),
        )
        for arm, runs in by_arm.items()
        for test in study.tests_of(arm)
    ]


def at_best_epoch(run_dir: Path) -> dict[str, float]:
    """Loss and Dice of training and validation at the epoch whose model was kept, read from the run's events.

    Returns:
        `train_loss, train_dice, val_loss, val_dice, best_epoch, epochs` and `seconds_per_epoch`: the median time from
        the end of an epoch to the end of the next, validation included; NaN after a single epoch.
    """
    points = read_curves(run_dir)
    dice = points[CURVES["val_dice"]]
    best = max(dice, key=lambda epoch: (dice[epoch].value, -epoch))
    ends = [event.wall_time for event in points[CURVES["train_loss"]].values()]
    return {
        **{name: points[tag][best].value for name, tag in CURVES.items()},
        "best_epoch": best,
        "epochs": len(ends),
        "seconds_per_epoch": float(np.median(np.diff(ends))) if len(ends) > 1 else float("nan"),
    }


def run_cost(run_dir: Path, overrides: Mapping[str, Any]) -> dict[str, float]:
    """The cost of a run's network, as its inference would build it with the `overrides` of a test."""
    parser = read_inference(run_dir / "inference.json", overrides)
    return network_cost(parser.get_parsed_content("network"), tuple(parser["image_size"]))
