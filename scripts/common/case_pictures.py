"""One picture of many cases: the lesion, its true outline and the predicted one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from custom.data import Datalist
from custom.files import write_if_changed
from custom.findings.overlay import PREDICTION_COLOUR, TRUTH_COLOUR, draw_outlines
from custom.handlers import read_lesions
from scripts.common.cases import Case, read_case, spanning

TILE = 220
CAPTION = 26


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
    entries = Datalist(dataset_dir, split).entries
    tiles = []
    for row in spanning(read_lesions(evaluation_dir / "lesions.csv"), 2 * columns):
        prediction = evaluation_dir / "predictions" / f"{row['lesion_id']}.png"
        tiles.append(_tile(row, read_case(entries[row["lesion_id"]], row, [prediction])))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    sheet = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack([*sheet, _legend(sheet[0].shape[1])])


def write_picture(file: Path, picture: np.ndarray) -> None:
    """Write an RGB picture as PNG."""
    write_if_changed(file, cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())


def draw_case(case: Case, side: int) -> np.ndarray:
    """The crop with both outlines, RGB `(side, side, 3)`, 8 bit; with the truth's alone where there is no prediction.

    Args:
        case: with one prediction.
        side: in pixels.
    """
    interpolation = cv2.INTER_AREA if max(case.image.shape) > side else cv2.INTER_LINEAR

    def scaled(pixels: np.ndarray) -> np.ndarray:
        return cv2.resize(pixels.astype(np.float32), (side, side), interpolation=interpolation)

    prediction = None if case.predictions[0] is None else scaled(case.predictions[0]) > 0.5
    return draw_outlines(scaled(case.image), scaled(case.truth) > 0.5, prediction)


def _tile(row: Mapping[str, Any], case: Case) -> np.ndarray:
    drawn = draw_case(case, TILE)
    return np.vstack([drawn, _text(TILE, f"Dice {row['dice']:.2f}  ellipse {row['dice_ellipse']:.2f}")])


def _legend(width: int) -> np.ndarray:
    legend = _text(width, "truth", TRUTH_COLOUR)
    return np.minimum(legend, np.roll(_text(width, "prediction", PREDICTION_COLOUR), 60, axis=1))


def _text(width: int, text: str, colour: Sequence[int] = (0, 0, 0)) -> np.ndarray:
    strip = np.full((CAPTION, width, 3), 255, np.uint8)
    return cv2.putText(strip, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, tuple(colour), 1, cv2.LINE_AA)
