"""Page of a study in Markdown: its tables, how to read them, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from custom.metrics.vocabulary import METRICS
from scripts.common.formatting import count, count_lesions, metric_text, share, text_table
from scripts.common.results import FIGURE
from scripts.study.definition import PAPER
from scripts.study.table import BASELINES, STUDIED

Row = dict[str, Any]
Cell = Callable[[Row], str]

PUBLISHED = "published, on other data"
SIGNIFICANCE_TESTS = {
    "Wilcoxon": "Wilcoxon: signed-rank test of the same lesions; lesions without a difference are ranked and then left "
    "out (Pratt). Its effect size is the matched-pairs rank-biserial correlation: the share of the rank sum that is "
    "for the arm minus the share that is for the reference; 0 is no difference, +1 better in every lesion.",
    "Mann-Whitney": "Mann-Whitney: U test where the arms were tested on different lesions, so the difference is also "
    "one of the lesions. A lesion that stands in both arms is taken for two. Its effect size is the rank-biserial "
    "correlation: how often a lesion of the arm has a higher Dice than one of the reference, over all such pairs, "
    "minus how often a lower. The interval of the difference draws the patients of both arms together.",
}


def markdown(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """Return the study as a page of Markdown beside `figure.png`.

    Args:
        rows: Rows of `study_rows`.
        about: `name` and `description` of the study, `test` (what the tests vary, as a heading), `command` that repeats
            the study, and `origin`: data, settings and versions by their labels, None where there is none.
    """
    origin = [(label, str(value)) for label, value in about["origin"].items() if value is not None]
    blocks = [
        f"# {about['name']}",
        about["description"],
        f"![{about['description']}]({FIGURE})",
        _main_table(rows, about["test"]),
        "## Further measures",
        _further_table(rows, about["test"]),
        "## Training and cost",
        _training_table(rows),
        "## How to read it",
        "\n".join(f"- {line}" for line in _explanations(rows)),
        "## Where it comes from",
        text_table(("", ""), origin),
        f"```\n{about['command']}\n```",
    ]
    return "\n\n".join(blocks) + "\n"


def count_tested(rows: Sequence[Row]) -> str | None:
    """Return how many lesions of how many patients were tested, in words; None where the rows differ."""
    if len({(row["lesions"], row["patients"]) for row in rows}) > 1:
        return None
    return count_lesions(rows[0]["lesions"], rows[0]["patients"])


def baseline_label(name: str) -> str:
    """Return the name of a baseline without the Dice that it is measured by."""
    return METRICS[name].label.removeprefix("Dice of the ")


def _main_table(rows: Sequence[Row], test: str) -> str:
    """Dice beside the reference, the baselines and the paper."""
    same = count_tested(rows)
    cells: dict[str, Cell] = {
        "arm": _cell("arm", str),
        test: _cell("test", str),
        "lesions (patients)": lambda row: "" if same else f"{row['lesions']} ({row['patients']})",
        "Dice": partial(_mean, name="dice"),
        f"minus {rows[0]['reference']}": lambda row: (
            "reference" if row["difference"] is None else _mean(row, "difference", sign="+")
        ),
        "p (Holm)": _cell("p_holm", lambda p: "< .001" if p < 0.001 else share(p)),
        "significance test": _cell("significance_test", str),
        "effect size": _cell("effect_size", partial(share, decimals=2, sign="+")),
        **{baseline_label(name): _cell(name) for name in BASELINES},
        PUBLISHED: partial(_paper, names=["dice"]),
    }
    return _table(rows, cells)


def _further_table(rows: Sequence[Row], test: str) -> str:
    """The other metrics."""
    further = [name for name in STUDIED if name != "dice"]
    printed = [name for name in further if name in PAPER]
    cells: dict[str, Cell] = {
        "arm": _cell("arm", str),
        test: _cell("test", str),
        **{METRICS[name].heading: partial(_mean, name=name) for name in further},
        f"{', '.join(METRICS[name].label for name in printed)} {PUBLISHED}": partial(_paper, names=printed),
    }
    return _table(rows, cells)


def _training_table(rows: Sequence[Row]) -> str:
    """Curves and cost of each arm; the cost is that in the arm's first test."""
    published = ["train_loss", "train_dice", "val_loss", "val_dice"]
    cells: dict[str, Cell] = {
        "arm": _cell("arm", str),
        "training loss": _cell("train_loss"),
        "training Dice": _cell("train_dice"),
        "validation loss": _cell("val_loss"),
        "validation Dice": _cell("val_dice"),
        "best epoch": lambda row: f"{round(row['best_epoch'], 1):g} of {round(row['epochs'], 1):g}",
        f"losses and Dice in %, in this order, {PUBLISHED}": partial(_paper, names=published, unit=""),
        "parameters": _cell("parameters", "{:,.0f}".format),
        "multiply-adds": _cell("multiply_adds", _large),
        "s / epoch": _cell("seconds_per_epoch", "{:.1f}".format),
        "ms / lesion": _cell("milliseconds_per_lesion", "{:.1f}".format),
    }
    return _table(list({row["arm"]: row for row in reversed(rows)}.values())[::-1], cells)


def _table(rows: Sequence[Row], cells: Mapping[str, Cell]) -> str:
    """A table of the cells, without the columns in which no row has anything."""
    columns = {heading: [cell(row) for row in rows] for heading, cell in cells.items()}
    filled = {heading: texts for heading, texts in columns.items() if any(texts)}
    return text_table(filled, zip(*filled.values(), strict=True))


def _cell(name: str, form: Callable[[Any], str] = share) -> Cell:
    return lambda row: "" if row[name] is None else form(row[name])


def _mean(row: Row, name: str, sign: str = "") -> str:
    """Mean, sd over the seeds and interval, as far as they exist."""
    form = partial(share, sign=sign) if sign else partial(metric_text, name)
    text = form(row[name])
    if row.get(f"{name}_sd") is not None:
        text += f" ± {form(row[f'{name}_sd'])}"
    if row[f"{name}_low"] is not None:
        text += f" ({form(row[f'{name}_low'])} to {form(row[f'{name}_high'])})"
    return text


def _paper(row: Row, names: Sequence[str], unit: str = " %") -> str:
    texts = [row[f"paper_{name}"] for name in names]
    return f"paper: {' / '.join(text or 'none' for text in texts)}{unit}" if any(texts) else ""


def _large(number: float) -> str:
    """Three figures with a unit: 6.12 G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def _explanations(rows: Sequence[Row]) -> list[str]:
    tested = count_tested(rows) or "as many as each row says"
    lines = [
        f"Measured in the full mammogram, mean over the lesions: {tested}. Hausdorff distances are in pixels of "
        "the source image. Training and validation are measured inside the crop, at the epoch whose model was kept.",
        _seeds(rows),
        f"In brackets: {100 * rows[0]['confidence']:g} % interval from a bootstrap that draws whole patients; each "
        "lesion is averaged over the seeds first. It says how much other patients would change the figure, not how "
        "much another training would.",
        "Ellipse and whole box: the Dice of the ellipse inscribed in the lesion's box, and of the box. Neither needs a "
        "network.",
    ]
    if comparisons := sum(row["p"] is not None for row in rows):
        lines.append(
            f"p is two-sided, of the Dice, and corrected by Holm for the {count(comparisons, 'comparison')} of the "
            "study. The test takes lesions for independent, also those of one patient, and is too sure of itself where "
            "a patient has several; the interval of the difference is not. Neither knows how much another training "
            "would differ."
        )
    methods = {row["significance_test"] for row in rows}
    lines += [text for method, text in SIGNIFICANCE_TESTS.items() if method in methods]
    if any(row[f"paper_{name}"] for row in rows for name in PAPER):
        lines.append(
            "The published figures (Jalalian et al. 2025, doi 10.18502/fbt.v12i4.19818; ± as printed there) come from "
            "other data and another split, so the tables do not compare with them."
        )
    return lines


def _seeds(rows: Sequence[Row]) -> str:
    counts = sorted({row["seeds"] for row in rows})
    if counts == [1]:
        return "One seed, so nothing is known of how much another training would differ: there is no ±."
    numbers = " or ".join(map(str, counts))
    one = " An arm with one seed has none." if 1 in counts else ""
    return f"Seeds of an arm: {numbers}. ± is the sd (n - 1) of their means, so it says how much trainings differ.{one}"
