"""`model.pt`, the best model of a run, and `last.pt`, from which it goes on."""

from __future__ import annotations

from pathlib import Path

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from ignite.handlers import EMAHandler
from torch import nn

from custom.errors import InputError, reason
from custom.files import release
from custom.runs.checkpoints import load_weights, read_checkpoint, write_checkpoint
from custom.runs.folder import LAST, MODEL, read_last


class RunCheckpoints:
    """Saves the best and the last state after each epoch of the trainer, each file replaced in one step.

    MONAI's `CheckpointSaver` forgets the best score when a run is resumed, and Ignite's `Checkpoint` removes a file of
    a fixed name before it writes the next. Attach it last: an epoch that is in `last.pt` is never repeated, so all else
    about it is to be written before.

    Args:
        run_dir: Run folder.
        network: Network whose bare state dict becomes `model.pt` whenever the key metric has its best value so far.
        optimizer: Optimizer, which goes into `last.pt` beside network and trainer.
        evaluator: Engine that validates in this training and has the key metric.
        averaging: Keeps a moving average of the network, which is saved in its place; None without one.
        resume: Go on from the `last.pt` that is there.
    """

    def __init__(
        self,
        run_dir: str,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        evaluator: Engine,
        averaging: EMAHandler | None = None,
        resume: bool = False,
    ) -> None:
        self.last = Path(run_dir, LAST)
        self.network = network
        self.optimizer = optimizer
        self.evaluator = evaluator
        self.averaging = averaging
        self.averaged = averaging.ema_model if averaging else None
        self.resume = resume

    def attach(self, engine: Engine) -> None:
        if self.averaging:
            self.averaging.attach(engine)
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)
            engine.add_event_handler(Events.COMPLETED, lambda: release(self.last.parent))
        if self.resume:
            engine.add_event_handler(Events.STARTED, self.go_on)
        elif hasattr(self.network, "load_pretrained"):
            engine.add_event_handler(Events.STARTED, self.begin)

    def begin(self, engine: Engine) -> None:
        """Give the network the weights with which its training begins."""
        self.network.load_pretrained()  # type: ignore[operator]
        if self.averaged is not None:
            self.averaged.load_state_dict(self.network.state_dict())

    def write(self, engine: Engine) -> None:
        best = self.evaluator.state
        if best.best_metric_epoch == engine.state.epoch:
            kept = self.network if self.averaged is None else self.averaged
            write_checkpoint(self.last.with_name(MODEL), kept.state_dict())
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "trainer": engine.state_dict(),
            "best": {"metric": best.best_metric, "epoch": best.best_metric_epoch},
        }
        if self.averaged is not None:
            state["averaged"] = self.averaged.state_dict()
        write_checkpoint(self.last, state)

    def go_on(self, engine: Engine) -> None:
        state = read_last(self.last, engine.state.device)
        load_weights(self.network, state["network"], self.last, "of this run")
        if self.averaged is not None:
            load_weights(self.averaged, state.get("averaged", {}), self.last, "of this run's average")
        epochs = engine.state.max_epochs
        try:
            self.optimizer.load_state_dict(state["optimizer"])
            engine.load_state_dict(state["trainer"])
        except Exception as error:  # PyTorch and Ignite take for granted that these are their own.
            raise InputError(
                f"{self.last}: optimizer or trainer are not those of this run ({reason(error)}); restore the file, or "
                "train anew without --resume"
            ) from error
        engine.state.max_epochs = epochs
        self.evaluator.state.best_metric = state["best"]["metric"]
        self.evaluator.state.best_metric_epoch = state["best"]["epoch"]


class LoadModel:
    """Puts the weights of a model into the network when the engine starts; unlike MONAI's, says in one line if not."""

    def __init__(self, file: str, network: nn.Module, network_name: str) -> None:
        self.file = Path(file)
        self.network = network
        self.network_name = network_name

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        weights = read_checkpoint(self.file, engine.state.device)
        load_weights(self.network, weights, self.file, self.network_name)
