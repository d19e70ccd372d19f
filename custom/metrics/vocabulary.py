"""Names, labels, units and formats of what is measured of a lesion and what is known of it: the one place for each.

`lesions.csv`, `summary.json`, the tables of studies and reports and the model card take them from here. A new metric
is an entry of `METRICS` and a value in what `lesion_scores` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """A measure of a lesion, and how it is shown.

    Attributes:
        label: Name in a heading or a sentence.
        meaning: What it is, for readers who do not know it.
        decimals: Digits after the point.
        unit: Unit, empty for a share.
        studied: Whether the tables of studies show it.
        baseline: Whether it is the Dice of an outline that needs no network.
        of_row: Computes it from the other columns of `lesions.csv`; None where it is a column itself.
    """

    label: str
    meaning: str = ""
    decimals: int = 3
    unit: str = ""
    studied: bool = False
    baseline: bool = False
    of_row: Callable[[Row], float] | None = None

    @property
    def heading(self) -> str:
        """Label and unit."""
        return f"{self.label}, {self.unit}" if self.unit else self.label


def _above_ellipse(row: Row) -> float:
    return row["dice"] - row["dice_ellipse"]


def _pixel_accuracy(row: Row) -> float:
    return (row["tp"] + row["tn"]) / (row["tp"] + row["fp"] + row["fn"] + row["tn"])


# In the order in which tables show them.
METRICS = {
    "dice": Metric("Dice", "twice the pixels that prediction and truth share over the sum of both", studied=True),
    "jaccard": Metric("Jaccard", "the shared pixels over all that are in either", studied=True),
    "precision": Metric("precision", "the shared pixels over the predicted", studied=True),
    "recall": Metric("recall", "the shared pixels over the lesion's", studied=True),
    "hausdorff95": Metric(
        "Hausdorff 95",
        "how far the outlines are apart, in pixels of the source image, without the farthest 5 %",
        decimals=1,
        unit="pixels",
        studied=True,
    ),
    "pixel_accuracy": Metric(
        "pixel accuracy",
        "the rightly named pixels over all of the crop; all else is measured in the full mammogram",
        of_row=_pixel_accuracy,
    ),
    "dice_ellipse": Metric("Dice of the ellipse in the box", baseline=True),
    "dice_above_ellipse": Metric("Dice above that of the ellipse", of_row=_above_ellipse),
    "dice_all_foreground": Metric("Dice of the whole box", baseline=True),
}
# What `lesions.csv` holds beside them: pixels of each lesion.
COUNTS = ("tp", "fp", "fn", "tn", "lesion_pixels")
BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
# What a datalist may say of a lesion, and its headings.
ATTRIBUTES = {
    "patient_id": "patient",
    "laterality": "side",
    "view": "view",
    "birads": "BI-RADS",
    "density": "ACR density",
    "pathology": "pathology",
}
# The attributes by which results are broken down.
GROUPS = ("birads", "density", "pathology", "view")


def measured_metrics() -> list[str]:
    """The metrics that are columns of `lesions.csv`."""
    return [name for name, metric in METRICS.items() if metric.of_row is None]


def value_of(row: Row, metric: str) -> float:
    """The value of a metric in a row of `lesions.csv`."""
    derived = METRICS[metric].of_row
    return derived(row) if derived else row[metric]
