"""Folders of runs and studies that never ran, with predictions on a small data set."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from custom.data import read_datalist
from custom.files import write_csv
from custom.handlers.lesion_results import BOX, METADATA
from custom.metrics import lesion_scores
from custom.provenance import dataset_provenance
from custom.reader import read_mask
from custom.transforms import lesion_window, mask_box
from scripts.report.sources import Run, Study, read_run, read_source
from tests.conftest import TRAIN, write_png

Predict = Callable[[np.ndarray, int], np.ndarray]


def shifted(truth: np.ndarray, number: int) -> np.ndarray:
    """Each lesion is predicted further off than the one before."""
    return np.roll(truth, number, axis=0)


def write_run(
    folder: Path,
    dataset: Path,
    tests: Sequence[str] = ("small_patient",),
    predict: Predict = shifted,
    lesions: int | None = None,
    **settings: Any,
) -> Path:
    """A run folder with the evaluations `tests` of the first `lesions` of the test part of `dataset`."""
    known = {"dataset_dir": str(dataset), "split": "patient", "seed": 3, "head": 4, "image_size": [32, 32], **settings}
    folder.mkdir(parents=True)
    (folder / "training.json").write_text(json.dumps({"config_file": [TRAIN], **known}))
    for test in tests:
        rows = []
        for number, entry in enumerate(read_datalist(str(dataset), "patient", "test")[:lesions]):
            truth = read_mask(entry["label"])
            prediction = predict(truth, number)
            box = mask_box(truth[None])
            assert box is not None
            scores = lesion_scores(prediction, truth, np.zeros_like(truth), lesion_window(box, 0.2, True), box)
            metadata = {name: entry.get(name, "") for name in METADATA}
            rows.append(
                {"lesion_id": entry["lesion_id"], **metadata, **scores, **dict(zip(BOX, map(float, box), strict=True))}
            )
            write_png(
                folder / "evaluation" / test / "predictions" / f"{entry['lesion_id']}.png",
                prediction.astype(np.uint8) * 255,
            )
        write_csv(folder / "evaluation" / test / "lesions.csv", rows)
        summary = {"dataset": dataset_provenance(str(dataset), "patient"), "settings": known}
        (folder / "evaluation" / test / "summary.json").write_text(json.dumps(summary))
    return folder


def made_run(folder: Path, dataset: Path, **settings: Any) -> Run:
    return read_run(write_run(folder, dataset, **settings), [])


def made_study(folder: Path, dataset: Path, arms: dict[str, Predict], tests: Sequence[str] = ("", "30 %")) -> Study:
    """A study with one seed; the last arm is the reference."""
    for arm, predict in arms.items():
        write_run(folder / "runs" / f"{arm}_seed0", dataset, ["test", "30"][: len(tests)], predict)
    (folder / "study.json").write_text(
        json.dumps({"arms": {arm: {} for arm in arms}, "tests": {test: {} for test in tests}})
    )
    (folder / "table.md").write_text("# Study\n")
    with (folder / "table.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("arm", "reference"), (next(iter(arms)), list(arms)[-1])])
    study = read_source(folder, [])
    assert isinstance(study, Study)
    return study
