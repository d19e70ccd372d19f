"""The verb `card`: the performance of the released weights, put into the model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Drawing
from monai.data.box_utils import box_iou

from custom.errors import InputError
from custom.files import file_sha256, write_if_changed
from custom.metrics.vocabulary import METRICS, measured_metrics
from custom.transforms import lesion_window
from scripts.common.bundle import RELEASED
from scripts.common.cases import CONTEXT, Case, Row, by_dice, read_case
from scripts.common.documents import check_place, put
from scripts.common.drawing import GREY, drawn_as
from scripts.common.formatting import share, text_table
from scripts.report.figures import COLOURS, DPI, WIDTH, figure_style, new_tiles, show_box, show_outlined
from scripts.report.lesions import box_of, diameter, known_attributes
from scripts.report.metrics import mean_with_interval
from scripts.report.panels import shown_size
from scripts.report.reading import read_evaluation
from scripts.report.sources import Evaluation
from scripts.report.subgroups import summaries

PLACE = ("released", "weights")
WORST, COLUMNS = 8, 4


def card(document: str, evaluation_dir: str | None = None, dataset_dir: str | None = None) -> None:
    """Put tables and the worst outlines of the released weights into a document.

    Args:
        document: Markdown file with the lines `<!-- released weights -->` and `<!-- end weights -->`. The
            figure is written beside it; it shows outlines and no mammogram, so that it may be passed on.
        evaluation_dir: Folder with the folders of the evaluations; by default the one beside the released weights.
        dataset_dir: Prepared data set to take masks from if it is no longer where the evaluations found it.

    Raises:
        InputError: There are no evaluations, one is of other weights or damaged, their data are gone, or the document
            has no place for them.
    """
    folder = Path(evaluation_dir) if evaluation_dir else RELEASED.parent / "evaluation"
    datasets = [Path(dataset_dir)] if dataset_dir else []
    evaluations = [read_evaluation(file.parent, datasets) for file in folder.glob("*/summary.json")]
    if not evaluations:
        raise InputError(f"{folder}: no evaluation in it; run `evaluating` with --model {RELEASED} first")
    evaluations.sort(key=_displacement)
    if _displacement(evaluations[0]):
        raise InputError(
            f"{folder}: no evaluation with exact boxes in it; run `evaluating` with --model {RELEASED} alone as well"
        )
    released, tested = file_sha256(RELEASED), {row["lesion_id"] for row in evaluations[0].lesions}
    for one in evaluations:
        if one.summary.get("model_sha256") != released:
            raise InputError(f"{one.folder}: of other weights than {RELEASED}; evaluate these, or take it away")
        if {row["lesion_id"] for row in one.lesions} != tested:
            raise InputError(f"{one.folder}: of other lesions than {evaluations[0].folder}; take one of them away")
    file = Path(document)
    check_place(file, *PLACE)
    picture = file.with_name(f"{file.stem}_failures.png")
    last = evaluations[-1]
    rows = by_dice(last.lesions)[:WORST]
    worst = [(row, read_case(last.entry(row), row, [last.prediction(row)])) for row in rows]
    with figure_style():
        drawn = drawn_as(_outlines(worst), "png", DPI)
    write_if_changed(picture, drawn)
    put(file, *PLACE, _page(evaluations, worst, picture.name))


def _page(evaluations: Sequence[Evaluation], worst: Sequence[tuple[Row, Case]], picture: str) -> str:
    boxes = [
        f"displaced and scaled by up to {100 * displacement:g} %" if displacement else "exact"
        for displacement in map(_displacement, evaluations)
    ]
    summary = evaluations[0].summary
    shown = measured_metrics()
    whole = [
        [name, _agreement(evaluations[0], one)] + [mean_with_interval(one.summary, metric) for metric in shown]
        for name, one in zip(boxes, evaluations, strict=True)
    ]
    groups = [summaries(one) for one in evaluations]
    by_group = [
        [name, f"{group['lesions']}", f"{group['patients']}"]
        + [mean_with_interval(of_one[name], "dice") for of_one in groups]
        for name, group in groups[0].items()
    ]
    cases = [
        [
            row["lesion_id"],
            known_attributes(row),
            f"{diameter(row):.0f}",
            *(share(row[key]) for key in ("dice", "dice_ellipse", "precision", "recall")),
            f"{100 * _outside(row, case):.0f} %",
            shown_size(row),
        ]
        for row, case in worst
    ]
    parts = [
        f"Mean over {summary['lesions']} lesions of {summary['patients']} patients, in brackets its "
        f"{evaluations[0].confidence} interval from a bootstrap that draws whole patients; measured in the full "
        "mammogram, distances in its pixels.",
        text_table(["boxes", "IoU with the exact box", *(METRICS[metric].heading for metric in shown)], whole),
        "IoU is the intersection of two boxes over their union, mean over the lesions; in brackets the 5th percentile.",
        "Dice by group. The diameter is that of the circle with as many pixels as the lesion, a quarter of the lesions "
        "in each group.",
        text_table(["group", "lesions", "patients", *boxes], by_group),
        f"The {len(worst)} lowest Dice with boxes {boxes[-1]}:",
        text_table(
            ["lesion", "known", "diameter", "Dice", "ellipse", "precision", "recall", "outside the box", "the outline"],
            cases,
        ),
        "Outside the box: the part of the true lesion that the given box leaves out.",
        f"![Outlines of the {len(worst)} lesions with the lowest Dice]({picture})",
        f"*The same lesions without their mammograms. {COLOURS} Grey: the box that was given.*",
    ]
    return "\n\n".join(parts)


def _displacement(evaluation: Evaluation) -> float:
    return evaluation.summary["settings"].get("box_displacement", 0.0)


def _agreement(exact: Evaluation, evaluation: Evaluation) -> str:
    """The mean IoU of the boxes of an evaluation with the exact ones, and its 5th percentile."""
    boxes = {row["lesion_id"]: box_of(row) for row in evaluation.lesions}
    pairs = [(box_of(row), boxes[row["lesion_id"]]) for row in exact.lesions]
    found = np.diagonal(box_iou(*np.swapaxes(pairs, 0, 1)))
    return f"{share(found.mean())} ({share(np.percentile(found, 5))})"


def _outside(row: Row, case: Case) -> float:
    """The part of the true lesion that its box leaves out."""
    x0, y0, x1, y1 = np.round(_box_in_crop(row)).astype(int)
    return 1 - case.truth[x0:x1, y0:y1].sum() / row["lesion_pixels"]


def _box_in_crop(row: Row) -> list[float]:
    box = box_of(row)
    corner = lesion_window(box, CONTEXT, square=True)[:2]
    return [edge - start for edge, start in zip(box, corner * 2, strict=True)]


def _outlines(cases: Sequence[tuple[Row, Case]]) -> Drawing:
    drawing, tiles = new_tiles(len(cases), COLUMNS, WIDTH / COLUMNS * 1.12)
    for tile, (row, case) in zip(tiles, cases, strict=True):
        predicted = [mask for mask in case.predictions if mask is not None]
        show_outlined(tile, np.ones_like(case.image), [case.truth], predicted, (0, 1))
        show_box(tile, _box_in_crop(row), 1, GREY)
        tile.set_title(f"Dice {share(row['dice'])}")
    return drawing
