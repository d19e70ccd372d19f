"""Results of a study's finished runs: scores of the lesions, curves, cost of the networks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from custom.handlers import read_lesions
from custom.networks import in_channels
from custom.runs.folder import read_inference
from scripts.common.results import read_curves
from scripts.study.definition import Study
from scripts.study.job import Job

# Columns of the table and what the trainings call them.
CURVES = {
    "train_loss": "train/loss",
    "train_dice": "train/dice",
    "val_loss": "validation/loss",
    "val_dice": "validation/dice",
}
PASSES, WARM_UP = 30, 5


@dataclass(frozen=True)
class ArmResult:
    """Results of one arm in one test.

    Attributes:
        test: Name of the test; empty in a study with a single test.
        lesions: Rows of `lesions.csv` of each seed, numbers as float.
        curves: `at_best_epoch` of each seed.
        cost: `network_cost` of the arm's network.
        paper: Figures of the paper by metric, as printed there; may be empty.
    """

    arm: str
    test: str
    lesions: list[list[dict[str, Any]]]
    curves: list[dict[str, float]]
    cost: dict[str, float]
    paper: dict[str, str]


def collect(study: Study, jobs: list[Job]) -> list[ArmResult]:
    """Return the results of every arm in every test, in the study's order; measures the cost of the networks."""
    by_arm = {arm: [job for job in jobs if job.arm == arm] for arm in study.arms}
    curves = {arm: [at_best_epoch(job.run_dir) for job in runs] for arm, runs in by_arm.items()}
    return [
        ArmResult(
            arm=arm,
            test=test,
            lesions=[read_lesions(job.evaluation_dir(test) / "lesions.csv") for job in runs],
            curves=curves[arm],
            cost=_run_cost(runs[0].run_dir, study.tests[test]),
            paper=study.paper.get(arm, {}),
        )
        for arm, runs in by_arm.items()
        for test in study.tests_of(arm)
    ]


def at_best_epoch(run_dir: Path) -> dict[str, float]:
    """Read a run's loss and Dice at the epoch whose model was kept.

    Returns:
        `train_loss, train_dice, val_loss, val_dice, best_epoch, epochs` and `seconds_per_epoch`: the median time from
        the end of an epoch to the end of the next, validation included; NaN after a single epoch.
    """
    points = read_curves(run_dir)
    dice = points[CURVES["val_dice"]]
    best = max(dice, key=lambda epoch: (dice[epoch].value, -epoch))
    ends = [event.wall_time for event in points[CURVES["train_loss"]].values()]
    return {
        **{name: points[tag][best].value for name, tag in CURVES.items()},
        "best_epoch": best,
        "epochs": len(ends),
        "seconds_per_epoch": float(np.median(np.diff(ends))) if len(ends) > 1 else float("nan"),
    }


def _run_cost(run_dir: Path, overrides: Mapping[str, Any]) -> dict[str, float]:
    parser = read_inference(run_dir / "inference.json", overrides)
    return network_cost(parser.get_parsed_content("network"), tuple(parser["image_size"]))


def network_cost(network: nn.Module, image_size: tuple[int, int]) -> dict[str, float]:
    """Measure a forward pass for one lesion, on the device of the network.

    Args:
        network: Network that takes `(B, C, X, Y)`.
        image_size: `(X, Y)`.

    Returns:
        `parameters`; `multiply_adds` of convolutions and matrix products, as PyTorch counts them (two operations for
        each); `milliseconds_per_lesion`, the median of 30 passes with a batch of one.
    """
    device = next(network.parameters()).device
    crop = torch.zeros(1, in_channels(network), *image_size, device=device)
    network.eval()
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            network(crop)
        times = [_seconds(network, crop) for _ in range(WARM_UP + PASSES)][WARM_UP:]
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
        "milliseconds_per_lesion": 1000 * float(np.median(times)),
    }


def _seconds(network: nn.Module, crop: torch.Tensor) -> float:
    begin = time.perf_counter()
    network(crop)
    if crop.is_cuda:
        torch.cuda.synchronize(crop.device)
    return time.perf_counter() - begin
