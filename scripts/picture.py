"""One picture of many cases: the lesion, its true outline and the predicted one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from custom.data import datalist_file, read_json
from custom.handlers import read_lesions
from custom.outlines import PREDICTION_COLOUR, TRUTH_COLOUR, draw_outlines
from custom.reader import read_pixels
from custom.transforms import CropLesion

TILE = 220
CAPTION = 26
CONTEXT = 0.6


def picture_cases(evaluation_dir: Path, dataset_dir: Path, split: str, columns: int = 6) -> np.ndarray:
    """A sheet of cases that show the whole range of an evaluation, from the worst Dice to the best.

    Args:
        evaluation_dir: holds `lesions.csv` and `predictions`.
        dataset_dir: the prepared data set that was evaluated.
        split: its datalist.
        columns: cases in a row; there are two rows.

    Returns:
        RGB `(rows, columns, 3)`, 8 bit.
    """
    rows = sorted(read_lesions(evaluation_dir / "lesions.csv"), key=lambda row: row["dice"])
    datalist = read_json(datalist_file(str(dataset_dir), split))
    entries = {entry["lesion_id"]: entry for entry in datalist["test"]}
    shown = [rows[index] for index in np.linspace(0, len(rows) - 1, min(2 * columns, len(rows))).round().astype(int)]
    tiles = [_tile(row, entries[row["lesion_id"]], dataset_dir, evaluation_dir / "predictions") for row in shown]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    sheet = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack([*sheet, _legend(sheet[0].shape[1])])


def write_picture(file: Path, picture: np.ndarray) -> None:
    """Write an RGB picture as PNG."""
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _tile(row: Mapping[str, Any], entry: Mapping[str, str], dataset_dir: Path, predictions: Path) -> np.ndarray:
    box = [row[f"box_{edge}"] for edge in ("x0", "y0", "x1", "y1")]
    files = (dataset_dir / entry["image"], dataset_dir / entry["label"], predictions / f"{row['lesion_id']}.png")
    cut = CropLesion(margin=CONTEXT)
    image, truth, prediction = (
        cv2.resize(cut(read_pixels(file)[None], box)[0].numpy(), (TILE, TILE), interpolation=cv2.INTER_LINEAR)
        for file in files
    )
    drawn = draw_outlines(image, truth > 127, prediction > 127)
    return np.vstack([drawn, _text(TILE, f"Dice {row['dice']:.2f}  ellipse {row['dice_ellipse']:.2f}")])


def _legend(width: int) -> np.ndarray:
    legend = _text(width, "truth", TRUTH_COLOUR)
    return np.minimum(legend, np.roll(_text(width, "prediction", PREDICTION_COLOUR), 60, axis=1))


def _text(width: int, text: str, colour: Sequence[int] = (0, 0, 0)) -> np.ndarray:
    strip = np.full((CAPTION, width, 3), 255, np.uint8)
    return cv2.putText(strip, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, tuple(colour), 1, cv2.LINE_AA)
