"""Runs made of rows alone, without a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from custom.metrics.summary import summarise
from scripts.common.cases import Row
from scripts.report.sources import Evaluation, Run
from tests.scripts.report.pictured_run import OF_THE_TEST, SETTINGS

ARGS = {"dataset_dir": "/data/small", **SETTINGS}


def lesion(number: int, dice: float = 0.9, **values: Any) -> Row:
    """A row of `lesions.csv`; two lesions to a patient."""
    return {
        "lesion_id": f"L_{number}",
        "patient_id": f"P_{number // 2}",
        **{"laterality": "LEFT", "view": "CC", "birads": "4", "density": "2", "pathology": "BENIGN"},
        **{"dice": dice, "jaccard": dice / (2 - dice), "precision": dice, "recall": dice, "hausdorff95": 3.0},
        **{"tp": 80, "fp": 20, "fn": 20, "tn": 280, "dice_all_foreground": 0.8, "dice_ellipse": 0.85},
        **{"box_x0": 0.0, "box_y0": 0.0, "box_x1": 10.0, "box_y1": 10.0, "lesion_pixels": 100},
        **values,
    }


def evaluation(name: str, lesions: Sequence[Row], calibration: Sequence[Row] = (), **settings: Any) -> Evaluation:
    """An evaluation whose data set is gone; on a datalist of its own for each folder and split."""
    known = {**ARGS, **OF_THE_TEST, **settings}
    dataset = {
        "name": Path(known["dataset_dir"]).name,
        "source": "made up",
        "split": known["split"],
        "manifest_sha256": "aa",
        "datalist_sha256": f"{known['dataset_dir']} {known['split']}",
    }
    about = {"parameters": 340501, "dataset": dataset, "settings": known, "versions": {"bundle": "0.1.0"}}
    summary = about | summarise(lesions, known["bootstrap_samples"])
    return Evaluation(Path("runs/told/evaluation", name), summary, list(lesions), list(calibration), None)


def run_of(*evaluations: Evaluation, curves: dict[str, dict[int, float]] | None = None) -> Run:
    """A run on `small`, split `patient`."""
    return Run(Path("/somewhere/runs/told"), dict(ARGS), curves or {}, list(evaluations), None)
