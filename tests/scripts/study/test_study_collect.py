from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from scripts.study.collect import at_best_epoch, network_cost

CURVES = {
    "train/loss": [0.5, 0.4, 0.3, 0.2],
    "train/dice": [0.6, 0.7, 0.8, 0.9],
    "validation/loss": [0.5, 0.3, 0.3, 0.4],
    "validation/dice": [0.5, 0.8, 0.8, 0.7],
}


def write_events(folder: Path, epochs: range, shift: float = 0.0, first: float = 1000.0) -> None:
    with SummaryWriter(str(folder)) as writer:
        for name, values in CURVES.items():
            for epoch in epochs:
                writer.add_scalar(name, values[epoch - 1] + shift, epoch, walltime=first + 7 * epoch)


def test_curves_are_those_of_the_first_best_epoch(tmp_path: Path):
    write_events(tmp_path, range(1, 5))
    curves = at_best_epoch(tmp_path)
    assert curves == pytest.approx(
        {
            "train_loss": 0.4,
            "train_dice": 0.7,
            "val_loss": 0.3,
            "val_dice": 0.8,
            "best_epoch": 2,
            "epochs": 4,
            "seconds_per_epoch": 7,
        }
    )


def test_a_repeated_epoch_counts_once_and_as_it_was_repeated(tmp_path: Path):
    write_events(tmp_path, range(1, 4), shift=0.1)
    time.sleep(1.1)  # the name of an event file holds the second in which it was begun
    write_events(tmp_path, range(2, 5), first=5000.0)
    curves = at_best_epoch(tmp_path)
    assert (curves["epochs"], curves["best_epoch"], curves["train_loss"]) == (4, 2, pytest.approx(0.4))
    assert curves["seconds_per_epoch"] == 7


def test_one_epoch_has_no_time(tmp_path: Path):
    write_events(tmp_path, range(1, 2))
    assert math.isnan(at_best_epoch(tmp_path)["seconds_per_epoch"])


def test_cost_of_a_network_that_can_be_counted_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1, bias=False))
    cost = network_cost(network, (20, 30))
    assert cost["parameters"] == (9 + 1) * 4 + 4
    assert cost["multiply_adds"] == 20 * 30 * (9 * 4 + 4)
    assert 0 < cost["milliseconds_per_lesion"] < 1000
