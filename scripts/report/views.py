"""A breast in both views, with what was found in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure as Drawing
from matplotlib.gridspec import SubplotSpec

from custom.metrics.vocabulary import BOX
from custom.readers import read_mask, read_pixels
from custom.transforms import lesion_window
from scripts.common.cases import CONTEXT, Row
from scripts.common.drawing import SKY
from scripts.common.formatting import share
from scripts.report.blocks import Block, Figure, Figures
from scripts.report.evaluations import principal
from scripts.report.figures import WIDTH
from scripts.report.lesions import entry_of, is_known, prediction_file
from scripts.report.outlined import COLOURS, show_box, show_outlined, shrunk
from scripts.report.sources import Evaluation, Run

VIEWS = ("CC", "MLO")

# Of each view the lesions of its mammogram.
Breast = Mapping[str, list[Row]]


def both_views(run: Run) -> list[Block]:
    """The CC and the MLO view of the breast whose mean Dice is the middle one of all that were tested in both.

    Breasts with one lesion in each view come first: there, it is the same lesion.

    Raises:
        NotThere: the data set is gone.
    """
    for evaluation in principal(run)[:1]:
        both = _breasts(evaluation)
        single = [breast for breast in both if all(len(breast[view]) == 1 for view in VIEWS)]
        breasts = sorted(single or both, key=_mean_dice)
        if breasts:
            return [Figures([_figure(evaluation, breasts[(len(breasts) - 1) // 2])])]
    return []


def _breasts(evaluation: Evaluation) -> list[Breast]:
    """Those with a lesion in both views; in each view, the mammogram with the first of them."""
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in evaluation.lesions:
        if row["patient_id"] and is_known(row["laterality"]):
            found.setdefault((row["patient_id"], row["laterality"]), {}).setdefault(row["view"], []).append(row)
    return [breast for breast in found.values() if all(view in breast for view in VIEWS)]


def _mean_dice(breast: Breast) -> float:
    dices = [row["dice"] for view in VIEWS for row in breast[view]]
    return sum(dices) / len(dices)


def _figure(evaluation: Evaluation, breast: Breast) -> Figure:
    drawing = Drawing(figsize=(WIDTH, 6.2))
    places = drawing.add_gridspec(2, len(VIEWS), height_ratios=(1.6, 1))
    told = []
    for column, view in enumerate(VIEWS):
        dices = _draw_view(drawing, places[0, column], places[1, column], evaluation, view, breast[view])
        told.append(f"{view} {', '.join(dices)}")
    first = breast[VIEWS[0]][0]
    name = f"patient {first['patient_id']}, {first['laterality'].lower()} breast"
    lesions = ", ".join(row["lesion_id"] for view in VIEWS for row in breast[view])
    return Figure(
        "both_views",
        drawing,
        f"Both views of the same breast ({name}), with the true and the predicted outline of each lesion. "
        f"Dice: {'; '.join(told)}.",
        f"The same breast in both views: {lesions}. {COLOURS} Light blue: the box that the network was given. Below, "
        f"the first lesion of each view. Dice: {'; '.join(told)}.",
        photographic=True,
    )


def _draw_view(
    drawing: Drawing, above: SubplotSpec, below: SubplotSpec, evaluation: Evaluation, view: str, rows: Sequence[Row]
) -> list[str]:
    """Draw the mammogram of the first lesion with all that are on it, and a detail; returns the Dice of each."""
    entries = [entry_of(evaluation, row) for row in rows]
    shown = [(row, entry) for row, entry in zip(rows, entries, strict=True) if entry["image"] == entries[0]["image"]]
    image = read_pixels(entries[0]["image"])
    truths = [read_mask(entry["label"]) for _, entry in shown]
    files = [prediction_file(evaluation, row) for row, _ in shown]
    predictions = [read_mask(file) for file in files if file.is_file()]
    axes = drawing.add_subplot(above)
    show_outlined(axes, image, truths, predictions)
    scale = shrunk(image).shape[0] / image.shape[0]
    for row, _ in shown:
        show_box(axes, [row[edge] for edge in BOX], scale, SKY)
    dices = [share(row["dice"]) for row, _ in shown]
    axes.set_title(view)
    axes.set_xlabel(f"Dice {', '.join(dices)}")
    x0, y0, x1, y1 = lesion_window([shown[0][0][edge] for edge in BOX], CONTEXT, square=True)
    piece = (slice(max(x0, 0), x1), slice(max(y0, 0), y1))
    detail = drawing.add_subplot(below)
    show_outlined(detail, image[piece], [truth[piece] for truth in truths], [found[piece] for found in predictions])
    return dices
