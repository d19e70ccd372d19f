"""How the engines call a network."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from custom.inferers import MixedPrecisionInferer


class Heads(nn.Module):
    """Remembers what it was given and gives two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        self.given, output = type(x), self.layer(x)
        self.computed = output.dtype
        return [output, output]


@pytest.mark.parametrize(("amp", "computed"), [(False, torch.float32), (True, torch.bfloat16)])
def test_computes_plain_tensors_and_returns_float32(amp: bool, computed: torch.dtype):
    network = Heads()
    heads = MixedPrecisionInferer(amp)(MetaTensor(torch.ones(2, 1, 4, 4)), network)
    assert (network.given, network.computed) == (torch.Tensor, computed)
    assert [(type(head), head.dtype) for head in heads] == [(torch.Tensor, torch.float32)] * 2
    heads[1].sum().backward()
    assert network.layer.weight.grad.dtype == torch.float32


def test_one_head_stays_a_tensor():
    assert MixedPrecisionInferer(True)(torch.ones(1, 1, 4, 4), nn.Conv2d(1, 1, 1)).dtype == torch.float32
