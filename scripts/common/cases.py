"""A lesion cut out of its mammogram, with its true outline and those that were predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from custom.metrics.vocabulary import BOX
from custom.readers import read_mask, read_pixels
from custom.transforms import CropLesion

# What is shown on every side of the lesion, as a part of its box's longer side.
CONTEXT = 0.6

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """Pixels of one crop, all `(X, Y)`.

    Attributes:
        image: of the mammogram.
        truth: bool, the lesion.
        predictions: bool; None where a file is not there.
    """

    image: np.ndarray
    truth: np.ndarray
    predictions: list[np.ndarray | None]


def read_case(entry: Row, row: Row, predictions: Sequence[Path]) -> Case:
    """The pixels around a lesion.

    Args:
        entry: of the datalist, with absolute paths.
        row: of `lesions.csv`, for the box.
        predictions: masks of the full frame.

    Raises:
        InputError: image or mask cannot be read.
    """
    return cut_case(read_pixels(entry["image"]), entry, row, predictions)


def cut_case(frame: np.ndarray, entry: Row, row: Row, predictions: Sequence[Path]) -> Case:
    """`read_case` for a mammogram `(X, Y)` that has been read already."""
    cut = CropLesion(margin=CONTEXT)
    box = [row[edge] for edge in BOX]

    def piece(pixels: np.ndarray) -> np.ndarray:
        return cut(pixels[None], box)[0].numpy()

    return Case(
        piece(frame),
        piece(read_mask(entry["label"])),
        [piece(read_mask(file)) if file.is_file() else None for file in predictions],
    )


def by_dice(rows: Sequence[Row]) -> list[Row]:
    """From the lowest Dice to the highest."""
    return sorted(rows, key=lambda row: (row["dice"], row["lesion_id"]))


def spanning(rows: Sequence[Row], number: int) -> list[Row]:
    """As many rows, at equal steps from the lowest Dice to the highest; all where there are fewer."""
    ranked = by_dice(rows)
    places = np.linspace(0, len(ranked) - 1, min(number, len(ranked))).round().astype(int)
    return [ranked[place] for place in places]
