"""The table of all lesions of an evaluation, with a thumbnail of each."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cv2
from PIL import Image

from custom.metrics.vocabulary import ATTRIBUTES, METRICS, measured_metrics
from custom.readers import read_pixels
from scripts.common.cases import Row, by_dice, draw_case, read_case
from scripts.common.formatting import count
from scripts.common.parallel import parallel_map
from scripts.report.blocks import Block, NotThere, SortableTable, Text
from scripts.report.figures import COLOURS
from scripts.report.lesions import DIAMETER, diameter, is_known
from scripts.report.sources import Evaluation, Run, StudyResults

SIDE, QUALITY = 96, 70
# Most on a page; with 2.5 kB each, and a third more as text, they take 8 MB of it.
THUMBNAILS = 2500
# Pixels that take as long as the start of a process on each core: 200 mammograms of one million or 14 of 15 millions.
WORTH_SPREADING = 200_000_000


# The datalist's entry of a lesion, its row and the file of its prediction.
_Drawable = tuple[Row, Row, Path]


def lesion_tables(run: Run) -> list[Block]:
    """Make a table of each evaluation of the run, lowest Dice first.

    The thumbnails of a page are limited: the evaluations share them in their order, lowest Dice first.
    """
    blocks: list[Block] = []
    left = THUMBNAILS
    for evaluation in run.evaluations:
        pictures = thumbnails(evaluation, left)
        left -= len(pictures)
        measures = {METRICS[name].heading: _rounded(evaluation.lesions, name) for name in measured_metrics()}
        blocks.append(Text(_about(run.title(evaluation), evaluation, len(pictures))))
        blocks.append(_table(evaluation, measures, pictures))
    return blocks


def study_lesion_table(study: StudyResults) -> list[Block]:
    """Make a table of the reference's lesions with the mean Dice of each arm over its seeds, in the first test."""
    tested = study.comparable_tests()
    if not tested:
        return []
    reference = study.reference
    evaluation = tested[reference][0]
    measures = {arm: _rounded(study.mean_lesions(arm), "dice") for arm in tested}
    measures[METRICS["dice_ellipse"].heading] = _rounded(evaluation.lesions, "dice_ellipse")
    pictures = thumbnails(evaluation, THUMBNAILS)
    about = f"{_about(evaluation.tested_on, evaluation, len(pictures))} The picture is that of {reference}."
    if len(tested[reference]) > 1:
        about += " The Dice of an arm is the mean over its seeds."
    return [Text(about), _table(evaluation, measures, pictures)]


def _rounded(lesions: Sequence[Row], name: str) -> dict[str, float]:
    return {row["lesion_id"]: round(row[name], METRICS[name].decimals) for row in lesions}


def _table(evaluation: Evaluation, measures: dict[str, dict[str, float]], pictures: dict[str, bytes]) -> SortableTable:
    """A table with what is known of each lesion, its `measures` by heading and lesion, and its size."""
    rows = by_dice(evaluation.lesions)
    known = [key for key in ATTRIBUTES if any(is_known(row[key]) for row in rows)]
    shown = []
    for row in rows:
        lesion = row["lesion_id"]
        # An arm of other folds was not tested on all of them.
        values = [by_lesion.get(lesion, math.nan) for by_lesion in measures.values()]
        shown.append([lesion, *(row[key] for key in known), *values, round(diameter(row), 1)])
    several = [key for key in known if key != "patient_id" and len({row[key] for row in rows}) > 1]
    columns = ["lesion", *(ATTRIBUTES[key] for key in known), *measures, DIAMETER]
    return SortableTable(columns, [ATTRIBUTES[key] for key in several], shown, pictures)


def _about(where: str, evaluation: Evaluation, pictured: int) -> str:
    lesions = len(evaluation.lesions)
    text = f"{where}: {'all ' if lesions > 1 else ''}{count(lesions, 'lesion')}."
    if evaluation.data is None:
        return f"{text} For pictures, pass the prepared data set by --dataset_dir."
    if pictured < lesions:
        text += f" {pictured:,} of them have a picture, those of the lowest Dice first."
    return f"{text} {COLOURS}"


def thumbnails(evaluation: Evaluation, number: int) -> dict[str, bytes]:
    """Draw JPEGs of the `number` lesions of lowest Dice, by `lesion_id`, without those whose files are gone."""
    by_image: dict[str, list[_Drawable]] = defaultdict(list)
    for row in by_dice(evaluation.lesions)[:number]:
        with suppress(NotThere):
            entry = evaluation.entry(row)
            by_image[entry["image"]].append((entry, row, evaluation.prediction(row)))
    if not by_image:
        return {}
    mammograms = list(by_image.values())
    with Image.open(mammograms[0][0][0]["label"]) as mask:
        # The other mammograms are taken to be as large as the first.
        pixels = math.prod(mask.size) * sum(map(len, mammograms))
    if pixels < WORTH_SPREADING:
        drawn = [_draw(lesions) for lesions in mammograms]
    else:
        drawn = parallel_map(_draw, mammograms, None, f"Thumbnails of {evaluation.name}", "mammogram")
    return {lesion: jpeg for of_mammogram in drawn for lesion, jpeg in of_mammogram.items()}


def _draw(lesions: Sequence[_Drawable]) -> dict[str, bytes]:
    """Draw the thumbnails of the lesions of one mammogram."""
    pixels = read_pixels(lesions[0][0]["image"])
    # Outlines of one pixel lose their colour where four pixels share it.
    how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    drawn = {}
    for entry, row, prediction in lesions:
        picture = draw_case(read_case(entry, row, [prediction], pixels), SIDE)
        drawn[row["lesion_id"]] = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), how)[1].tobytes()
    return drawn
