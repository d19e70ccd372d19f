"""The verb `card`: what the released weights are worth, put into the model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from custom.errors import InputError
from custom.files import write_if_changed
from custom.handlers.lesion_results import BOX
from custom.transforms import lesion_window
from scripts.case import CONTEXT, Row, by_dice, read_case
from scripts.document import check_place, put
from scripts.drawing import drawn_as
from scripts.predict.predictor import RELEASED
from scripts.report.figures import DPI, WIDTH, figure_style
from scripts.report.lesions import diameter, entry_of, prediction_file
from scripts.report.metrics import NAMES, mean_with_interval
from scripts.report.outlined import COLOURS, show_box, show_outlined
from scripts.report.panels import describe as told
from scripts.report.panels import size_told
from scripts.report.sources import Evaluation, read_evaluation
from scripts.report.subgroups import summaries
from scripts.study.cells import share, text_table
from scripts.study.palette import GREY

PLACE = ("released", "weights")
SHOWN = ("dice", "dice_ellipse", "dice_all_foreground", "jaccard", "precision", "recall", "hausdorff95")
WORST, COLUMNS = 8, 4


def card(document: str, evaluation_dir: str | None = None, dataset_dir: str | None = None) -> None:
    """Put tables and the worst outlines of the released weights into a document.

    Args:
        document: a Markdown file with the lines `<!-- released weights -->` and `<!-- end weights -->`. The
            figure is written beside it; it shows outlines and no mammogram, so that it may be passed on.
        evaluation_dir: holds the folders of the evaluations; by default those beside the released weights.
        dataset_dir: prepared data set to take masks from if it is no longer where the evaluations found it.

    Raises:
        InputError: there are no evaluations, one is of other weights or damaged, their data are gone, or the document
            has no place for them.
    """
    folder = Path(evaluation_dir) if evaluation_dir else RELEASED.parent / "evaluation"
    datasets = [Path(dataset_dir)] if dataset_dir else []
    evaluations = [read_evaluation(file.parent, datasets) for file in folder.glob("*/summary.json")]
    if not evaluations:
        raise InputError(f"{folder}: no evaluation in it; run `evaluating` with --model {RELEASED} first")
    evaluations.sort(key=lambda one: one.summary["settings"].get("box_displacement", 0.0))
    for one in evaluations:
        model = one.summary["settings"].get("model")
        if Path(str(model)).resolve() != RELEASED.resolve():
            raise InputError(f"{one.folder}: an evaluation of {model}, expected one of {RELEASED}; take it away")
    file = Path(document)
    check_place(file, *PLACE)
    picture = file.with_name(f"{file.stem}_failures.png")
    worst = by_dice(evaluations[-1].lesions)[:WORST]
    with figure_style():
        drawn = drawn_as(_outlines(evaluations[-1], worst), "png", DPI)
    write_if_changed(picture, drawn)
    put(file, *PLACE, _page(evaluations, worst, picture.name))


def _page(evaluations: Sequence[Evaluation], worst: Sequence[Row], picture: str) -> str:
    boxes = [_boxes(one) for one in evaluations]
    summary = evaluations[0].summary
    confidence = f"{100 * summary['settings']['confidence']:g} %"
    whole = [
        [name, *(mean_with_interval(one.summary["per_lesion"][metric], metric) for metric in SHOWN)]
        for name, one in zip(boxes, evaluations, strict=True)
    ]
    groups = [summaries(one) for one in evaluations]
    by_group = [
        [name, f"{group['lesions']}", f"{group['patients']}"]
        + [mean_with_interval(of_one[name]["per_lesion"]["dice"], "dice") for of_one in groups]
        for name, group in groups[0].items()
    ]
    cases = [
        [
            row["lesion_id"],
            told(row).strip(" ()"),
            f"{diameter(row):.0f}",
            *(share(row[key]) for key in ("dice", "dice_ellipse", "precision", "recall")),
            size_told(row),
        ]
        for row in worst
    ]
    parts = [
        f"Mean over {summary['lesions']} lesions of {summary['patients']} patients, in brackets its {confidence} "
        "interval from a bootstrap that draws whole patients; measured in the full mammogram, distances in its pixels.",
        text_table(["boxes", *(NAMES[metric] for metric in SHOWN)], whole),
        "Dice by group. The diameter is that of the circle with as many pixels as the lesion, a quarter of the lesions "
        "in each group.",
        text_table(["group", "lesions", "patients", *boxes], by_group),
        f"The {len(worst)} lowest Dice with boxes {boxes[-1]}:",
        text_table(
            ["lesion", "known", "diameter", "Dice", "ellipse", "precision", "recall", "the outline"],
            cases,
        ),
        f"![Outlines of the {len(worst)} lesions with the lowest Dice]({picture})",
        f"*The same lesions without their mammograms. {COLOURS} Grey: the box that was given.*",
    ]
    return "\n\n".join(parts)


def _boxes(evaluation: Evaluation) -> str:
    displacement = evaluation.summary["settings"].get("box_displacement", 0.0)
    return f"displaced and scaled by up to {100 * displacement:g} %" if displacement else "exact"


def _outlines(evaluation: Evaluation, rows: Sequence[Row]) -> Figure:
    lines = -(-len(rows) // COLUMNS)
    figure = Figure(figsize=(WIDTH, lines * WIDTH / COLUMNS * 1.12))
    tiles = figure.subplots(lines, COLUMNS, squeeze=False).ravel().tolist()
    for tile in tiles[len(rows) :]:
        tile.axis("off")
    for tile, row in zip(tiles, rows, strict=False):
        case = read_case(entry_of(evaluation, row), row, [prediction_file(evaluation, row)])
        predicted = [mask for mask in case.predictions if mask is not None]
        show_outlined(tile, np.ones_like(case.image), [case.truth], predicted, (0, 1))
        box = [row[edge] for edge in BOX]
        corner = lesion_window(box, CONTEXT, square=True)[:2]
        show_box(tile, [edge - start for edge, start in zip(box, corner * 2, strict=True)], 1, GREY)
        tile.set_title(f"Dice {share(row['dice'])}")
    return figure
