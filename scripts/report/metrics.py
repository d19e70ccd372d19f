"""How good a run is: every metric with its interval beside the baselines, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from custom.metrics.vocabulary import METRICS, Row
from scripts.common.formatting import metric_text, slug
from scripts.report.blocks import Block, Figure, Figures, NotThere, Table, Text
from scripts.report.figures import dice_violins, new_axes
from scripts.report.run_card import evaluating_command
from scripts.report.sources import Evaluation, Run, StudyResults

# Violins of more evaluations than this say less than their table.
MOST_VIOLINS = 8


def metrics(run: Run) -> list[Block]:
    """Make a table of all evaluations where there are several, then one of every metric of the principal ones."""
    if not run.evaluations:
        raise NotThere(f"The run has not been evaluated. Evaluate it: {evaluating_command(run)}")
    tables = [_metric_table(run, evaluation) for evaluation in run.principal]
    meanings = [
        f"{metric.label[0].upper()}{metric.label[1:]} = {metric.meaning}."
        for metric in METRICS.values()
        if metric.meaning
    ]
    baselines = (
        "The ellipse inscribed in the lesion's box and the whole box need no network: what a network is worth is what "
        "it adds to them."
    )
    return [*_overview(run), *tables, Text(" ".join([*meanings, baselines]))]


def _overview(run: Run) -> list[Block]:
    if len(run.evaluations) < 2:
        return []
    evaluations = {run.title(evaluation): evaluation for evaluation in run.evaluations}
    shown = ("dice", "dice_ellipse", "dice_above_ellipse", "dice_all_foreground")
    rows = [
        [
            name,
            f"{evaluation.summary['lesions']:,} ({evaluation.summary['patients']:,})",
            *(mean_with_interval(evaluation.summary, metric) for metric in shown),
        ]
        for name, evaluation in evaluations.items()
    ]
    caption = (
        f"All evaluations: mean over the lesions, in brackets its {run.evaluations[0].confidence} interval. "
        f"In full below: {', '.join(run.title(evaluation) for evaluation in run.principal)}."
    )
    table = Table(("evaluation", "lesions (patients)", *(METRICS[name].heading for name in shown)), rows, caption)
    if len(evaluations) > MOST_VIOLINS:
        return [table]
    lesions = {name: evaluation.lesions for name, evaluation in evaluations.items()}
    return [table, Figures([dice_violins("dice_by_evaluation", lesions, "evaluation")])]


def _metric_table(run: Run, evaluation: Evaluation) -> Table:
    summary, rows = evaluation.summary, []
    for name, metric in METRICS.items():
        values = summary["per_lesion"][name]
        mean, sd, median, pooled = (
            "" if value is None else metric_text(name, value)
            for value in (*(values[key] for key in ("mean", "sd", "median")), summary["pooled"].get(name))
        )
        rows.append([metric.heading, mean, sd, median, interval(values["interval"], name), pooled])
    caption = (
        f"{run.title(evaluation)}: over {evaluation.tested}. Interval: of the mean, from a bootstrap that draws "
        "whole patients; none with one patient. Pooled: the pixels of all lesions counted together."
    )
    return Table(("metric", "mean", "sd", "median", f"{evaluation.confidence} interval", "pooled"), rows, caption)


def interval(ends: Sequence[float] | None, name: str = "dice") -> str:
    """The interval of a metric, as `.882 to .906`; empty where there is none."""
    return " to ".join(metric_text(name, end) for end in ends) if ends else ""


def mean_with_interval(summary: Row, name: str) -> str:
    """The mean of a metric in a summary or a group of it, as `.895 (.882 to .906)`."""
    values = summary["per_lesion"][name]
    text = metric_text(name, values["mean"])
    return f"{text} ({interval(values['interval'], name)})" if values["interval"] else text


def confusion(run: Run) -> list[Block]:
    """Draw the confusion matrix of each principal evaluation."""
    figures = [
        confusion_figure(
            f"confusion_matrix{run.suffix(evaluation)}",
            np.array(evaluation.summary["confusion_matrix"]["counts"]),
            f"{run.title(evaluation)}: the pixels in the crops of {evaluation.tested}",
        )
        for evaluation in run.principal
    ]
    return [Figures(figures)] if figures else []


def study_confusion(study: StudyResults) -> list[Block]:
    """Draw the confusion matrix of each arm, the pixels of its seeds together."""
    figures = []
    for arm, evaluations in study.first_tests().items():
        counts = [evaluation.summary["confusion_matrix"]["counts"] for evaluation in evaluations]
        seeds = "" if len(counts) == 1 else f", {len(counts)} seeds together"
        pixels = f"{arm}: the pixels in the crops of {evaluations[0].tested}{seeds}"
        figures.append(confusion_figure(f"confusion_matrix_{slug(arm)}", np.sum(counts, axis=0), pixels))
    return [Figures(figures)] if figures else []


def confusion_figure(name: str, matrix: np.ndarray, pixels: str) -> Figure:
    """Draw counts `(2, 2)` and their share of each row; rows are the truth (lesion, background)."""
    classes = ("lesion", "background")
    totals = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)
    drawing, axes = new_axes(3.6, 3.1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), part in np.ndenumerate(shares):
        text = f"{100 * part:.1f} %\n{matrix[row, column]:,.0f}" if totals[row] else "no pixels"
        # Half of the map is too dark for black letters.
        axes.text(column, row, text, ha="center", va="center", color="white" if part > 0.5 else "black")
    axes.set_xticks(range(2), classes)
    axes.set_yticks(range(2), classes, rotation=90, va="center")
    axes.set(xlabel="prediction", ylabel="truth")
    axes.tick_params(length=0)
    found = ", ".join(
        f"{100 * shares[row, row]:.1f} % of the {what} pixels are predicted as {what}"
        for row, what in enumerate(classes)
        if totals[row]
    )
    caption = f"{pixels}. Each row adds up to 100 %; the counts are under the shares."
    return Figure(name, drawing, f"Confusion matrix: {found}.", caption)
