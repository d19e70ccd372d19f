"""Pictures of lesions with their true and predicted outlines: panels of crops, and a breast in both views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from custom.metrics.vocabulary import ATTRIBUTES, METRICS
from custom.readers import read_mask, read_pixels
from custom.transforms import lesion_window
from scripts.common.cases import CONTEXT, Case, Row, by_dice, read_case, spanning
from scripts.common.drawing import SKY
from scripts.common.formatting import count, share, slug
from scripts.report.blocks import Block, Figure, Figures, Table, Text
from scripts.report.figures import COLOURS, WIDTH, new_tiles, show_box, show_outlined, shrunk
from scripts.report.lesions import box_of, is_known, known_attributes
from scripts.report.sources import Evaluation, Run, StudyResults

SPANNING, WORST = 9, 8
COLUMNS, HEIGHT = 3, 2.15
BOTH_VIEWS = ("CC", "MLO")

# The lesions of a breast on the mammogram of each view.
Breast = Mapping[str, list[Row]]


def prediction_panels(run: Run) -> list[Block]:
    """Draw lesions from the worst Dice to the best, of each data set that the run was tested on."""
    blocks: list[Block] = []
    for evaluation in run.principal:
        rows = spanning(evaluation.lesions, SPANNING)
        shown = "one lesion"
        if len(rows) > 1:
            all_lesions = count(len(evaluation.lesions), "lesion")
            shown = f"{len(rows)} of {all_lesions}, at equal steps from the lowest Dice to the highest"
        name = f"case{run.suffix(evaluation)}"
        blocks += [Text(f"{run.title(evaluation)}: {shown}."), _panels(evaluation, rows, name)]
    return blocks


def worst_cases(run: Run) -> list[Block]:
    """Draw the lesions with the lowest Dice, after a table, unless the prediction panels show every lesion already."""
    blocks: list[Block] = []
    for evaluation in run.principal:
        if len(evaluation.lesions) > SPANNING:
            rows = by_dice(evaluation.lesions)[:WORST]
            name = f"worst_case{run.suffix(evaluation)}"
            blocks += [_table(run, evaluation, rows), _panels(evaluation, rows, name)]
    return blocks


def study_panels(study: StudyResults) -> list[Block]:
    """Draw the same lesions with each arm's prediction, by the first seed of each in the study's first test.

    They are lesions that every arm was tested on, or the reference's where there are none, as in a study of folds.
    """
    tested = study.comparable_tests()
    if not tested:
        return []
    reference = study.reference
    evaluation = tested[reference][0]
    firsts = {arm: evaluations[0] for arm, evaluations in tested.items()}
    everywhere = set.intersection(*({row["lesion_id"] for row in first.lesions} for first in firsts.values()))
    common = [row for row in evaluation.lesions if row["lesion_id"] in everywhere] or evaluation.lesions
    rows = spanning(common, SPANNING)
    shown = (
        f"{len(rows)} of {len(common):,} lesions, from the lowest Dice of the reference, {reference}, to its highest."
    )
    return [Text(shown), Figures([_arms_panel(row, evaluation, firsts) for row in rows])]


def _panels(evaluation: Evaluation, rows: Sequence[Row], name: str) -> Figures:
    return Figures([_panel(evaluation, row, f"{name}_{slug(row['lesion_id'])}") for row in rows])


def _panel(evaluation: Evaluation, row: Row, name: str) -> Figure:
    case = read_case(evaluation.entry(row), row, [evaluation.prediction(row)])
    figure, (crop, truth, predicted) = new_tiles(3, COLUMNS, HEIGHT)
    _show(crop, case, "crop", truth=False)
    _show(truth, case, "truth")
    scores = f"Dice {share(row['dice'])}, ellipse {share(row['dice_ellipse'])}"
    missing = ""
    if case.predictions[0] is None:
        missing = " The mask of the prediction is gone."
        predicted.axis("off")
    else:
        _show(predicted, case, "prediction", scores.replace(", ", "\n"), case.predictions[0])
    return Figure(
        name,
        figure,
        f"Lesion {_described(row)}: its crop, its true outline, and the predicted outline over the true one. "
        f"{scores}; {shown_size(row)}.",
        f"{_described(row)}. {scores}. {COLOURS}{missing}",
        photographic=True,
    )


def _arms_panel(row: Row, evaluation: Evaluation, arms: dict[str, Evaluation]) -> Figure:
    dices = {
        arm: other["dice"]
        for arm, of_arm in arms.items()
        for other in of_arm.lesions
        if other["lesion_id"] == row["lesion_id"]
    }
    case = read_case(evaluation.entry(row), row, [arms[arm].prediction(row) for arm in dices])
    figure, (truth, *tiles) = new_tiles(1 + len(dices), COLUMNS, HEIGHT)
    _show(truth, case, "truth", f"ellipse {share(row['dice_ellipse'])}")
    for tile, (arm, dice), prediction in zip(tiles, dices.items(), case.predictions, strict=True):
        _show(tile, case, arm, f"Dice {share(dice)}", prediction)
    return Figure(
        f"case_{slug(row['lesion_id'])}",
        figure,
        f"Lesion {_described(row)}: its true outline, and over it the outline that each arm predicted. "
        f"Dice: {', '.join(f'{arm} {share(dice)}' for arm, dice in dices.items())}.",
        f"{_described(row)}. Dice of each arm under it; that of the ellipse in the box under the truth. {COLOURS}",
        photographic=True,
    )


def _show(
    tile: Axes, case: Case, name: str, under: str = "", prediction: np.ndarray | None = None, truth: bool = True
) -> None:
    show_outlined(tile, case.image, [case.truth] if truth else [], [] if prediction is None else [prediction])
    tile.set_title(name, wrap=True)
    tile.set_xlabel(under)


def _described(row: Row) -> str:
    known = known_attributes(row)
    return f"{row['lesion_id']} ({known})" if known else row["lesion_id"]


def shown_size(row: Row) -> str:
    """The size of the prediction, in words."""
    if not row["tp"] + row["fp"]:
        return "nothing was predicted"
    return f"the predicted area is {_relative_size(row):.2f} times the true one"


def _relative_size(row: Row) -> float:
    return (row["tp"] + row["fp"]) / row["lesion_pixels"]


def _table(run: Run, evaluation: Evaluation, rows: Sequence[Row]) -> Table:
    # The patient is in the name of the lesion.
    known = [key for key in ATTRIBUTES if key != "patient_id" and any(is_known(row[key]) for row in rows)]
    scores = ("dice", "precision", "recall")
    cells = [
        [
            row["lesion_id"],
            *(row[key] for key in known),
            f"{row['lesion_pixels']:.0f}",
            *(share(row[name]) for name in scores),
            f"{_relative_size(row):.2f}",
        ]
        for row in rows
    ]
    measures = ("size, pixels", *(METRICS[name].label for name in scores), "predicted / true size")
    return Table(
        ["lesion", *(ATTRIBUTES[key] for key in known), *measures],
        cells,
        f"{run.title(evaluation)}: the lowest Dice of {len(evaluation.lesions):,} lesions. Precision = what of the "
        "predicted area is lesion; recall = what of the lesion was found. Above 1 in the last column, the prediction "
        "is too large, below 1 too small.",
    )


def both_views(run: Run) -> list[Block]:
    """Draw both views of the breast whose mean Dice is the middle one of all that were tested in both.

    Breasts with one lesion in each view come first: there, it is the same lesion.
    """
    for evaluation in run.principal[:1]:
        found: dict[tuple[str, str], dict[str, list[Row]]] = {}
        for row in evaluation.lesions:
            if row["patient_id"] and is_known(row["laterality"]):
                found.setdefault((row["patient_id"], row["laterality"]), {}).setdefault(row["view"], []).append(row)
        both = [breast for breast in found.values() if all(view in breast for view in BOTH_VIEWS)]
        single = [breast for breast in both if all(len(breast[view]) == 1 for view in BOTH_VIEWS)]
        breasts = sorted(single or both, key=_mean_dice)
        if breasts:
            return [Figures([_views_figure(evaluation, breasts[(len(breasts) - 1) // 2])])]
    return []


def _mean_dice(breast: Breast) -> float:
    return float(np.mean([row["dice"] for view in BOTH_VIEWS for row in breast[view]]))


def _views_figure(evaluation: Evaluation, breast: Breast) -> Figure:
    drawing = Drawing(figsize=(WIDTH, 6.2))
    tiles = drawing.subplots(2, len(BOTH_VIEWS), squeeze=False, height_ratios=(1.6, 1))
    dices = "; ".join(
        f"{view} {', '.join(_draw_view(column, evaluation, view, breast[view]))}"
        for column, view in zip(tiles.T, BOTH_VIEWS, strict=True)
    )
    first = breast[BOTH_VIEWS[0]][0]
    name = f"patient {first['patient_id']}, {first['laterality'].lower()} breast"
    lesions = ", ".join(row["lesion_id"] for view in BOTH_VIEWS for row in breast[view])
    return Figure(
        "both_views",
        drawing,
        f"Both views of the same breast ({name}), with the true and the predicted outline of each lesion. "
        f"Dice: {dices}.",
        f"The same breast in both views: {lesions}. {COLOURS} Light blue: the box that the network was given. Below, "
        f"the first lesion of each view. Dice: {dices}.",
        photographic=True,
    )


def _draw_view(tiles: Sequence[Axes], evaluation: Evaluation, view: str, rows: Sequence[Row]) -> list[str]:
    """Draw the mammogram of the first lesion with all that are on it, and a detail; return the Dice of each."""
    entries = [evaluation.entry(row) for row in rows]
    shown = [(row, entry) for row, entry in zip(rows, entries, strict=True) if entry["image"] == entries[0]["image"]]
    image = read_pixels(entries[0]["image"])
    truths = [read_mask(entry["label"]) for _, entry in shown]
    files = [evaluation.prediction(row) for row, _ in shown]
    predictions = [read_mask(file) for file in files if file.is_file()]
    axes, detail = tiles
    show_outlined(axes, image, truths, predictions)
    scale = shrunk(image).shape[0] / image.shape[0]
    for row, _ in shown:
        show_box(axes, box_of(row), scale, SKY)
    dices = [share(row["dice"]) for row, _ in shown]
    axes.set_title(view)
    axes.set_xlabel(f"Dice {', '.join(dices)}")
    x0, y0, x1, y1 = lesion_window(box_of(rows[0]), CONTEXT, square=True)
    piece = (slice(max(x0, 0), x1), slice(max(y0, 0), y1))
    show_outlined(detail, image[piece], [truth[piece] for truth in truths], [found[piece] for found in predictions])
    return dices
