"""How the engines call a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer

# A probability this near to 0 or 1 has a finite logit.
_NEAREST = 1e-6


class CropInferer(Inferer):
    """Calls the network on a batch of crops as plain tensors, in bfloat16 where that is on.

    What it returns is float32, since a loss or a Dice that sums bfloat16 is off by a percent. Bfloat16 has the range of
    float32 and so needs no scaled loss, unlike the float16 of MONAI's own `amp`, which is for CUDA alone. Metadata
    would be copied at every operation of the network, and cannot be compiled.

    Args:
        amp: compute in bfloat16.
        turned: test-time augmentation, which takes eight times as long: the mean of the probabilities of the turned and
            mirrored crop, put back, as a logit.
    """

    def __init__(self, amp: bool = False, turned: bool = False) -> None:
        super().__init__()
        self.amp = amp
        self.turned = turned

    def __call__(self, inputs: torch.Tensor, network: Callable, *args: Any, **kwargs: Any) -> Any:
        """The logits of `inputs` `(B, C, X, Y)`; a list of them from a network with deep supervision in training."""
        if self.turned:
            return self.joined(self.views(inputs, network))
        return self._forward(_plain(inputs), network, *args, **kwargs)

    def views(self, inputs: torch.Tensor, network: Callable) -> torch.Tensor:
        """The logits of each of the eight `VIEWS` of `inputs`, put back: `(8, B, C, X, Y)`; the first is as it came."""
        crops = _plain(inputs)
        return torch.stack([turned_back(self._forward(turned(crops, view), network), view) for view in VIEWS])

    def joined(self, views: torch.Tensor) -> torch.Tensor:
        """What a call gives, made of what `views` gives."""
        return views.sigmoid().mean(0).logit(_NEAREST) if self.turned else views[0]

    def _forward(self, crops: torch.Tensor, network: Callable, *args: Any, **kwargs: Any) -> Any:
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=self.amp):
            output = network(crops, *args, **kwargs)
        return [head.float() for head in output] if isinstance(output, list) else output.float()


def _plain(inputs: torch.Tensor) -> torch.Tensor:
    return inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs


# Quarter turns, and whether the turned crop is mirrored.
View = tuple[int, bool]
VIEWS: tuple[View, ...] = tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True))


def turned(crop: torch.Tensor, view: View) -> torch.Tensor:
    """A crop, or a batch of them, `(..., X, Y)`, turned and then mirrored."""
    turns, mirrored = view
    crop = torch.rot90(crop, turns, (-2, -1))
    return torch.flip(crop, (-1,)) if mirrored else crop


def turned_back(crop: torch.Tensor, view: View) -> torch.Tensor:
    """What `turned` made of a crop, as it was."""
    turns, mirrored = view
    return torch.rot90(torch.flip(crop, (-1,)) if mirrored else crop, -turns, (-2, -1))
