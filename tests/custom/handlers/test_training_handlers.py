"""What a training does beside its steps: the learning rate, and the end when it diverges."""

from __future__ import annotations

import math

import pytest
import torch
from ignite.engine import Engine

from custom.errors import InputError
from custom.handlers import StopDivergence, WarmupCosine


def rates(first_epoch: int, epochs: int = 10) -> list[float]:
    """The rate of every step of a training of four steps an epoch that begins with `first_epoch`."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    engine, seen = Engine(lambda engine, batch: seen.append(optimizer.param_groups[0]["lr"])), []
    if first_epoch > 1:
        steps = 4 * (first_epoch - 1)
        engine.load_state_dict({"epoch_length": 4, "max_epochs": epochs, "iteration": steps})
    WarmupCosine(optimizer, 0.2).attach(engine)
    engine.run(range(4), max_epochs=epochs)
    return seen


def test_rises_for_a_twentieth_of_the_steps_and_falls_to_nearly_zero():
    seen = rates(1)
    assert seen[:2] == [0.1, 0.2]
    assert seen[1:] == sorted(seen[1:], reverse=True)
    # 38 steps after the second: the 19th of them is half way.
    assert seen[1 + 19] == pytest.approx(0.1, rel=0.05)
    assert 0 < seen[-1] < 0.001


def test_a_resumed_training_goes_on_with_the_same_rates():
    assert rates(4) == rates(1)[12:]


@pytest.mark.parametrize(("loss", "weight", "found"), [(math.nan, 1.0, "the loss"), (1.0, math.inf, "a weight")])
def test_a_loss_or_weight_that_is_not_finite_ends_the_training(loss: float, weight: float, found: str):
    network, done = torch.nn.Linear(1, 1), []

    def step(engine: Engine, batch: int) -> dict[str, torch.Tensor]:
        done.append(engine.state.iteration)
        if engine.state.iteration == 4:
            torch.nn.init.constant_(network.weight, weight)
            return {"loss": torch.tensor(loss)}
        return {"loss": torch.tensor(1.0)}

    trainer = Engine(step)
    trainer.network, trainer.optimizer = network, torch.optim.SGD(network.parameters(), 0.5)
    StopDivergence("runs/a").attach(trainer)
    with pytest.raises(InputError) as caught:
        trainer.run(range(2), max_epochs=5)
    assert str(caught.value).startswith(f"runs/a: {found} is no finite number in epoch 2, the training diverges")
    assert str(caught.value).endswith("train anew with a --learning_rate below 0.5")
    assert done == [1, 2, 3, 4]
