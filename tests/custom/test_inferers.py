"""How the engines call a network."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from torch import nn
from torch.nn import functional

from custom.inferers import CropInferer


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
    heads = CropInferer(amp)(MetaTensor(torch.ones(2, 1, 4, 4)), network)
    assert (network.given, network.computed) == (torch.Tensor, computed)
    assert [(type(head), head.dtype) for head in heads] == [(torch.Tensor, torch.float32)] * 2
    heads[1].sum().backward()
    assert network.layer.weight.grad.dtype == torch.float32


def test_turned_crops_give_the_mean_of_their_probabilities_put_back():
    kernel, image = torch.rand(1, 1, 3, 3), torch.rand(2, 1, 6, 4)

    def network(crops: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(crops, kernel, padding=1)

    # Turning the crop and putting the result back is the same as turning the kernel the other way.
    kernels = [torch.rot90(one, turns, (2, 3)) for one in (kernel, kernel.flip(3)) for turns in range(4)]
    expected = torch.stack([functional.conv2d(image, one, padding=1) for one in kernels])
    views = CropInferer().views(image, network)
    assert views.shape == (8, 2, 1, 6, 4)
    for one in expected:  # The order of the views but the first is nobody's business.
        assert min((one - view).abs().max() for view in views) < 1e-5
    torch.testing.assert_close(views[0], network(image))

    mean = expected.sigmoid().mean(0)
    assert (mean - network(image).sigmoid()).abs().max() > 1e-3
    averaging = CropInferer(turned=True)
    torch.testing.assert_close(averaging(image, network).sigmoid(), mean)
    torch.testing.assert_close(averaging.joined(views).sigmoid(), mean)
    torch.testing.assert_close(CropInferer().joined(views), CropInferer()(image, network))


def test_one_head_stays_a_tensor():
    assert CropInferer(True)(torch.ones(1, 1, 4, 4), nn.Conv2d(1, 1, 1)).dtype == torch.float32
