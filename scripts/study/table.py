"""The table of a study: one row per arm and test, as CSV and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

import numpy as np

from custom.errors import InputError
from custom.metrics.summary import clustered_interval
from scripts.common.formatting import text_table
from scripts.common.results import FIGURE, mean_over_seeds
from scripts.study.cells import further_table, main_table, training_table
from scripts.study.explanations import explanations
from scripts.study.outcome import Outcome
from scripts.study.statistics import compare, holm

Row = dict[str, Any]

MEASURED = {
    "dice": "Dice",
    "precision": "precision",
    "recall": "recall",
    "jaccard": "Jaccard",
    "hausdorff95": "Hausdorff 95, pixels of the source image",
}
BASELINES = {"dice_ellipse": "of the ellipse inscribed in the box", "dice_all_foreground": "of the whole box"}
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
PAPER = ("dice", "precision", "recall", "jaccard", "train_loss", "train_dice", "val_loss", "val_dice")

ORIGIN = {
    "dataset": "data set",
    "split": "split",
    "manifest_sha256": "SHA-256 of its table",
    "datalist_sha256": "SHA-256 of the datalist",
    "seeds": "seeds",
    "epochs": "epochs",
    "image_size": "image size",
    "features": "features",
    "version": "version of the bundle",
    "machine": "machine of the milliseconds",
}


def _measured_columns(name: str, what: str) -> dict[str, str]:
    return {
        name: f"{what}: mean over the seeds' means over the lesions, full mammogram",
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
    **_measured_columns("dice", MEASURED["dice"]),
    "dice_of_seeds": "each seed's mean Dice, with spaces between",
    "difference": "mean Dice minus that of the reference in the same test; empty for the reference",
    "difference_low": "lower end of the difference's interval, clustered by patient",
    "difference_high": "its upper end",
    "significance_test": "`Wilcoxon` (signed ranks) where both arms were tested on the same lesions, else "
    "`Mann-Whitney`",
    "p": "two-sided, not corrected",
    "p_holm": "p corrected by Holm for all comparisons of the study",
    "effect_size": "rank-biserial correlation, -1 to 1; positive where the arm is better",
    **{name: f"Dice {what}, mean over the lesions" for name, what in BASELINES.items()},
    **dict(chain.from_iterable(_measured_columns(*item).items() for item in list(MEASURED.items())[1:])),
    **CURVES,
    **COST,
    **{f"paper_{name}": f"`{name}` as the paper prints it, losses as they are, the rest in percent" for name in PAPER},
}


def study_rows(
    outcomes: Sequence[Outcome], reference: str, samples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> list[Row]:
    """One row for each arm and test, in the order of the outcomes.

    Args:
        outcomes: each arm and test once.
        reference: the arm that the others are compared with, test by test.
        samples: of the bootstrap.
        confidence: of the intervals.
        seed: of the bootstrap.

    Returns:
        Rows with the keys of `COLUMNS`; numbers are not rounded, what does not exist is None.

    Raises:
        InputError: the reference is missing in a test, the seeds of an arm have different lesions, or a figure of the
            paper is none.
    """
    lesions = {(outcome.arm, outcome.test): mean_over_seeds(outcome.arm, outcome.lesions) for outcome in outcomes}
    rows = []
    for outcome in outcomes:
        tested, expected = lesions[outcome.arm, outcome.test], lesions.get((reference, outcome.test))
        if expected is None:
            raise _missing(reference, outcome.test, outcomes)
        row: Row = {name: None for name in COLUMNS}
        row |= _identify(outcome, tested)
        row |= {"reference": reference, "confidence": confidence}
        row |= _measure(outcome, tested, samples, confidence, seed) | _average(outcome) | _published(outcome)
        if outcome.arm != reference:
            comparison = compare(tested, expected, samples, confidence, seed)
            row |= asdict(comparison) | _ends("difference", comparison.interval)
            del row["interval"]
        rows.append(row)
    compared = [row for row in rows if row["p"] is not None]
    for row, p in zip(compared, holm([row["p"] for row in compared]), strict=True):
        row["p_holm"] = p
    return rows


def paper_value(text: str) -> float:
    """The number before the first space of a figure such as `92.92 ± .03`.

    Raises:
        ValueError: there is none.
    """
    return float(text.partition(" ")[0])


def check_published(arm: str, figures: Mapping[str, str]) -> None:
    """Refuse a figure of the paper that is none.

    Raises:
        InputError: names the arm and the metric.
    """
    for name, text in figures.items():
        if name not in PAPER:
            raise InputError(f"arm {arm}: paper's figure for {name!r}; expected one of {', '.join(PAPER)}")
        try:
            paper_value(text)
        except ValueError as error:
            raise InputError(
                f"arm {arm}: paper's figure {text!r} for {name}; expected a number such as '92.92 ± .03'"
            ) from error


def as_csv(rows: Sequence[Row]) -> list[Row]:
    """The rows with one value in each cell, as `table.csv` holds them."""
    return [row | {"dice_of_seeds": " ".join(map(str, row["dice_of_seeds"]))} for row in rows]


def columns_table() -> str:
    """The columns of `table.csv` as a Markdown table."""
    return text_table(("column", "what it is"), [(f"`{name}`", what) for name, what in COLUMNS.items()])


def markdown(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """The study as a page of Markdown beside `figure.png`.

    Args:
        rows: of `study_rows`.
        about: `name` and `description` of the study; `dataset` (its name), `split`, `manifest_sha256`,
            `datalist_sha256`; `seeds`, `epochs`, `image_size`, `features`; `version` of the bundle, `command` that
            repeats the study, `machine` in words; optional `test` (what the tests vary, as a heading) and `note`.
    """
    test = about.get("test", "test")
    blocks = [
        f"# {about['name']}",
        about["description"],
        f"![{about['description']}]({FIGURE})",
        main_table(rows, test),
        "## Further measures",
        further_table(rows, test),
        "## Training and cost",
        training_table(rows),
        "## How to read it",
        "\n".join(f"- {line}" for line in explanations(rows)),
        "## Where it comes from",
        *([about["note"]] if about.get("note") else []),
        text_table(("", ""), [(label, str(about[key])) for key, label in ORIGIN.items() if about[key] is not None]),
        f"```\n{about['command']}\n```",
    ]
    return "\n\n".join(blocks) + "\n"


def _missing(reference: str, test: str, outcomes: Sequence[Outcome]) -> InputError:
    arms = ", ".join(outcome.arm for outcome in outcomes if outcome.test == test)
    where = f"test {test}" if test else "this study"
    return InputError(f"reference {reference!r}: no arm of {where}; expected one of {arms}")


def _identify(outcome: Outcome, tested: Sequence[Row]) -> Row:
    return {
        "arm": outcome.arm,
        "test": outcome.test,
        "lesions": len(tested),
        "patients": len({lesion["patient_id"] for lesion in tested}),
        "seeds": len(outcome.lesions),
    }


def _measure(outcome: Outcome, tested: Sequence[Row], samples: int, confidence: float, seed: int) -> Row:
    patients = [lesion["patient_id"] for lesion in tested]
    row: Row = {name: float(np.mean([lesion[name] for lesion in tested])) for name in BASELINES}
    for name in MEASURED:
        of_seeds = [float(np.mean([lesion[name] for lesion in rows])) for rows in outcome.lesions]
        values = np.array([lesion[name] for lesion in tested])
        row[name] = float(values.mean())
        row[f"{name}_sd"] = float(np.std(of_seeds, ddof=1)) if len(of_seeds) > 1 else None
        row |= _ends(name, clustered_interval(values, patients, samples, confidence, seed))
        if name == "dice":
            row["dice_of_seeds"] = of_seeds
    return row


def _ends(name: str, interval: list[float] | None) -> Row:
    return dict(zip((f"{name}_low", f"{name}_high"), interval or (None, None), strict=True))


def _average(outcome: Outcome) -> Row:
    values = {name: [curve[name] for curve in outcome.curves] for name in CURVES}
    values |= {name: [outcome.cost[name]] for name in COST}
    known = {name: [value for value in column if not math.isnan(value)] for name, column in values.items()}
    return {name: float(np.mean(column)) if column else None for name, column in known.items()}


def _published(outcome: Outcome) -> Row:
    check_published(outcome.arm, outcome.paper)
    return {f"paper_{name}": text for name, text in outcome.paper.items()}
