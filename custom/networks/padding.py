"""Any image size for a network that needs multiples."""

from __future__ import annotations

import torch
from torch.nn import functional


def pad_to_multiple(x: torch.Tensor, multiple: int, at_least: int = 0) -> tuple[torch.Tensor, int, int]:
    """Pad `(B, C, H, W)` on all four sides with its edge pixels.

    Args:
        x: the images.
        multiple: of which both sides become one.
        at_least: the smallest side, itself a multiple.

    Returns:
        the padded images, and how many rows and columns stand before the first.
    """
    rows = max(-(-x.shape[2] // multiple) * multiple, at_least) - x.shape[2]
    columns = max(-(-x.shape[3] // multiple) * multiple, at_least) - x.shape[3]
    top, left = rows // 2, columns // 2
    return functional.pad(x, [left, columns - left, top, rows - top], mode="replicate"), top, left
