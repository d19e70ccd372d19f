"""How good a run is: every metric with its interval beside the baselines, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing

from scripts.common.formatting import share
from scripts.report.blocks import Block, Figure, Figures, NotThere, Table, Text
from scripts.report.drawing import draw_violins, new_axes, tell_medians
from scripts.report.evaluations import principal, suffix, tested, title
from scripts.report.run_card import evaluating_command
from scripts.report.sources import Evaluation, Run

NAMES = {
    "dice": "Dice",
    "jaccard": "Jaccard",
    "precision": "precision",
    "recall": "recall",
    "hausdorff95": "Hausdorff 95, pixels",
    "pixel_accuracy": "pixel accuracy",
    "dice_ellipse": "Dice of the ellipse in the box",
    "dice_above_ellipse": "Dice above that of the ellipse",
    "dice_all_foreground": "Dice of the whole box",
}
MEANINGS = (
    "Dice = twice the pixels that prediction and truth share over the sum of both. Jaccard = the shared pixels over "
    "all that are in either. Precision = the shared pixels over the predicted. Recall = the shared pixels over the "
    "lesion's. Hausdorff 95 = how far the outlines are apart, in pixels of the source image, without the farthest 5 %. "
    "Pixel accuracy = the rightly named pixels over all of the crop; all else is measured in the full mammogram. The "
    "ellipse inscribed in the lesion's box and the whole box need no network: what a network is worth is what it adds "
    "to them."
)
# Violins of more evaluations than this say less than their table.
MOST_VIOLINS = 8


def metrics(run: Run) -> list[Block]:
    """A table of all evaluations where there are several, then every metric of the principal ones.

    Raises:
        NotThere: the run has not been evaluated.
    """
    if not run.evaluations:
        raise NotThere(f"The run has not been evaluated. Evaluate it: {evaluating_command(run)}")
    tables = [_metric_table(run, evaluation) for evaluation in principal(run)]
    return [*_overview(run), *tables, Text(MEANINGS)]


def confusion(run: Run) -> list[Block]:
    """The confusion matrix of each principal evaluation."""
    figures = [
        confusion_figure(
            f"confusion_matrix{suffix(run, evaluation)}",
            np.array(evaluation.summary["confusion_matrix"]["counts"]),
            f"{title(run, evaluation)}: the pixels in the crops of {tested(evaluation)}",
        )
        for evaluation in principal(run)
    ]
    return [Figures(figures)] if figures else []


def confusion_figure(name: str, matrix: np.ndarray, pixels: str) -> Figure:
    """A confusion matrix with the share of each row and the counts.

    Args:
        name: of the figure.
        matrix: counts `(2, 2)`; rows are the truth (lesion, background), columns the prediction.
        pixels: which are counted, in words.
    """
    classes = ("lesion", "background")
    shares = [_share_of_row(matrix, row, row) for row in range(2)]
    found = ", ".join(
        f"{100 * part:.1f} % of the {what} pixels are predicted as {what}"
        for part, what in zip(shares, classes, strict=True)
        if part is not None
    )
    alt = f"Confusion matrix: {found}."
    caption = f"{pixels}. Each row adds up to 100 %; under each share stand the pixels."
    return Figure(name, _draw_confusion(matrix, classes), alt, caption)


def _draw_confusion(matrix: np.ndarray, classes: Sequence[str]) -> Drawing:
    drawing, axes = new_axes(3.6, 3.1)
    shares = np.array([[_share_of_row(matrix, row, column) or 0.0 for column in range(2)] for row in range(2)])
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(2):
        for column in range(2):
            part = _share_of_row(matrix, row, column)
            text = "no pixels" if part is None else f"{100 * part:.1f} %\n{matrix[row, column]:,.0f}"
            # Half of the map is too dark for black letters.
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(2), classes)
    axes.set_yticks(range(2), classes, rotation=90, va="center")
    axes.set(xlabel="prediction", ylabel="truth")
    axes.tick_params(length=0)
    return drawing


def _share_of_row(matrix: np.ndarray, row: int, column: int) -> float | None:
    total = matrix[row].sum()
    return float(matrix[row, column] / total) if total else None


def _overview(run: Run) -> list[Block]:
    if len(run.evaluations) < 2:
        return []
    of = {title(run, evaluation): evaluation for evaluation in run.evaluations}
    names = ("dice", "dice_ellipse", "dice_above_ellipse", "dice_all_foreground")
    rows = [
        [
            name,
            f"{evaluation.summary['lesions']:,} ({evaluation.summary['patients']:,})",
            *(mean_with_interval(evaluation.summary["per_lesion"][metric], metric) for metric in names),
        ]
        for name, evaluation in of.items()
    ]
    shown = ", ".join(title(run, evaluation) for evaluation in principal(run))
    caption = (
        f"All evaluations: mean over the lesions, in brackets its {_confidence(run.evaluations[0])} interval. "
        f"In full below: {shown}."
    )
    table = Table(("evaluation", "lesions (patients)", *(NAMES[name] for name in names)), rows, caption)
    if len(of) > MOST_VIOLINS:
        return [table]
    groups = {name: [lesion["dice"] for lesion in evaluation.lesions] for name, evaluation in of.items()}
    figure = Figure(
        "dice_by_evaluation",
        draw_violins(groups, "evaluation", "Dice of a lesion (1 = perfect)"),
        f"Dice of the lesions in each evaluation; medians: {tell_medians(groups)}.",
        "Each point is a lesion, the line is the median.",
    )
    return [table, Figures([figure])]


def mean_with_interval(values: dict[str, Any], metric: str) -> str:
    """`.895 (.882 to .906)`, of what a summary holds of a metric."""
    form = _form(metric)
    text = form(values["mean"])
    return f"{text} ({interval(values['interval'], form)})" if values["interval"] else text


def _form(metric: str) -> Callable[[float], str]:
    return "{:.1f}".format if metric == "hausdorff95" else share


def interval(ends: Sequence[float] | None, form: Any = share) -> str:
    """`.882 to .906`; empty where there is none."""
    return " to ".join(map(form, ends)) if ends else ""


def _confidence(evaluation: Evaluation) -> str:
    return f"{100 * evaluation.summary['settings']['confidence']:g} %"


def _metric_table(run: Run, evaluation: Evaluation) -> Table:
    summary = evaluation.summary
    rows = []
    for metric, name in NAMES.items():
        form = _form(metric)
        values, pooled = summary["per_lesion"][metric], summary["pooled"].get(metric)
        cells = [None if values[key] is None else form(values[key]) for key in ("mean", "sd", "median")]
        cells += [interval(values["interval"], form), None if pooled is None else form(pooled)]
        rows.append([name, *(cell or "" for cell in cells)])
    percent = _confidence(evaluation)
    caption = (
        f"{title(run, evaluation)}: over {tested(evaluation)}. Interval: of the mean, from a bootstrap that draws "
        "whole patients; none with one patient. Pooled: the pixels of all lesions counted together."
    )
    return Table(("metric", "mean", "sd", "median", f"{percent} interval", "pooled"), rows, caption)
