"""Folders of runs and studies that never ran, with predictions on a small data set."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from ignite.engine import State
from torch.utils.tensorboard import SummaryWriter

from custom.data import Datalist
from custom.files import write_csv
from custom.handlers import LesionTable, read_lesions
from custom.metrics.summary import summarise
from custom.readers import read_mask
from custom.transforms import mask_box
from scripts.report.reading import read_run, read_source
from scripts.report.sources import Run, StudyResults
from tests.helpers import TRAIN, write_png

# As `training.json` has them.
SETTINGS: dict[str, Any] = {
    **{"split": "patient", "seed": 3, "head": 4, "epochs": 2, "learning_rate": 0.002, "network_name": "unetpp"},
    **{"remove_artifacts": False, "wiener": True, "wiener_window": 3, "clahe": True, "clahe_clip_limit": 2.0},
    **{"clahe_tiles": [8, 8], "margin": 0.2, "square": True, "image_size": [32, 32]},
}
# As an evaluation adds them.
SAMPLES = 50
OF_THE_TEST = {"box_displacement": 0.0, "bootstrap_samples": SAMPLES, "confidence": 0.95}

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
    known = {"config_file": [TRAIN], "dataset_dir": str(dataset), **SETTINGS, **settings}
    folder.mkdir(parents=True)
    (folder / "training.json").write_text(json.dumps(known))
    data = Datalist(dataset, "patient")
    for test in tests:
        evaluation = folder / "evaluation" / test
        about = _about(dataset, known | OF_THE_TEST)
        entries = data.part("test")[:lesions]
        table = LesionTable(entries, data.masks_by_image, str(evaluation), 0.2, True, about, SAMPLES)
        for number, entry in enumerate(entries):
            truth = read_mask(entry["label"])
            prediction = predict(truth, number)
            write_png(evaluation / "predictions" / f"{entry['lesion_id']}.png", prediction.astype(np.uint8) * 255)
            item = {"lesion_id": entry["lesion_id"], "box": mask_box(truth[None])}
            state = State(batch=[item], output=[{"mask": torch.from_numpy(prediction.copy())[None]}])
            table.measure(SimpleNamespace(state=state))
        table.write()
    return folder


def write_evaluation(folder: Path, dataset: Path, rows: list[dict[str, Any]], settings: dict[str, Any]) -> None:
    """`lesions.csv` and `summary.json` of `rows`."""
    write_csv(folder / "lesions.csv", rows)
    (folder / "summary.json").write_text(json.dumps(_about(dataset, settings) | summarise(rows, SAMPLES)))


def _about(dataset: Path, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "parameters": 340501,
        "dataset": Datalist(dataset, settings["split"]).provenance,
        "settings": settings,
        "versions": {"bundle": "0.1.0", "monai": "1.6.1"},
    }


def write_calibration(evaluation: Path, shares: dict[float, float]) -> None:
    """`calibration.csv` with a hundred pixels of each lesion in the bin above each probability of `shares`.

    Args:
        evaluation: folder with a `lesions.csv`.
        shares: what share of the pixels is lesion.
    """
    write_csv(
        evaluation / "calibration.csv",
        [
            {
                **{"lesion_id": row["lesion_id"], "patient_id": row["patient_id"]},
                **{"probability_low": low, "probability_high": low + 0.1, "mean_probability": low + 0.05},
                **{"pixels": 100, "lesion_share": lesion},
            }
            for row in read_lesions(evaluation / "lesions.csv")
            for low, lesion in shares.items()
        ],
    )


def write_curves(folder: Path, curves: dict[str, list[float]]) -> None:
    """Events with the values of each scalar from the first epoch on."""
    with SummaryWriter(str(folder)) as writer:
        for tag, values in curves.items():
            for epoch, value in enumerate(values, start=1):
                writer.add_scalar(tag, value, epoch)


def made_run(folder: Path, dataset: Path, **settings: Any) -> Run:
    return read_run(write_run(folder, dataset, **settings), [])


def made_study(
    folder: Path, dataset: Path, arms: dict[str, Predict], tests: Sequence[str] = ("", "30 %")
) -> StudyResults:
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
    assert isinstance(study, StudyResults)
    return study
