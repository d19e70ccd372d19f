"""How the engines call a network."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from torch import nn
from torch.nn import functional

from custom.inferers import DIHEDRAL, CropInferer, invert, transform


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


def test_test_time_augmentation_is_the_mean_probability_over_the_orientations():
    kernel, image = torch.rand(1, 1, 3, 3), torch.rand(2, 1, 6, 4)

    def network(crops: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(crops, kernel, padding=1)

    # Rotating the crop and rotating the result back is the same as rotating the kernel the other way.
    kernels = [torch.rot90(one, turns, (2, 3)) for one in (kernel, kernel.flip(3)) for turns in range(4)]
    expected = torch.stack([functional.conv2d(image, one, padding=1) for one in kernels])
    orientations = CropInferer().orientations(image, network)
    assert orientations.shape == (8, 2, 1, 6, 4)
    for one in expected:  # Only the place of the first is defined.
        assert min((one - other).abs().max() for other in orientations) < 1e-5
    torch.testing.assert_close(orientations[0], network(image))

    mean = expected.sigmoid().mean(0)
    assert (mean - network(image).sigmoid()).abs().max() > 1e-3
    averaging = CropInferer(test_time_augmentation=True)
    torch.testing.assert_close(averaging(image, network).sigmoid(), mean)
    torch.testing.assert_close(averaging.combine(orientations).sigmoid(), mean)
    torch.testing.assert_close(CropInferer().combine(orientations), CropInferer()(image, network))


def test_one_head_stays_a_tensor():
    assert CropInferer(True)(torch.ones(1, 1, 4, 4), nn.Conv2d(1, 1, 1)).dtype == torch.float32


def test_the_dihedral_group_has_eight_orientations_that_can_be_inverted():
    crop = torch.arange(12.0).reshape(1, 3, 4)
    orientations = [transform(crop, symmetry) for symmetry in DIHEDRAL]
    assert len({(one.shape, tuple(one.flatten().tolist())) for one in orientations}) == 8
    assert torch.equal(orientations[0], crop)
    for symmetry, one in zip(DIHEDRAL, orientations, strict=True):
        assert torch.equal(invert(one, symmetry), crop)
