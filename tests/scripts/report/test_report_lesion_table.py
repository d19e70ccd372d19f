from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from custom.findings.overlay import PREDICTION_COLOUR, TRUTH_COLOUR
from custom.metrics.vocabulary import BOX
from custom.readers import read_mask
from custom.transforms import lesion_window
from scripts.common.cases import CONTEXT
from scripts.report.blocks import SortableTable
from scripts.report.lesion_table import SIDE, lesion_tables, study_lesion_table
from scripts.report.sources import Run
from tests.scripts.report.pictured_run import Predict, made_run, made_study


def table_of(run: Run) -> SortableTable:
    (table,) = [block for block in lesion_tables(run) if isinstance(block, SortableTable)]
    return table


def decoded(jpeg: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(int)


def test_rows_say_what_was_measured(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset)
    table = table_of(run)
    assert table.filters == ["view", "pathology"]
    rows = sorted(run.evaluations[0].lesions, key=lambda row: row["dice"])
    assert [lesion[0] for lesion in table.rows] == [row["lesion_id"] for row in rows]
    shown = dict(zip(table.columns, table.rows[0], strict=True))
    assert shown["Dice"] == round(rows[0]["dice"], 3)
    assert shown["ACR density"] == "2"
    assert shown["diameter, pixels"] == round((4 * rows[0]["lesion_pixels"] / np.pi) ** 0.5, 1)


def test_a_thumbnail_has_the_outlines_colours_at_the_lesions_edge(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset, predict=lambda truth, _: np.roll(truth, 12, axis=0), lesions=1)
    (row,) = run.evaluations[0].lesions
    (jpeg,) = table_of(run).pictures.values()
    assert len(jpeg) < 4000
    picture = decoded(jpeg)
    assert picture.shape == (SIDE, SIDE, 3)
    x0, y0, x1, _ = lesion_window([row[edge] for edge in BOX], CONTEXT, square=True)
    entry = run.evaluations[0].data.entries[row["lesion_id"]]  # type: ignore[union-attr]
    truth = read_mask(entry["label"])
    middle = round((row["box_y0"] + row["box_y1"]) / 2)
    left = int(np.flatnonzero(truth[:, middle])[0])
    right = int(np.flatnonzero(truth[:, middle])[-1]) + 12
    for x, colour in ((left, TRUTH_COLOUR), (right, PREDICTION_COLOUR)):
        place = np.array([middle + 0.5 - y0, x + 0.5 - x0]) * SIDE / (x1 - x0)
        down, across = place.astype(int)
        near = picture[down - 1 : down + 2, across - 3 : across + 4].reshape(-1, 3)
        assert np.abs(near - colour).max(axis=1).min() < 45


def test_without_a_prediction_the_truth_alone_is_drawn(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset, lesions=1)
    next(run.evaluations[0].folder.glob("predictions/*")).unlink()
    picture = decoded(next(iter(table_of(run).pictures.values())))
    assert np.abs(picture - TRUTH_COLOUR).max(axis=2).min() < 45
    # Orange has much more red than blue; grey tissue has as much.
    assert (picture[..., 0] - picture[..., 2]).max() < 80


def test_without_its_data_the_table_is_still_there(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset)
    gone = replace(run, evaluations=[replace(run.evaluations[0], data=None)])
    assert (len(table_of(gone).rows), table_of(gone).pictures) == (len(run.evaluations[0].lesions), {})
    assert "--dataset_dir" in lesion_tables(gone)[0].text  # type: ignore[union-attr]


def test_a_study_has_the_dice_of_each_arm(tmp_path: Path, dataset: Path):
    arms: dict[str, Predict] = {"off": lambda truth, _: np.roll(truth, 3, axis=0), "exact": lambda truth, _: truth}
    study = made_study(tmp_path / "study", dataset, arms)
    off = study.runs["off"][0]
    tested = next(evaluation for evaluation in off.evaluations if evaluation.name == "test")
    lower = [row | {"dice": row["dice"] - 0.1} for row in tested.lesions]
    off.evaluations.append(replace(tested, lesions=lower))  # as another seed would be
    _, table = study_lesion_table(study)
    assert isinstance(table, SortableTable)
    dices = {row["lesion_id"]: row["dice"] for row in tested.lesions}
    for lesion in table.rows:
        shown = dict(zip(table.columns, lesion, strict=True))
        assert shown["exact"] == 1.0
        assert shown["off"] == pytest.approx(dices[shown["lesion"]] - 0.05, abs=6e-4)  # type: ignore[index]
        assert table.pictures[lesion[0]]


def test_metadata_that_nothing_is_known_of_have_no_column(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset)
    for row in run.evaluations[0].lesions:
        row["birads"], row["pathology"] = "", "N/A"
    assert {"BI-RADS", "pathology"}.isdisjoint(table_of(run).columns)


def test_evaluations_share_the_thumbnails(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch):
    run = made_run(tmp_path / "run", dataset, tests=("a", "b"))
    lesions = len(run.evaluations[0].lesions)
    monkeypatch.setattr("scripts.report.lesion_table.THUMBNAILS", lesions + 1)
    first, second = (block for block in lesion_tables(run) if isinstance(block, SortableTable))
    assert len(first.pictures) == lesions
    assert list(second.pictures) == [second.rows[0][0]]


def test_many_are_spread_and_each_mammogram_is_read_once(
    tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
):
    run = made_run(tmp_path / "run", dataset)
    evaluation = run.evaluations[0]
    assert evaluation.data is not None
    # 300 lesions, as many on each mammogram.
    for number in range(300 - len(evaluation.lesions)):
        like = evaluation.lesions[number]
        evaluation.lesions.append(like | {"lesion_id": f"more_{number}"})
        evaluation.data.entries[f"more_{number}"] = evaluation.data.entries[like["lesion_id"]]
    given: list[Any] = []

    def at_once(function: Callable[[Any], Any], items: Sequence[Any], *_: object) -> list[Any]:
        given.extend(items)
        return [function(item) for item in items]

    monkeypatch.setattr("scripts.report.lesion_table.parallel_map", at_once)
    monkeypatch.setattr("scripts.report.lesion_table.WORTH_SPREADING", 300 * 90 * 90)  # the smallest has 90 x 90
    begin = time.process_time()
    table = table_of(run)
    # 2,000 in 60 s on one core would be 9 s.
    assert time.process_time() - begin < 9
    assert len({lesions[0][0]["image"] for lesions in given}) == len(given) < 10
    assert all(table.pictures[lesion[0]] for lesion in table.rows)
    assert len(table.rows) == 300
