"""Files that runs and studies leave in their folders, and how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, ScalarEvent
from typing_extensions import TypedDict

from custom.errors import InputError
from custom.files import read_json
from custom.metrics.vocabulary import METRICS, value_of

Row = dict[str, Any]

RECORD, FIGURE, CASES = "study.json", "figure.png", "cases.png"
# Folder of the one test that has no name.
TEST = "test"


class _Record(TypedDict):
    arms: dict[str, dict[str, Any]]
    tests: dict[str, dict[str, Any]]
    switches: NotRequired[dict[str, Any]]
    datasets: NotRequired[list[dict[str, Any]]]


def read_record(folder: Path) -> dict[str, Any]:
    """Read what a study's folder remembers.

    Raises:
        InputError: The file is damaged.
    """
    return read_json(folder / RECORD, "choose another --output_dir", _Record)


def read_curves(run_dir: Path) -> dict[str, dict[int, ScalarEvent]]:
    """Read every scalar that a run wrote for TensorBoard: its value and time at each epoch, in the epochs' order."""
    events = EventAccumulator(str(run_dir), size_guidance={"scalars": 0})
    events.Reload()
    # A run that was stopped between two checkpoints repeats an epoch: the later event counts.
    points = {tag: {event.step: event for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    return {tag: dict(sorted(curve.items())) for tag, curve in points.items()}


def mean_over_seeds(arm: str, lesions: Sequence[Sequence[Row]]) -> list[Row]:
    """Return `lesion_id`, `patient_id`, metrics and baselines of each lesion, averaged over the seeds of an arm.

    `lesions` are the rows of `lesions.csv` of each seed. The rest of a row is that of the first seed.

    Raises:
        InputError: The seeds have different lesions.
    """
    by_seed = [{row["lesion_id"]: row for row in rows} for rows in lesions]
    for number, rows in enumerate(by_seed):
        if rows.keys() != by_seed[0].keys():
            raise InputError(
                f"arm {arm}: seed number {number + 1} was tested on other lesions than the first "
                f"({len(rows)} and {len(by_seed[0])}); evaluate all seeds on one datalist"
            )
    shown = [name for name, metric in METRICS.items() if metric.studied or metric.baseline]
    return [
        row | {name: float(np.mean([value_of(rows[lesion], name) for rows in by_seed])) for name in shown}
        for lesion, row in by_seed[0].items()
    ]
