"""What a network costs: parameters, multiply-adds and time."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from custom.networks import in_channels

PASSES = 30
WARM_UP = 5


def network_cost(network: nn.Module, image_size: tuple[int, int]) -> dict[str, float]:
    """Parameters, multiply-adds and milliseconds of a forward pass for one lesion, on the device of the network.

    Multiply-adds are those of convolutions and matrix products, as PyTorch's counter finds them (it counts two
    operations for each). The time is the median of 30 passes with a batch of one.

    Args:
        network: takes `(B, C, H, W)`.
        image_size: `(H, W)`.

    Returns:
        `parameters`, `multiply_adds`, `milliseconds_per_lesion`.
    """
    device = next(network.parameters()).device
    crop = torch.zeros(1, in_channels(network), *image_size, device=device)
    network.eval()
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            network(crop)
        times = [_seconds(network, crop) for _ in range(WARM_UP + PASSES)][WARM_UP:]
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
        "milliseconds_per_lesion": 1000 * float(np.median(times)),
    }


def _seconds(network: nn.Module, crop: torch.Tensor) -> float:
    begin = time.perf_counter()
    network(crop)
    if crop.is_cuda:
        torch.cuda.synchronize(crop.device)
    return time.perf_counter() - begin
