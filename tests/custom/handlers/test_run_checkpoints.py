"""`model.pt` and `last.pt` of a run, with networks of two numbers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine
from ignite.handlers import EMAHandler
from torch import nn

from custom.errors import InputError
from custom.files import hold
from custom.handlers import LoadModel, RunCheckpoints

METRICS = (0.5, 0.75, 0.25, 0.875)


class Run:
    """A training whose weight is the number of its steps, and whose validation gives `METRICS`."""

    def __init__(self, folder: Path, resume: bool = False, averaged: bool = False) -> None:
        self.network = nn.Linear(1, 1)
        nn.init.zeros_(self.network.weight)
        self.optimizer = torch.optim.SGD(self.network.parameters(), 0.5)
        self.best = SimpleNamespace(best_metric=-1.0, best_metric_epoch=-1)
        self.trainer = Engine(self.step)
        self.trainer.state.device = torch.device("cpu")
        evaluator = SimpleNamespace(state=self.best)
        self.averaging = EMAHandler(self.network, momentum=0.5) if averaged else None
        handler = RunCheckpoints(str(folder), self.network, self.optimizer, evaluator, self.averaging, resume)
        handler.attach(self.trainer)

    def step(self, engine: Engine, batch: int) -> None:
        with torch.no_grad():
            self.network.weight += 1
        metric = METRICS[engine.state.epoch - 1]
        if engine.state.iteration % 2 == 0 and metric > self.best.best_metric:
            self.best.best_metric, self.best.best_metric_epoch = metric, engine.state.epoch

    def train(self, epochs: int) -> None:
        self.trainer.run(range(2), max_epochs=epochs)


def weight(file: Path) -> float:
    return torch.load(file, weights_only=True)["weight"].item()


def test_the_best_model_and_the_last_state_are_kept(tmp_path: Path) -> None:
    hold(tmp_path)
    Run(tmp_path).train(3)
    assert weight(tmp_path / "model.pt") == 4  # after two epochs of two steps
    last = torch.load(tmp_path / "last.pt", weights_only=True)
    assert last["network"]["weight"].item() == 6
    assert last["best"] == {"metric": 0.75, "epoch": 2}
    assert {file.name for file in tmp_path.iterdir()} == {"model.pt", "last.pt"}  # and nobody holds it


@pytest.mark.parametrize("done", [2, 3])
def test_a_resumed_training_ends_as_if_it_had_not_stopped(tmp_path: Path, done: int) -> None:
    Run(tmp_path).train(done)
    resumed = Run(tmp_path, resume=True)
    resumed.train(4)
    assert (resumed.trainer.state.iteration, resumed.network.weight.item()) == (8, 8)
    assert weight(tmp_path / "model.pt") == 8
    resumed = Run(tmp_path, resume=True)
    resumed.train(4)
    assert (resumed.best.best_metric, resumed.network.weight.item()) == (0.875, 8)


class Pretrained(nn.Linear):
    def load_pretrained(self) -> None:
        nn.init.constant_(self.weight, 10)


@pytest.mark.parametrize("averaged", [False, True])
def test_pretrained_weights_are_those_of_the_beginning_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, averaged: bool
) -> None:
    monkeypatch.setattr(nn, "Linear", Pretrained)
    Run(tmp_path, averaged=averaged).train(2)
    resumed = Run(tmp_path, resume=True, averaged=averaged)
    resumed.train(3)
    assert resumed.network.weight.item() == 16
    if averaged:  # 10, 10.5, 11.25, 12.125, 13.0625, 14.03125, 15.015625
        assert resumed.averaging.ema_model.weight.item() == 15.015625


def test_the_average_is_kept_in_the_place_of_the_network(tmp_path: Path) -> None:
    Run(tmp_path, averaged=True).train(1)
    assert weight(tmp_path / "model.pt") == 1.25  # (0 + 1) / 2 after the first step, and (0.5 + 2) / 2 after the second
    resumed = Run(tmp_path, resume=True, averaged=True)
    resumed.train(1)
    assert resumed.averaging.ema_model.weight.item() == 1.25


def test_a_state_of_another_optimizer(tmp_path: Path) -> None:
    Run(tmp_path).train(1)
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    torch.save(state | {"optimizer": {"param_groups": []}}, tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"last\.pt: optimizer or trainer are not those of this run .*restore"):
        Run(tmp_path, resume=True).train(2)


def test_a_model_is_put_into_the_network(tmp_path: Path) -> None:
    network, engine = nn.Linear(1, 1), Engine(lambda engine, batch: None)
    engine.state.device = torch.device("cpu")
    torch.save({"weight": torch.tensor([[3.0]]), "bias": torch.zeros(1)}, tmp_path / "model.pt")
    LoadModel(str(tmp_path / "model.pt"), network, "small").attach(engine)
    engine.run([0])
    assert network.weight.item() == 3
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"model\.pt: its weights do not fit the network small: of 2 expected 1 are"):
        engine.run([0])
