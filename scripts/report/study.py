"""The arms of a study beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scripts.common.formatting import share, slug
from scripts.report.blocks import Block, Document, Figure, Figures, Table
from scripts.report.drawing import draw_violins, tell_medians
from scripts.report.evaluations import average_seeds, first_tests, tested
from scripts.report.lesions import value_told
from scripts.report.metrics import confusion_figure
from scripts.report.sources import Row, Study
from scripts.report.subgroups import ATTRIBUTES, DICE, group_lesions


def document(study: Study) -> list[Block]:
    """The page that the study wrote: its table with statistics, and how to read it."""
    return [Document(study.folder / "table.md")]


def arms(study: Study) -> list[Block]:
    """Dice of the lesions in each arm, and of each arm in each subgroup; in the study's first test."""
    lesions = {arm: average_seeds(arm, evaluations) for arm, evaluations in first_tests(study).items()}
    if not lesions:
        return []
    groups = {arm: [lesion["dice"] for lesion in rows] for arm, rows in lesions.items()}
    figure = Figure(
        "dice_by_arm",
        draw_violins(groups, "arm of the study", DICE),
        f"Dice of the lesions in each arm; medians: {tell_medians(groups)}.",
        f"Each point is a lesion, its Dice averaged over the seeds; the line is the median.{_which_test(study)}",
    )
    table = _subgroup_table(lesions)
    return [Figures([figure]), *([table] if table.rows else [])]


def confusions(study: Study) -> list[Block]:
    """The confusion matrix of each arm, the pixels of its seeds together."""
    figures = []
    for arm, evaluations in first_tests(study).items():
        counts = [evaluation.summary["confusion_matrix"]["counts"] for evaluation in evaluations]
        seeds = "" if len(counts) == 1 else f", {len(counts)} seeds together"
        pixels = f"{arm}: the pixels in the crops of {tested(evaluations[0])}{seeds}"
        figures.append(confusion_figure(f"confusion_matrix_{slug(arm)}", np.sum(counts, axis=0), pixels))
    return [Figures(figures)] if figures else []


def _which_test(study: Study) -> str:
    several = any(len(run.evaluations) > 1 for runs in study.runs.values() for run in runs)
    return " Of the study's tests, the first." if several else ""


def _subgroup_table(lesions: dict[str, list[Row]]) -> Table:
    """A row for each group, a column for each arm; the number of lesions in one column where all arms have the same."""
    same = len({frozenset(lesion["lesion_id"] for lesion in rows) for rows in lesions.values()}) == 1
    rows = []
    for attribute, label in ATTRIBUTES.items():
        of_arm = {arm: group_lesions(of_arm, attribute) for arm, of_arm in lesions.items()}
        for value in sorted(set().union(*of_arm.values())):
            members = [groups.get(value, []) for groups in of_arm.values()]
            number = [f"{len(members[0]):,}"] if same else []
            rows.append(
                [f"{label} {value_told(attribute, value)}", *number, *(_cell(group, same) for group in members)]
            )
    headings = ("group", *(("lesions",) if same else ()), *lesions)
    caption = "Mean Dice over the lesions of each group, each lesion averaged over the seeds"
    return Table(headings, rows, f"{caption}." if same else f"{caption}; in brackets the lesions.")


def _cell(group: Sequence[Row], same: bool) -> str:
    if not group:
        return ""
    mean = share(float(np.mean([lesion["dice"] for lesion in group])))
    return mean if same else f"{mean} ({len(group):,})"
