"""How the tables of a study are to be read, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts.common.formatting import count, count_lesions

Row = dict[str, Any]

SIGNIFICANCE_TESTS = {
    "Wilcoxon": "Wilcoxon: signed-rank test of the same lesions; lesions without a difference are ranked and then left "
    "out (Pratt). Its effect size is the matched-pairs rank-biserial correlation: the share of the rank sum that is "
    "for the arm minus the share that is for the reference; 0 is no difference, +1 better in every lesion.",
    "Mann-Whitney": "Mann-Whitney: U test where the arms were tested on different lesions, so the difference is also "
    "one of the lesions. A lesion that stands in both arms is taken for two. Its effect size is the rank-biserial "
    "correlation: how often a lesion of the arm has a higher Dice than one of the reference, over all such pairs, "
    "minus how often a lower. The interval of the difference draws the patients of both arms together.",
}


def explanations(rows: Sequence[Row]) -> list[str]:
    """What was averaged over what, what the intervals, p and effect size hold and what they leave out."""
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
    if any(value for row in rows for name, value in row.items() if name.startswith("paper_")):
        lines.append(
            "The published figures (Jalalian et al. 2025, doi 10.18502/fbt.v12i4.19818; ± as printed there) come from "
            "other data and another split, so the tables do not compare with them."
        )
    return lines


def count_tested(rows: Sequence[Row]) -> str | None:
    """How many lesions of how many patients were tested, in words; None where the rows differ."""
    if len({(row["lesions"], row["patients"]) for row in rows}) > 1:
        return None
    return count_lesions(rows[0]["lesions"], rows[0]["patients"])


def _seeds(rows: Sequence[Row]) -> str:
    counts = sorted({row["seeds"] for row in rows})
    if counts == [1]:
        return "One seed, so nothing is known of how much another training would differ: there is no ±."
    numbers = " or ".join(map(str, counts))
    one = " An arm with one seed has none." if 1 in counts else ""
    return f"Seeds of an arm: {numbers}. ± is the sd (n - 1) of their means, so it says how much trainings differ.{one}"
