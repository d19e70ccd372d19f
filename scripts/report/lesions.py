"""What is known of a lesion, and where its files are."""

from __future__ import annotations

import math
from pathlib import Path

from custom.data import FILE_KEYS
from scripts.common.cases import Row
from scripts.common.datasets import UNKNOWN, full_name
from scripts.report.blocks import NotThere
from scripts.report.sources import Evaluation

# The headings of columns.
LABELS = {
    "lesion_id": "lesion",
    "patient_id": "patient",
    "laterality": "side",
    "view": "view",
    "birads": "BI-RADS",
    "density": "density",
    "pathology": "pathology",
}
DIAMETER = "diameter, pixels"


def is_known(value: str | None) -> bool:
    """Whether a lesion's metadata say something; data sets write `UNKNOWN` as well as nothing."""
    return value not in (None, "", UNKNOWN)


def value_told(attribute: str, value: str) -> str:
    """A value of an attribute as it is read: `BENIGN_WITHOUT_CALLBACK` is `benign without callback`."""
    if not is_known(value):
        return "not known"
    return value.replace("_", " ").lower() if attribute == "pathology" else value


def diameter(row: Row) -> float:
    """Of the circle that has as many pixels as the lesion, in pixels of the source image."""
    return 2 * math.sqrt(row["lesion_pixels"] / math.pi)


def entry_of(evaluation: Evaluation, row: Row) -> Row:
    """The datalist's entry of a lesion of an evaluation, with its files.

    Raises:
        NotThere: the data set, or one of its files, is gone.
    """
    if evaluation.data is None:
        raise NotThere(
            f"The mammograms of {full_name(evaluation.summary['dataset'])} are not where {evaluation.name} found them. "
            "Pass the prepared data set by --dataset_dir."
        )
    entry = evaluation.data.entries[row["lesion_id"]]
    for key in FILE_KEYS:
        if not Path(entry[key]).is_file():
            raise NotThere(
                f"{Path(entry[key]).name}, the {key} of {row['lesion_id']}, is gone from the data set. "
                "Restore it, or prepare the data set again."
            )
    return entry


def prediction_file(evaluation: Evaluation, row: Row) -> Path:
    """Where the evaluation put the lesion's predicted mask."""
    return evaluation.folder / "predictions" / f"{row['lesion_id']}.png"
