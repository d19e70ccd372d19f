"""The table of all lesions of an evaluation, with a thumbnail of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from custom.data import FILE_KEYS
from custom.metrics.vocabulary import ATTRIBUTES as METADATA
from custom.readers import read_pixels
from scripts.common.cases import Row, by_dice, cut_case, draw_case
from scripts.common.formatting import count, slug
from scripts.common.parallel import parallel_map
from scripts.report.blocks import Block, Lesion, LesionTable, Text
from scripts.report.evaluations import average_seeds, comparable_tests, reference_arm, tested_on, title
from scripts.report.lesions import DIAMETER, LABELS, diameter, is_known, prediction_file
from scripts.report.outlined import COLOURS
from scripts.report.sources import Evaluation, Run, Study

SIDE, QUALITY = 96, 70
# Of a page; with 2.5 kB each, and a third more as text, they take 8 MB of it.
THUMBNAILS = 2500
# Pixels that take as long as the start of a process on each core: 200 mammograms of one million or 14 of 15 millions.
WORTH_SPREADING = 200_000_000

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
        measures = {
            row["lesion_id"]: {heading: round(row[key], DECIMALS.get(key, 3)) for key, heading in SCORES.items()}
            for row in evaluation.lesions
        }
        name = f"lesions_{slug(evaluation.name)}"
        told = _told(title(run, evaluation), evaluation, len(pictures))
        blocks += [Text(told), _table(name, evaluation, measures, pictures)]
    return blocks


def study_lesion_table(study: Study) -> list[Block]:
    """The lesions of the reference with the Dice of each arm, mean over its seeds, in the study's first test.

    Raises:
        NotThere: the runs of the reference are gone.
    """
    tested = comparable_tests(study)
    if not tested:
        return []
    reference = reference_arm(study)
    evaluation = tested[reference][0]
    dices = {
        arm: {row["lesion_id"]: row["dice"] for row in average_seeds(arm, evaluations)}
        for arm, evaluations in tested.items()
    }
    measures = {
        row["lesion_id"]: {
            # An arm of other folds was not tested on all of them.
            **{arm: round(of_arm.get(row["lesion_id"], math.nan), 3) for arm, of_arm in dices.items()},
            SCORES["dice_ellipse"]: round(row["dice_ellipse"], 3),
        }
        for row in evaluation.lesions
    }
    pictures = thumbnails(evaluation, THUMBNAILS)
    told = f"{_told(tested_on(evaluation), evaluation, len(pictures))} The picture is that of {reference}."
    if len(tested[reference]) > 1:
        told += " The Dice of an arm is the mean over its seeds."
    return [Text(told), _table("lesions", evaluation, measures, pictures)]


def _table(
    name: str, evaluation: Evaluation, measures: dict[str, dict[str, float]], pictures: dict[str, bytes]
) -> LesionTable:
    """A table with what is known of each lesion, its `measures` and its size."""
    rows = by_dice(evaluation.lesions)
    known = [key for key in METADATA if any(is_known(row[key]) for row in rows)]
    lesions = []
    for row in rows:
        of_lesion = row["lesion_id"]
        cells = [of_lesion, *(row[key] for key in known), *measures[of_lesion].values(), round(diameter(row), 1)]
        lesions.append(Lesion(cells, pictures.get(of_lesion), f"{of_lesion} with its true and its predicted outline"))
    filters = [LABELS[key] for key in known if key in FILTERS and len({row[key] for row in rows}) > 1]
    columns = [LABELS["lesion_id"], *(LABELS[key] for key in known), *next(iter(measures.values())), DIAMETER]
    return LesionTable(name, columns, filters, lesions)


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
    if _pixels(frames) < WORTH_SPREADING:
        drawn = [_draw(frame) for frame in frames]
    else:
        drawn = parallel_map(_draw, frames, None, f"Thumbnails of {evaluation.name}", "mammogram")
    return {name: jpeg for of_frame in drawn for name, jpeg in of_frame.items()}


def _pixels(frames: Sequence[_Frame]) -> int:
    """About how many pixels the mammograms of all lesions have, judged by the first."""
    if not frames:
        return 0
    with Image.open(frames[0].lesions[0][0]["label"]) as mask:
        return math.prod(mask.size) * sum(len(frame.lesions) for frame in frames)


def _draw(frame: _Frame) -> dict[str, bytes]:
    pixels = read_pixels(frame.image)
    return {row["lesion_id"]: _thumbnail(pixels, entry, row, prediction) for entry, row, prediction in frame.lesions}


def _thumbnail(pixels: np.ndarray, entry: Row, row: Row, prediction: Path) -> bytes:
    picture = draw_case(cut_case(pixels, entry, row, [prediction]), SIDE)
    # Outlines of one pixel lose their colour where four pixels share it.
    how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), how)[1].tobytes()


def _told(about: str, evaluation: Evaluation, pictured: int) -> str:
    lesions = len(evaluation.lesions)
    text = f"{about}: {'all ' if lesions > 1 else ''}{count(lesions, 'lesion')}."
    if evaluation.data is None:
        return f"{text} For pictures, pass the prepared data set by --dataset_dir."
    if pictured < lesions:
        text += f" {pictured:,} of them have a picture, those of the lowest Dice first."
    return f"{text} {COLOURS}"
