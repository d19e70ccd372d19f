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


@pytest.mark.parametrize(("network", "edges"), [(PSPNet, (3, 3, 1, 2)), (LinkNet, (7, 7, 13, 14))])
@torch.no_grad()
def test_a_padded_image_comes_back_where_it_was(network: Callable, edges: tuple[int, int, int, int]):
    segment, image = network(features=(4, 8, 8, 16)).eval(), torch.rand(1, 1, 37, 50)
    left, _, top, _ = edges
    padded = torch.nn.functional.pad(image, edges, mode="replicate")
    torch.testing.assert_close(segment(image), segment(padded)[:, :, top : top + 37, left : left + 50])
