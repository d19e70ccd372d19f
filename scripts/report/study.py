"""The arms of a study beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scripts.report.blocks import Block, Document, Figure, Figures, Table
from scripts.report.drawing import draw_violins, tell_medians
from scripts.report.evaluations import principal
from scripts.report.metrics import confusion_figure
from scripts.report.sources import Evaluation, Run, Study
from scripts.report.subgroups import ATTRIBUTES, DICE, UNKNOWN, Row, group_lesions, name_of
from scripts.study.cells import share
from scripts.study.definition import slug
from scripts.study.outcome import Outcome
from scripts.study.table import mean_over_seeds


def document(study: Study) -> list[Block]:
    """The page that the study wrote: its table with statistics, and how to read it."""
    return [Document(study.folder / "table.md")]


def arms(study: Study) -> list[Block]:
    """Dice of the lesions in each arm, and of each arm in each subgroup; of several tests, the one as in training."""
    lesions = {arm: rows for arm, runs in study.runs.items() if (rows := lesions_of_arm(arm, runs))}
    if not lesions:
        return []
    groups = {arm: [lesion["dice"] for lesion in rows] for arm, rows in lesions.items()}
    figure = Figure(
        "dice_by_arm",
        draw_violins(groups, "arm of the study", DICE),
        f"Dice of the lesions in each arm; medians: {tell_medians(groups)}.",
        f"Each point is a lesion, its Dice averaged over the seeds; the line is the median. {_which_test(study)}",
    )
    table = _subgroup_table(lesions)
    return [Figures([figure]), *([table] if table.rows else [])]


def confusions(study: Study) -> list[Block]:
    """The confusion matrix of each arm, the pixels of its seeds together."""
    figures = []
    for arm, runs in study.runs.items():
        summaries = [evaluation.summary for evaluation in _evaluations(runs)]
        if summaries:
            matrix = np.sum([summary["confusion_matrix"]["counts"] for summary in summaries], axis=0)
            seeds = "" if len(summaries) == 1 else f", {len(summaries)} seeds together"
            pixels = f"{arm}: pixels in the crops of {summaries[0]['lesions']:,} lesions{seeds}"
            figures.append(confusion_figure(f"confusion_matrix_{slug(arm)}", matrix, pixels))
    return [Figures(figures)] if figures else []


def lesions_of_arm(arm: str, runs: Sequence[Run]) -> list[Row]:
    """Each lesion with its metadata, the measures averaged over the seeds."""
    evaluations = _evaluations(runs)
    if not evaluations:
        return []
    about = {lesion["lesion_id"]: lesion for lesion in evaluations[0].lesions}
    outcome = Outcome(arm, "", [evaluation.lesions for evaluation in evaluations], [], {}, {})
    return [{**about[lesion["lesion_id"]], **lesion} for lesion in mean_over_seeds(outcome)]


def _evaluations(runs: Sequence[Run]) -> list[Evaluation]:
    """Of each seed the first that is shown in full."""
    return [evaluation for run in runs for evaluation in principal(run)[:1]]


def _which_test(study: Study) -> str:
    several = any(len(run.evaluations) > 1 for runs in study.runs.values() for run in runs)
    return "Of the study's tests, the one with the settings of the training." if several else ""


def _subgroup_table(lesions: dict[str, list[Row]]) -> Table:
    """A row for each group, a column for each arm; the number of lesions in one column where all arms have the same."""
    same = len({frozenset(lesion["lesion_id"] for lesion in rows) for rows in lesions.values()}) == 1
    rows = []
    for attribute, label in ATTRIBUTES.items():
        of_arm = {arm: group_lesions(of_arm, attribute) for arm, of_arm in lesions.items()}
        for value in sorted(set().union(*of_arm.values()) - set(UNKNOWN)):
            members = [groups.get(value, []) for groups in of_arm.values()]
            number = [f"{len(members[0]):,}"] if same else []
            rows.append([f"{label} {name_of(attribute, value)}", *number, *(_cell(group, same) for group in members)])
    headings = ("group", *(("lesions",) if same else ()), *lesions)
    caption = "Mean Dice over the lesions of each group, each lesion averaged over the seeds"
    return Table(headings, rows, f"{caption}." if same else f"{caption}; in brackets the lesions.")


def _cell(group: Sequence[Row], same: bool) -> str:
    if not group:
        return ""
    mean = share(float(np.mean([lesion["dice"] for lesion in group])))
    return mean if same else f"{mean} ({len(group):,})"
