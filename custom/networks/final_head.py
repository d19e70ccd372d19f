"""One tensor out of a network that returns one output per depth."""

from __future__ import annotations

import torch
from torch import nn


def final_head(output: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
    """The full-depth output: the last of a list (UNet++ lists its heads from shallow to deep), or the tensor itself."""
    return output[-1] if isinstance(output, (list, tuple)) else output


class FinalHead(nn.Module):
    """Wraps a network that returns a list, such as MONAI's `BasicUNetPlusPlus`, so that it returns its last head.

    Losses, inferers, postprocessing, `verify_net_in_out` and the exports all expect one tensor. With deep supervision
    the loss needs every head, so the whole list is returned, but in training mode only.

    Args:
        network: takes `(B, C, H, W)` and returns a list of `(B, K, H, W)` logits, the final head last.
        deep_supervision: return the list of all heads in training mode.
    """

    def __init__(self, network: nn.Module, deep_supervision: bool = False) -> None:
        super().__init__()
        self.network = network
        self.deep_supervision = deep_supervision

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        heads = self.network(x)
        return heads if self.deep_supervision and self.training else final_head(heads)
