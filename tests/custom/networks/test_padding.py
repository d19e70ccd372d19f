from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from custom.networks import LinkNet, PSPNet
from custom.networks.padding import pad_to_multiple


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


@pytest.mark.parametrize(("network", "size"), [(PSPNet, (40, 56)), (LinkNet, (64, 64))])
@torch.no_grad()
def test_a_padded_image_comes_back_where_it_was(network: Callable, size: tuple[int, int]):
    network = network(features=(4, 8, 8, 16)).eval()
    whole = torch.nn.functional.pad(torch.rand(1, 1, 37, 50), (3, 3, 1, 2), mode="replicate")
    if network.__class__ is LinkNet:
        whole = torch.nn.functional.pad(whole, (4, 4, 12, 12), mode="replicate")
    top, left = (whole.shape[2] - 37) // 2, (whole.shape[3] - 50) // 2
    window = (..., slice(top, top + 37), slice(left, left + 50))
    assert whole.shape[2:] == size
    torch.testing.assert_close(network(whole[window]), network(whole)[window])
