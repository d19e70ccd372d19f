"""What the folder of a study holds, as a study writes and a report reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from pydantic import ConfigDict
from typing_extensions import TypedDict

from custom.errors import InputError
from custom.files import read_json
from custom.metrics.vocabulary import METRICS

Row = dict[str, Any]

MEASURED = [name for name, metric in METRICS.items() if metric.studied or metric.baseline]


RECORD = "study.json"


class _Record(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    arms: dict[str, dict[str, Any]]
    tests: dict[str, dict[str, Any]]
    switches: NotRequired[dict[str, Any]]
    datasets: NotRequired[list[dict[str, Any]]]


def read_record(folder: Path) -> dict[str, Any]:
    """What a study's folder remembers.

    Raises:
        InputError: the file is damaged.
    """
    record: dict[str, Any] = read_json(folder / RECORD, "choose another --output_dir", _Record)
    return record


# The folder of the one test that has no name.
TEST = "test"


FIGURE, CASES = "figure.png", "cases.png"


def mean_over_seeds(arm: str, lesions: Sequence[Sequence[Row]]) -> list[Row]:
    """`lesion_id`, `patient_id`, measures and baselines of each lesion, averaged over the seeds.

    Args:
        arm: Name of the arm.
        lesions: The rows of `lesions.csv` of each seed.

    Raises:
        InputError: the seeds have different lesions.
    """
    by_seed = [{row["lesion_id"]: row for row in rows} for rows in lesions]
    for number, rows in enumerate(by_seed):
        if rows.keys() != by_seed[0].keys():
            raise InputError(
                f"arm {arm}: seed number {number + 1} was tested on other lesions than the first "
                f"({len(rows)} and {len(by_seed[0])}); evaluate all seeds on one datalist"
            )
    return [
        {
            "lesion_id": lesion,
            "patient_id": row["patient_id"],
            **{
                name: float(np.mean([rows[lesion][name] for rows in by_seed]))
                for name in METRICS
                if METRICS[name].studied or METRICS[name].baseline
            },
        }
        for lesion, row in by_seed[0].items()
    ]
