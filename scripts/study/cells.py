"""The tables of a study in Markdown: which columns they have and what stands in a cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from scripts.common.formatting import share, text_table

Row = dict[str, Any]
Cell = Callable[[Row], str]

PUBLISHED = "published, on other data"


def main_table(rows: Sequence[Row], test: str) -> str:
    """Dice beside the reference, the baselines and the paper.

    Args:
        rows: of the study.
        test: the heading of the tests' names.
    """
    sizes = {(row["lesions"], row["patients"]) for row in rows}
    cells: dict[str, Cell] = {
        "arm": lambda row: row["arm"],
        test: lambda row: row["test"],
        "lesions (patients)": lambda row: f"{row['lesions']} ({row['patients']})" if len(sizes) > 1 else "",
        "Dice": partial(_mean, name="dice", form=share),
        f"minus {rows[0]['reference']}": _difference,
        "p (Holm)": lambda row: _known(row["p_holm"], _p),
        "significance test": lambda row: row["significance_test"] or "",
        "effect size": lambda row: _known(row["effect_size"], partial(share, decimals=2, sign="+")),
        "ellipse in the box": lambda row: share(row["dice_ellipse"]),
        "whole box": lambda row: share(row["dice_all_foreground"]),
        PUBLISHED: partial(_paper, names=["dice"]),
    }
    return _table_of(rows, cells)


def further_table(rows: Sequence[Row], test: str) -> str:
    """The other measures; see `main_table`."""
    names = {"precision": "precision", "recall": "recall", "jaccard": "Jaccard"}
    cells: dict[str, Cell] = {
        "arm": lambda row: row["arm"],
        test: lambda row: row["test"],
        **{heading: partial(_mean, name=name, form=share) for name, heading in names.items()},
        "Hausdorff 95, pixels": partial(_mean, name="hausdorff95", form="{:.1f}".format),
        f"{', '.join(names.values())} {PUBLISHED}": partial(_paper, names=list(names)),
    }
    return _table_of(rows, cells)


def training_table(rows: Sequence[Row]) -> str:
    """Curves and cost of each arm; the cost is that in the arm's first test."""
    published = ["train_loss", "train_dice", "val_loss", "val_dice"]
    cells: dict[str, Cell] = {
        "arm": lambda row: row["arm"],
        "training loss": lambda row: _known(row["train_loss"], share),
        "training Dice": lambda row: _known(row["train_dice"], share),
        "validation loss": lambda row: _known(row["val_loss"], share),
        "validation Dice": lambda row: _known(row["val_dice"], share),
        "best epoch": lambda row: f"{round(row['best_epoch'], 1):g} of {round(row['epochs'], 1):g}",
        f"losses and Dice in %, in this order, {PUBLISHED}": partial(_paper, names=published, unit=""),
        "parameters": lambda row: f"{row['parameters']:,.0f}",
        "multiply-adds": lambda row: _large(row["multiply_adds"]),
        "s / epoch": lambda row: _known(row["seconds_per_epoch"], "{:.1f}".format),
        "ms / lesion": lambda row: _known(row["milliseconds_per_lesion"], "{:.1f}".format),
    }
    return _table_of(list({row["arm"]: row for row in reversed(rows)}.values())[::-1], cells)


def _table_of(rows: Sequence[Row], cells: Mapping[str, Cell]) -> str:
    """A table of the cells, without the columns in which no row has anything."""
    columns = {heading: [cell(row) for row in rows] for heading, cell in cells.items()}
    filled = {heading: texts for heading, texts in columns.items() if any(texts)}
    return text_table(filled, zip(*filled.values(), strict=True))


def _known(value: float | None, form: Callable[[float], str]) -> str:
    return "" if value is None else form(value)


def _mean(row: Row, name: str, form: Callable[[float], str]) -> str:
    """Mean, sd over the seeds and interval, as far as they exist."""
    text = form(row[name])
    if row[f"{name}_sd"] is not None:
        text += f" ± {form(row[f'{name}_sd'])}"
    if row[f"{name}_low"] is not None:
        text += f" ({form(row[f'{name}_low'])} to {form(row[f'{name}_high'])})"
    return text


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return "reference"
    text = share(row["difference"], sign="+")
    if row["difference_low"] is not None:
        text += f" ({share(row['difference_low'], sign='+')} to {share(row['difference_high'], sign='+')})"
    return text


def _p(p: float) -> str:
    return "< .001" if p < 0.001 else share(p)


def _paper(row: Row, names: Sequence[str], unit: str = " %") -> str:
    texts = [row[f"paper_{name}"] for name in names]
    return f"paper: {' / '.join(text or 'none' for text in texts)}{unit}" if any(texts) else ""


def _large(number: float) -> str:
    """Three figures with a unit: 6.12 G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"
