from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import nn

from custom.networks import LinkNet, PSPNet, in_channels
from custom.networks.blocks import GroupedInstanceNorm, ResNet18Encoder, group_instance_norms, pad_to_multiple


@torch.no_grad()
def test_stages():
    images = torch.rand(1, 1, 64, 96)
    stages = ResNet18Encoder(1, (4, 8, 16, 24)).eval()(images)
    assert [tuple(stage.shape) for stage in stages] == [(1, 4, 16, 24), (1, 8, 8, 12), (1, 16, 4, 6), (1, 24, 2, 3)]


@torch.no_grad()
def test_dilation_keeps_the_resolution_and_the_weights():
    plain, dilated = (ResNet18Encoder(1, (4, 8, 16, 24), dilated).eval() for dilated in (False, True))
    dilated.load_state_dict(plain.state_dict())
    images = torch.rand(1, 1, 64, 96)
    expected, stages = plain(images), dilated(images)
    assert [tuple(stage.shape) for stage in stages[2:]] == [(1, 16, 8, 12), (1, 24, 8, 12)]
    for index in (0, 1):
        torch.testing.assert_close(stages[index], expected[index], rtol=0, atol=0)


def test_the_last_stages_reach_by_two_and_four_pixels():
    """One pixel in the middle, through a stage of ones: the first convolution reaches once its dilation, and so on."""
    encoder = ResNet18Encoder(1, (1, 1, 1, 1), dilated=True).eval()
    for stage, dilation in ((encoder.layer3, 2), (encoder.layer4, 4)):
        for weight in stage.parameters():
            torch.nn.init.ones_(weight)
        pixel = torch.zeros(1, 1, 65, 65)
        pixel[..., 32, 32] = 1
        (rows,) = torch.nonzero((stage(pixel) - stage(pixel * 0))[0, 0, :, 32], as_tuple=True)
        assert rows.tolist() == list(range(32 - 4 * dilation, 32 + 4 * dilation + 1, dilation))


@pytest.mark.parametrize(
    ("multiple", "at_least", "size", "expected"),
    [(4, 0, (4, 8), (4, 8)), (4, 0, (5, 7), (8, 8)), (4, 8, (3, 9), (8, 12)), (8, 16, (1, 17), (16, 24))],
)
def test_sides_become_the_next_multiple(multiple: int, at_least: int, size: tuple, expected: tuple):
    images = torch.rand(2, 1, *size)
    padded, top, left = pad_to_multiple(images, multiple, at_least)
    before, after = (top, left), (expected[0] - size[0] - top, expected[1] - size[1] - left)
    assert padded.shape == (2, 1, *expected)
    assert all(0 <= last - first <= 1 for first, last in zip(before, after, strict=True))
    width = ((0, 0), (0, 0), *zip(before, after, strict=True))
    np.testing.assert_array_equal(padded, np.pad(images.numpy(), width, mode="edge"))


@pytest.mark.parametrize(("network", "edges"), [(PSPNet, (3, 3, 1, 2)), (LinkNet, (7, 7, 13, 14))])
@torch.no_grad()
def test_a_padded_image_comes_back_where_it_was(network: Callable, edges: tuple[int, int, int, int]):
    segment, image = network(features=(4, 8, 8, 16)).eval(), torch.rand(1, 1, 37, 50)
    left, _, top, _ = edges
    padded = torch.nn.functional.pad(image, edges, mode="replicate")
    torch.testing.assert_close(segment(image), segment(padded)[:, :, top : top + 37, left : left + 50])


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


def test_the_channels_that_a_network_takes():
    assert [in_channels(LinkNet(channels)) for channels in (1, 2)] == [1, 2]
