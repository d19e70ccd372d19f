"""Every random number of an epoch from the seed and the epoch's number."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch.utils.data import DataLoader

from custom.data import parts_of


class SeedEpochs:
    """Sets the random state of order, transforms and network at the start of each epoch of the trainer.

    A training that was interrupted after an epoch then goes on as if it had not been.

    Args:
        seed: of the run.
        data_loader: the training's, with a `DistributedSampler` (its order is a function of one number, also in
            a single process) and lesion datasets behind it.
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
