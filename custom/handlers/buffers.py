"""The same running statistics in all processes of a training."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import nn


class ShareBuffers:
    """Gives all processes the first one's buffers when a validation begins, so that they validate what is saved.

    `DistributedDataParallel` shares the running statistics of batch normalisation before a training step, so after the
    last step of an epoch every process has its own. Within a validation it must not share them: the processes have
    different numbers of batches, so their broadcasts would not match. So validate the network inside it.

    Args:
        network: the one that is validated.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        for buffer in self.network.buffers():
            torch.distributed.broadcast(buffer, 0)
