"""What each process of a training has at the end of an epoch; a config of the tests puts it among the handlers."""

from __future__ import annotations

from pathlib import Path

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import nn


class Observer:
    """Writes `epoch_<n>_rank_<r>.pt` after each epoch: learning rates, weights, validation metrics, lesions seen."""

    def __init__(self, folder: str, optimizer: torch.optim.Optimizer, network: nn.Module, evaluator: Engine) -> None:
        self.folder = Path(folder)
        self.optimizer = optimizer
        self.network = network
        self.evaluator = evaluator
        self.lesions: list[str] = []

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.see)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def see(self, engine: Engine) -> None:
        self.lesions += engine.state.batch["lesion_id"]

    def write(self, engine: Engine) -> None:
        state = {
            "learning_rates": [group["lr"] for group in self.optimizer.param_groups],
            "network": self.network.state_dict(),
            "metrics": dict(self.evaluator.state.metrics),
            "best": (self.evaluator.state.best_metric, self.evaluator.state.best_metric_epoch),
            "lesions": self.lesions,
        }
        self.lesions = []
        torch.save(state, self.folder / f"epoch_{engine.state.epoch}_rank_{idist.get_rank()}.pt")
