"""Any image size for a network that needs multiples."""

from __future__ import annotations

import torch
from torch.nn import functional


def pad_to_multiple(x: torch.Tensor, multiple: int, at_least: int = 0) -> tuple[torch.Tensor, tuple[int, int]]:
    """Pad `(B, C, H, W)` on all four sides with its edge pixels.

    Args:
        x: the images.
        multiple: that both sides become.
        at_least: the smallest side, itself a multiple.

    Returns:
        the padded images, and how many rows and columns were put before the first.
    """
    rows, columns = (max(-(-side // multiple) * multiple, at_least) - side for side in x.shape[2:])
    top, left = rows // 2, columns // 2
    return functional.pad(x, (left, columns - left, top, rows - top), mode="replicate"), (top, left)


def crop_back(x: torch.Tensor, start: tuple[int, int], size: torch.Size) -> torch.Tensor:
    """The window of `size` (rows, columns) at `start`: takes off what `pad_to_multiple` put on."""
    return x[..., start[0] : start[0] + size[0], start[1] : start[1] + size[1]]
