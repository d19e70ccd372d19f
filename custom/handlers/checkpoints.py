"""`model.pt`, the best model of a run, and `last.pt`, from which it goes on."""

from __future__ import annotations

from pathlib import Path

import torch
from ignite.engine import Engine, Events
from ignite.handlers import DiskSaver
from torch import nn

from custom.runs import LAST, MODEL


class RunCheckpoints:
    """Saves the best and the last state after each epoch of the trainer, each file replaced in one step.

    MONAI's `CheckpointSaver` forgets the best score when a run is resumed, and Ignite's `Checkpoint` removes a file of
    a fixed name before it writes the next. Attach it after the handler that validates.

    Args:
        run_dir: the run folder.
        network: its bare state dict becomes `model.pt` whenever the evaluator's key metric has its best value so far.
        optimizer: goes into `last.pt` beside network and trainer.
        evaluator: validates in this training.
        resume: whether the trainer goes on from the `last.pt` that is there.
    """

    def __init__(
        self,
        run_dir: str,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        evaluator: Engine,
        resume: bool = False,
    ) -> None:
        self.last = Path(run_dir, LAST)
        self.save = DiskSaver(run_dir, require_empty=False)
        self.network = network
        self.optimizer = optimizer
        self.evaluator = evaluator
        self.resume = resume

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)
        if self.resume:
            engine.add_event_handler(Events.STARTED, self.go_on)

    def write(self, engine: Engine) -> None:
        best = self.evaluator.state
        if best.best_metric_epoch == engine.state.epoch:
            self.save(self.network.state_dict(), MODEL)
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "trainer": engine.state_dict(),
            "best": {"metric": best.best_metric, "epoch": best.best_metric_epoch},
        }
        self.save(state, LAST)

    def go_on(self, engine: Engine) -> None:
        state = torch.load(self.last, map_location=engine.state.device, weights_only=True)
        epochs = engine.state.max_epochs
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        engine.load_state_dict(state["trainer"])
        engine.state.max_epochs = epochs
        self.evaluator.state.best_metric = state["best"]["metric"]
        self.evaluator.state.best_metric_epoch = state["best"]["epoch"]
