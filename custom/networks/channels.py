"""What a network takes."""

from __future__ import annotations

from torch import nn


def in_channels(network: nn.Module) -> int:
    """Channels of the image that a convolutional network takes, as its first weights tell."""
    return next(network.parameters()).shape[1]
