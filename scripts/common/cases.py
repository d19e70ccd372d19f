"""A lesion cut out of its mammogram, with its true outline and those that were predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from custom.findings.overlay import draw_outlines, scaled
from custom.metrics.vocabulary import BOX, Row
from custom.readers import read_mask, read_pixels
from custom.transforms import CropLesion

# Surroundings shown on every side of the lesion, as a share of its box's longer side.
CONTEXT = 0.6


@dataclass(frozen=True)
class Case:
    """Pixels of one square crop, all `(X, Y)`.

    Attributes:
        image: Pixels of the mammogram.
        truth: Mask of the lesion, bool.
        predictions: Predicted masks, bool; None where a file is gone.
    """

    image: np.ndarray
    truth: np.ndarray
    predictions: list[np.ndarray | None]


def read_case(entry: Row, row: Row, predictions: Sequence[Path], frame: np.ndarray | None = None) -> Case:
    """Read the pixels around a lesion.

    Args:
        entry: Entry of the datalist, with absolute paths.
        row: Row of `lesions.csv`, for the box.
        predictions: Files of masks of the full frame.
        frame: Mammogram `(X, Y)`, if it has been read already.

    Raises:
        InputError: The image or a mask cannot be read.
    """
    cut = CropLesion(margin=CONTEXT)
    box = [row[edge] for edge in BOX]

    def piece(pixels: np.ndarray) -> np.ndarray:
        return cut(pixels[None], box)[0].numpy()

    return Case(
        piece(read_pixels(entry["image"]) if frame is None else frame),
        piece(read_mask(entry["label"])),
        [piece(read_mask(file)) if file.is_file() else None for file in predictions],
    )


def draw_case(case: Case, side: int) -> np.ndarray:
    """Draw the crop with its true and, if there is one, its first predicted outline; RGB `(side, side, 3)`, 8 bit."""

    def fit(pixels: np.ndarray) -> np.ndarray:
        return scaled(pixels, (side, side))

    prediction = case.predictions[0]
    outline = None if prediction is None else fit(prediction) > 0.5
    return draw_outlines(fit(case.image), fit(case.truth) > 0.5, outline)


def by_dice(rows: Sequence[Row]) -> list[Row]:
    """Sort rows of `lesions.csv` from the lowest Dice to the highest."""
    return sorted(rows, key=lambda row: (row["dice"], row["lesion_id"]))


def spanning(rows: Sequence[Row], number: int) -> list[Row]:
    """Return `number` rows at equal steps from the lowest Dice to the highest; all where there are fewer."""
    ranked = by_dice(rows)
    places = np.linspace(0, len(ranked) - 1, min(number, len(ranked))).round().astype(int)
    return [ranked[place] for place in places]
