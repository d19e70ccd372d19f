"""The table of all lesions of an evaluation, with a thumbnail of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from custom.data import FILE_KEYS
from custom.handlers.lesion_results import METADATA
from custom.reader import read_pixels
from scripts.case import Row, by_dice, cut_case
from scripts.picture import draw_case
from scripts.report.blocks import Block, Lesion, LesionTable, Text
from scripts.report.chosen import is_known, prediction_file
from scripts.report.sources import Evaluation, Run
from scripts.spread import spread
from scripts.study.definition import slug

SIDE, QUALITY = 96, 70
# Of a page; with 2.5 kB each, and a third more as text, they take 8 MB of it.
THUMBNAILS = 2500
# So many take as long as the start of a process on each core, where mammograms are small.
WORTH_SPREADING = 200

LABELS = {
    "patient_id": "patient",
    "laterality": "side",
    "view": "view",
    "birads": "BI-RADS",
    "density": "density",
    "pathology": "pathology",
}
FILTERS = ("laterality", "view", "birads", "density", "pathology")
SCORES = {
    "dice": "Dice",
    "jaccard": "Jaccard",
    "precision": "precision",
    "recall": "recall",
    "hausdorff95": "Hausdorff 95, pixels",
    "dice_ellipse": "ellipse's Dice",
}
DECIMALS = {"hausdorff95": 1}
DIAMETER = "diameter, pixels"


@dataclass(frozen=True)
class _Frame:
    """A mammogram and what is to be drawn on it: of each lesion the entry, the row and the prediction."""

    image: str
    lesions: list[tuple[Row, Row, Path]]


def lesion_tables(run: Run) -> list[Block]:
    """A table of each evaluation of the run, lowest Dice first.

    The thumbnails of a page are limited: the evaluations share them in their order, lowest Dice first.
    """
    blocks: list[Block] = []
    left = THUMBNAILS
    for evaluation in run.evaluations:
        pictures = thumbnails(evaluation, left)
        left -= len(pictures)
        known = [key for key in METADATA if any(is_known(row[key]) for row in evaluation.lesions)]
        blocks += [
            Text(_told(evaluation, len(pictures))),
            LesionTable(
                f"lesions_{slug(evaluation.name)}",
                ["lesion", *(LABELS[key] for key in known), *SCORES.values(), DIAMETER],
                [LABELS[key] for key in known if _is_filter(evaluation.lesions, key)],
                [_lesion(known, row, pictures.get(row["lesion_id"])) for row in by_dice(evaluation.lesions)],
            ),
        ]
    return blocks


def thumbnails(evaluation: Evaluation, number: int) -> dict[str, bytes]:
    """JPEGs of the lesions of lowest Dice by `lesion_id`: blue the true outline, orange the predicted one.

    Args:
        evaluation: of a run; none of its lesions has one where the data set is gone.
        number: at most as many.
    """
    if evaluation.data is None:
        return {}
    entries = evaluation.data.entries
    wanted = [(entries[row["lesion_id"]], row, prediction_file(evaluation, row)) for row in by_dice(evaluation.lesions)]
    there = [lesion for lesion in wanted[:number] if all(Path(lesion[0][key]).is_file() for key in FILE_KEYS)]
    ordered = sorted(there, key=lambda lesion: lesion[0]["image"])
    frames = [_Frame(image, list(group)) for image, group in groupby(ordered, key=lambda lesion: lesion[0]["image"])]
    if len(there) < WORTH_SPREADING:
        drawn = [_draw(frame) for frame in frames]
    else:
        drawn = spread(_draw, frames, None, f"Thumbnails of {evaluation.name}", "mammogram")
    return {name: jpeg for of_frame in drawn for name, jpeg in of_frame.items()}


def _draw(frame: _Frame) -> dict[str, bytes]:
    pixels = read_pixels(frame.image)
    return {row["lesion_id"]: _thumbnail(pixels, entry, row, prediction) for entry, row, prediction in frame.lesions}


def _thumbnail(pixels: np.ndarray, entry: Row, row: Row, prediction: Path) -> bytes:
    picture = draw_case(cut_case(pixels, entry, row, [prediction]), SIDE)
    # Outlines of one pixel lose their colour where four pixels share it.
    how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), how)[1].tobytes()


def _told(evaluation: Evaluation, pictured: int) -> str:
    lesions = len(evaluation.lesions)
    text = f"All lesions of {evaluation.name}, {lesions}. Blue: true outline; orange: predicted."
    if evaluation.data is None:
        return (
            f"All lesions of {evaluation.name}, {lesions}. For pictures, pass the prepared data set by --dataset_dir."
        )
    if pictured < lesions:
        text += f" {pictured} of them have a picture, those of the lowest Dice first."
    return text


def _is_filter(rows: Sequence[Row], key: str) -> bool:
    return key in FILTERS and len({row[key] for row in rows}) > 1


def _lesion(known: Sequence[str], row: Row, thumbnail: bytes | None) -> Lesion:
    cells = [
        row["lesion_id"],
        *(row[key] for key in known),
        *(round(row[key], DECIMALS.get(key, 3)) for key in SCORES),
        round(2 * math.sqrt(row["lesion_pixels"] / math.pi), 1),
    ]
    return Lesion(cells, thumbnail, f"{row['lesion_id']} with its true and its predicted outline")
