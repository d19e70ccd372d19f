"""What a training does beside its steps: seeds, schedule, divergence, shared buffers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import nn
from torch.utils.data import DataLoader

from custom.data import parts_of
from custom.errors import InputError


class SeedEpochs:
    """Sets the random state of order, transforms and network at the start of each epoch of the trainer.

    A training that was interrupted after an epoch then goes on as if it had not been.

    Args:
        seed: Seed of the run.
        data_loader: Data loader of the training, with a `DistributedSampler` (its order is a function of one number,
            also in a single process) and lesion datasets behind it.
    """

    def __init__(self, seed: int, data_loader: DataLoader) -> None:
        self.seed = seed
        self.sampler: Any = data_loader.sampler
        self.datasets = parts_of(data_loader.dataset)

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        epoch = engine.state.epoch
        # A plain sum would give seed 1 in epoch 1 the numbers of seed 0 in epoch 2.
        state = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0])
        torch.manual_seed(state)
        self.sampler.set_epoch(state)
        for dataset in self.datasets:
            dataset.epoch = epoch


WARM_UP = 0.05


class WarmupCosine:
    """Raises the learning rate linearly over the first twentieth of the steps and lets it fall as a cosine to 0.

    It follows from the number of the step alone, so that a resumed training needs no state of it, which the schedulers
    of PyTorch, MONAI and Ignite do. Source of the cosine: Loshchilov and Hutter, "SGDR", 2017, arXiv 1608.03983.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
        self.optimizer = optimizer
        self.learning_rate = learning_rate

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        steps = engine.state.max_epochs * engine.state.epoch_length
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * warmup_cosine(engine.state.iteration, steps)


def warmup_cosine(step: int, steps: int) -> float:
    """Return the part of the highest rate that a step gets; `step` counts from 1 to `steps`."""
    warm_up = math.ceil(WARM_UP * steps)
    if step <= warm_up:
        return step / warm_up
    return (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up + 1))) / 2


class StopDivergence:
    """Ends a training as soon as its loss or a weight is no finite number, before either reaches a checkpoint.

    Attach it before what validates and saves. What the run had after the epoch before stays as it is.

    Raises:
        InputError: On a call, if the loss or a weight is not finite.
    """

    def __init__(self, run_dir: str) -> None:
        self.run_dir = run_dir

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.check_loss)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.check_weights)

    def check_loss(self, engine: Engine) -> None:
        if not math.isfinite(engine.state.output["loss"].item()):
            self._stop(engine, "the loss")

    def check_weights(self, engine: Engine) -> None:
        # The last step of an epoch may spoil the weights after its loss was still finite.
        if not all(torch.isfinite(weight).all() for weight in engine.network.parameters()):
            self._stop(engine, "a weight")

    def _stop(self, engine: Engine, what: str) -> None:
        raise InputError(
            f"{self.run_dir}: {what} is no finite number in epoch {engine.state.epoch}, the training diverges; the "
            "checkpoints are those of the epochs before, train anew with a --learning_rate below "
            f"{engine.optimizer.defaults['lr']}"
        )


class ShareBuffers:
    """Gives all processes the first one's buffers when a validation begins, so that they validate what is saved.

    `DistributedDataParallel` shares the running statistics of batch normalisation before a training step, so after the
    last step of an epoch every process has its own. Validate the network inside it: the processes have different
    numbers of batches, so that its broadcasts would not match.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        for buffer in self.network.buffers():
            torch.distributed.broadcast(buffer, 0)
