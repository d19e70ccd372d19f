"""Instance normalisation as group normalisation, beside PyTorch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import nn

from custom.networks.instance_norm import GroupedInstanceNorm, group_instance_norms


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("shape", "affine"), [((3, 4, 6, 5), True), ((1, 2, 2, 1), True), ((2, 3, 7, 7), False)])
def test_gives_the_numbers_and_gradients_of_pytorch(shape: tuple, affine: bool, memory_format: torch.memory_format):
    torch.manual_seed(0)
    plain = nn.InstanceNorm2d(shape[1], affine=affine)
    if affine:
        nn.init.normal_(plain.weight)
        nn.init.normal_(plain.bias)
    grouped = copy.deepcopy(plain)
    group_instance_norms(grouped)
    results = []
    for norm in (plain, grouped):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(memory_format=memory_format)
        x.requires_grad_()
        y = norm(x)
        (y * torch.arange(y.numel()).reshape(shape)).sum().backward()
        results.append([y, x.grad, *(parameter.grad for parameter in norm.parameters())])
    assert type(grouped) is GroupedInstanceNorm
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_the_state_dict_stays_as_it_is():
    network = BasicUNet(2, 1, 1, features=(4, 4, 8, 8, 16, 4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    group_instance_norms(network)
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert nn.InstanceNorm2d not in {type(module) for module in network.modules()}


def test_norms_with_running_statistics_are_left_alone():
    network = nn.Sequential(nn.InstanceNorm2d(2, track_running_stats=True), nn.BatchNorm2d(2))
    group_instance_norms(network)
    assert [type(module) for module in network] == [nn.InstanceNorm2d, nn.BatchNorm2d]
