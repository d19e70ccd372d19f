"""The learning rate over a training."""

from __future__ import annotations

import math

import torch
from ignite.engine import Engine, Events

WARM_UP = 0.05


class WarmupCosine:
    """Raises the learning rate linearly over the first twentieth of the steps and lets it fall as a cosine to 0.

    It follows from the number of the step alone, so that a resumed training needs no state of it, which the schedulers
    of PyTorch, MONAI and Ignite do. Source of the cosine: Loshchilov and Hutter, "SGDR", 2017, arXiv 1608.03983.

    Args:
        optimizer: whose rate it sets.
        learning_rate: the highest.
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
    """The part of the highest rate that a step gets; `step` counts from 1 to `steps`."""
    warm_up = math.ceil(WARM_UP * steps)
    if step <= warm_up:
        return step / warm_up
    return (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up + 1))) / 2
