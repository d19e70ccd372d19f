"""Numbers of a study: one row for each arm and test, as `table.csv` holds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from custom.errors import InputError
from custom.metrics.vocabulary import METRICS, value_of
from scripts.common.results import mean_over_seeds
from scripts.study.collect import ArmResult
from scripts.study.definition import PAPER
from scripts.study.statistics import CONFIDENCE, compare, holm, mean_interval

Row = dict[str, Any]

# Those that the paper prints come first, in its order.
STUDIED = [name for name in dict.fromkeys((*PAPER, *METRICS)) if name in METRICS and METRICS[name].studied]
BASELINES = [name for name, metric in METRICS.items() if metric.baseline]
CURVES = {
    "train_loss": "training loss at the epoch whose model was kept, mean over the seeds",
    "train_dice": "training Dice there, inside the crop, mean over the seeds",
    "val_loss": "validation loss there, mean over the seeds",
    "val_dice": "validation Dice there, inside the crop, mean over the seeds",
    "best_epoch": "the epoch whose model was kept, mean over the seeds",
    "epochs": "epochs trained, mean over the seeds",
    "seconds_per_epoch": "seconds of one epoch, mean over the seeds in which it was measured",
}
COST = {
    "parameters": "number of the network's parameters",
    "multiply_adds": "number of the network's multiply-adds for one lesion",
    "milliseconds_per_lesion": "milliseconds of the network for one lesion",
}


def _metric_columns(name: str) -> dict[str, str]:
    return {
        name: f"{METRICS[name].heading}: mean over the seeds' means over the lesions, full mammogram",
        f"{name}_sd": "sd (n - 1) of the seeds' means; empty with one seed",
        f"{name}_low": "lower end of the mean's interval, from a bootstrap that draws whole patients; empty with one "
        "patient",
        f"{name}_high": "its upper end",
    }


COLUMNS = {
    "arm": "its name",
    "test": "its name; empty in a study with a single test",
    "reference": "the arm that the others are compared with",
    "lesions": "number of tested lesions",
    "patients": "number of their patients",
    "seeds": "number of trainings of the arm",
    "confidence": "of all intervals, such as 0.95",
    **_metric_columns("dice"),
    "dice_of_seeds": "each seed's mean Dice, with spaces between",
    "difference": "mean Dice minus that of the reference in the same test; empty for the reference",
    "difference_low": "lower end of the difference's interval, clustered by patient",
    "difference_high": "its upper end",
    "significance_test": "`Wilcoxon` (signed ranks) where both arms were tested on the same lesions, else "
    "`Mann-Whitney`",
    "p": "two-sided, not corrected",
    "p_holm": "p corrected by Holm for all comparisons of the study",
    "effect_size": "rank-biserial correlation, -1 to 1; positive where the arm is better",
    **{name: f"{METRICS[name].label}, mean over the lesions" for name in BASELINES},
    **{column: text for name in STUDIED if name != "dice" for column, text in _metric_columns(name).items()},
    **CURVES,
    **COST,
    **{f"paper_{name}": f"`{name}` as the paper prints it, losses as they are, the rest in percent" for name in PAPER},
}


def study_rows(results: Sequence[ArmResult], reference: str) -> list[Row]:
    """Return one row for each arm and test, in the order of the results; `reference` is compared with test by test.

    The keys are those of `COLUMNS`; numbers are not rounded, what does not exist is None.

    Raises:
        InputError: The reference is missing in a test, or the seeds of an arm have different lesions.
    """
    lesions = {(result.arm, result.test): mean_over_seeds(result.arm, result.lesions) for result in results}
    rows = []
    for result in results:
        tested, expected = lesions[result.arm, result.test], lesions.get((reference, result.test))
        if expected is None:
            arms = ", ".join(other.arm for other in results if other.test == result.test)
            where = f"test {result.test}" if result.test else "this study"
            raise InputError(f"reference {reference!r}: no arm of {where}; expected one of {arms}")
        row: Row = dict.fromkeys(COLUMNS)
        row |= {"arm": result.arm, "test": result.test, "reference": reference, "confidence": CONFIDENCE}
        row |= _measure(result, tested) | _average(result)
        row |= {f"paper_{name}": text for name, text in result.paper.items()}
        if result.arm != reference:
            row |= compare(tested, expected)
        rows.append(row)
    compared = [row for row in rows if row["p"] is not None]
    for row, p in zip(compared, holm([row["p"] for row in compared]), strict=True):
        row["p_holm"] = p
    return rows


def _measure(result: ArmResult, tested: Sequence[Row]) -> Row:
    patients = [lesion["patient_id"] for lesion in tested]
    row: Row = {"lesions": len(tested), "patients": len(set(patients)), "seeds": len(result.lesions)}
    row |= {name: float(np.mean([lesion[name] for lesion in tested])) for name in (*STUDIED, *BASELINES)}
    for name in STUDIED:
        of_seeds = [float(np.mean([value_of(lesion, name) for lesion in rows])) for rows in result.lesions]
        low, high = mean_interval([lesion[name] for lesion in tested], patients) or (None, None)
        sd = float(np.std(of_seeds, ddof=1)) if len(of_seeds) > 1 else None
        row |= {f"{name}_sd": sd, f"{name}_low": low, f"{name}_high": high}
        if name == "dice":
            row["dice_of_seeds"] = of_seeds
    return row


def _average(result: ArmResult) -> Row:
    values = {name: [curve[name] for curve in result.curves] for name in CURVES}
    values |= {name: [result.cost[name]] for name in COST}
    known = {name: [value for value in column if not math.isnan(value)] for name, column in values.items()}
    return {name: float(np.mean(column)) if column else None for name, column in known.items()}


def as_csv(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with one value in each cell, as `table.csv` holds them."""
    return [row | {"dice_of_seeds": " ".join(map(str, row["dice_of_seeds"]))} for row in rows]
