"""The end of a training whose numbers have left all bounds."""

from __future__ import annotations

import math

import torch
from ignite.engine import Engine, Events
from torch import nn

from custom.errors import InputError


class StopDivergence:
    """Ends a training as soon as its loss or a weight is no finite number, before either reaches a checkpoint.

    Attach it before what validates and saves. What the run had after the epoch before stays as it is.

    Args:
        run_dir: named in the message.
        network: that is trained.
        learning_rate: named in the message.

    Raises:
        InputError: on a call, when the loss or a weight is not finite.
    """

    def __init__(self, run_dir: str, network: nn.Module, learning_rate: float) -> None:
        self.run_dir = run_dir
        self.network = network
        self.learning_rate = learning_rate

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.check_loss)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.check_weights)

    def check_loss(self, engine: Engine) -> None:
        if not math.isfinite(engine.state.output["loss"].item()):
            self._stop(engine, "the loss")

    def check_weights(self, engine: Engine) -> None:
        # The last step of an epoch may spoil the weights after its loss was still finite.
        if not all(torch.isfinite(weight).all() for weight in self.network.parameters()):
            self._stop(engine, "a weight")

    def _stop(self, engine: Engine, what: str) -> None:
        raise InputError(
            f"{self.run_dir}: {what} is no finite number in epoch {engine.state.epoch}, the training diverges; the "
            f"checkpoints are those of the epochs before, train anew with a --learning_rate below {self.learning_rate}"
        )
