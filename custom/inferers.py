"""How the engines call a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer


class MixedPrecisionInferer(Inferer):
    """Calls the network once, on plain tensors, in bfloat16 where that is on.

    What it returns is float32, since a loss or a Dice that sums bfloat16 is off by a percent. Bfloat16 has the range of
    float32 and so needs no scaled loss, unlike the float16 of MONAI's own `amp`, which is for CUDA alone. Metadata
    would be copied at every operation of the network, and cannot be compiled.

    Args:
        amp: compute in bfloat16.
    """

    def __init__(self, amp: bool = False) -> None:
        super().__init__()
        self.amp = amp

    def __call__(self, inputs: torch.Tensor, network: Callable, *args: Any, **kwargs: Any) -> Any:
        """The logits of `inputs` `(B, C, X, Y)`; a list of them from a network with deep supervision."""
        plain = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        with torch.autocast(plain.device.type, torch.bfloat16, enabled=self.amp):
            output = network(plain, *args, **kwargs)
        return [head.float() for head in output] if isinstance(output, list) else output.float()
