"""Prediction panels: a lesion's crop, its true outline and the predicted one, for one network or for several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from scripts.common.cases import Case, Row, by_dice, read_case, spanning
from scripts.common.formatting import count, share, slug
from scripts.report.blocks import Block, Figure, Figures, Table, Text
from scripts.report.evaluations import comparable_tests, principal, reference_arm, suffix, title
from scripts.report.figures import WIDTH
from scripts.report.lesions import LABELS, entry_of, is_known, prediction_file, value_told
from scripts.report.outlined import COLOURS, show_outlined
from scripts.report.sources import Evaluation, Run, Study

SPANNING, WORST = 9, 8
COLUMNS = 3


def prediction_panels(run: Run) -> list[Block]:
    """Lesions from the worst Dice to the best, of each data set that the run was tested on.

    Raises:
        NotThere: a data set is gone.
    """
    blocks: list[Block] = []
    for evaluation in principal(run):
        rows = spanning(evaluation.lesions, SPANNING)
        told = "one lesion"
        if len(rows) > 1:
            all_lesions = count(len(evaluation.lesions), "lesion")
            told = f"{len(rows)} of {all_lesions}, at equal steps from the lowest Dice to the highest"
        name = f"case{suffix(run, evaluation)}"
        blocks += [Text(f"{title(run, evaluation)}: {told}."), _panels(evaluation, rows, name)]
    return blocks


def worst_cases(run: Run) -> list[Block]:
    """The lesions with the lowest Dice, as panels and as a table of what is known of them.

    None where the prediction panels show every lesion already.

    Raises:
        NotThere: a data set is gone.
    """
    blocks: list[Block] = []
    for evaluation in principal(run):
        if len(evaluation.lesions) > SPANNING:
            rows = by_dice(evaluation.lesions)[:WORST]
            name = f"worst_case{suffix(run, evaluation)}"
            blocks += [_table(run, evaluation, rows), _panels(evaluation, rows, name)]
    return blocks


def study_panels(study: Study) -> list[Block]:
    """The same lesions with each arm's prediction, by the first seed of each in the study's first test.

    They are lesions that every arm was tested on, or the reference's where there are none, as in a study of folds.

    Raises:
        NotThere: the data set is gone.
    """
    tested = comparable_tests(study)
    if not tested:
        return []
    reference = reference_arm(study)
    evaluation = tested[reference][0]
    firsts = {arm: evaluations[0] for arm, evaluations in tested.items()}
    everywhere = set.intersection(*({row["lesion_id"] for row in first.lesions} for first in firsts.values()))
    common = [row for row in evaluation.lesions if row["lesion_id"] in everywhere] or evaluation.lesions
    rows = spanning(common, SPANNING)
    told = (
        f"{len(rows)} of {len(common):,} lesions, from the lowest Dice of the reference, {reference}, to its highest."
    )
    return [Text(told), Figures([_arms_panel(row, evaluation, firsts) for row in rows])]


def _panels(evaluation: Evaluation, rows: Sequence[Row], name: str) -> Figures:
    return Figures([_panel(evaluation, row, f"{name}_{slug(row['lesion_id'])}") for row in rows])


def _panel(evaluation: Evaluation, row: Row, name: str) -> Figure:
    case = read_case(entry_of(evaluation, row), row, [prediction_file(evaluation, row)])
    figure, tiles = _tiles(COLUMNS)
    _show(tiles[0], case, "crop")
    _show(tiles[1], case, "truth", truth=True)
    scores = f"Dice {share(row['dice'])}, ellipse {share(row['dice_ellipse'])}"
    if case.predictions[0] is None:
        missing = " The mask of the prediction is gone."
        tiles[2].axis("off")
    else:
        missing = ""
        _show(tiles[2], case, "prediction", scores.replace(", ", "\n"), case.predictions[0], truth=True)
    known = describe(row)
    return Figure(
        name,
        figure,
        f"Lesion {row['lesion_id']}{known}: its crop, its true outline, and the predicted outline over the true one. "
        f"{scores}; {size_told(row)}.",
        f"{row['lesion_id']}{known}. {scores}. {COLOURS}{missing}",
        photographic=True,
    )


def _arms_panel(row: Row, evaluation: Evaluation, arms: dict[str, Evaluation]) -> Figure:
    by_arm = {arm: {other["lesion_id"]: other for other in of_arm.lesions} for arm, of_arm in arms.items()}
    tested = {arm: rows[row["lesion_id"]] for arm, rows in by_arm.items() if row["lesion_id"] in rows}
    case = read_case(entry_of(evaluation, row), row, [prediction_file(arms[arm], row) for arm in tested])
    figure, tiles = _tiles(1 + len(tested))
    _show(tiles[0], case, "truth", f"ellipse {share(row['dice_ellipse'])}", truth=True)
    for tile, (arm, scores), prediction in zip(tiles[1:], tested.items(), case.predictions, strict=False):
        _show(tile, case, arm, f"Dice {share(scores['dice'])}", prediction, truth=True)
    for tile in tiles[1 + len(tested) :]:
        tile.axis("off")
    scores_told = ", ".join(f"{arm} {share(scores['dice'])}" for arm, scores in tested.items())
    known = describe(row)
    return Figure(
        f"case_{slug(row['lesion_id'])}",
        figure,
        f"Lesion {row['lesion_id']}{known}: its true outline, and over it the outline that each arm predicted. "
        f"Dice: {scores_told}.",
        f"{row['lesion_id']}{known}. Dice of each arm under it; that of the ellipse in the box under the truth. "
        f"{COLOURS}",
        photographic=True,
    )


def _tiles(number: int) -> tuple[Drawing, Sequence[Axes]]:
    rows = -(-number // COLUMNS)
    figure = Drawing(figsize=(WIDTH, 2.15 * rows))
    return figure, figure.subplots(rows, COLUMNS, squeeze=False).ravel().tolist()


def _show(
    tile: Axes, case: Case, name: str, under: str = "", prediction: np.ndarray | None = None, truth: bool = False
) -> None:
    show_outlined(tile, case.image, [case.truth] if truth else [], [] if prediction is None else [prediction])
    tile.set_title(name, wrap=True)
    tile.set_xlabel(under)


def describe(row: Row) -> str:
    """What is known of a lesion, such as ` (MLO, BI-RADS 4, density 2, malignant)`; empty where nothing is."""
    forms = {"view": "{}", "birads": "BI-RADS {}", "density": "density {}", "pathology": "{}"}
    known = [form.format(value_told(key, row[key])) for key, form in forms.items() if is_known(row.get(key))]
    return f" ({', '.join(known)})" if known else ""


def size_told(row: Row) -> str:
    """How large the prediction is, in words."""
    if not row["tp"] + row["fp"]:
        return "nothing was predicted"
    return f"the predicted area is {_size(row):.2f} times the true one"


def _size(row: Row) -> float:
    return (row["tp"] + row["fp"]) / row["lesion_pixels"]


def _table(run: Run, evaluation: Evaluation, rows: Sequence[Row]) -> Table:
    # The patient is in the name of the lesion.
    shown = {key: label for key, label in LABELS.items() if key != "patient_id"}
    known = {key: label for key, label in shown.items() if any(is_known(row[key]) for row in rows)}
    cells = [
        [
            *(row[key] for key in known),
            f"{row['lesion_pixels']:.0f}",
            *(share(row[key]) for key in ("dice", "precision", "recall")),
            f"{_size(row):.2f}",
        ]
        for row in rows
    ]
    measures = ("size, pixels", "Dice", "precision", "recall", "predicted / true size")
    return Table(
        [*known.values(), *measures],
        cells,
        f"{title(run, evaluation)}: the lowest Dice of {len(evaluation.lesions):,} lesions. Precision = what of the "
        "predicted area is lesion; recall = what of the lesion was found. Above 1 in the last column, the prediction "
        "is too large, below 1 too small.",
    )
