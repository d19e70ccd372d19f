"""How the engines call a network."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer

# A probability this near to 0 or 1 has a finite logit.
_NEAREST = 1e-6

# The dihedral group of the square, identity first: the number of 90-degree rotations, and whether a reflection follows.
Symmetry = tuple[int, bool]
DIHEDRAL: tuple[Symmetry, ...] = tuple(product(range(4), (False, True)))


def transform(crop: torch.Tensor, symmetry: Symmetry) -> torch.Tensor:
    """Rotate and then reflect a crop or a batch of them, `(..., X, Y)`."""
    rotations, reflected = symmetry
    crop = torch.rot90(crop, rotations, (-2, -1))
    return torch.flip(crop, (-1,)) if reflected else crop


def invert(crop: torch.Tensor, symmetry: Symmetry) -> torch.Tensor:
    """Undo `transform`."""
    rotations, reflected = symmetry
    return torch.rot90(torch.flip(crop, (-1,)) if reflected else crop, -rotations, (-2, -1))


class CropInferer(Inferer):
    """Call the network on a batch of crops as plain tensors, on request in bfloat16.

    The result is float32, since a loss or a Dice that sums bfloat16 is off by a percent. Bfloat16 has the range of
    float32 and so needs no scaled loss, unlike the float16 of MONAI's own `amp`, which is for CUDA alone. Metadata
    would be copied at every operation of the network, and cannot be compiled.

    Args:
        amp: Compute in bfloat16.
        test_time_augmentation: Return the logit of the mean probability over the eight orientations of the crop, in
            eight times the time.
    """

    def __init__(self, amp: bool = False, test_time_augmentation: bool = False) -> None:
        super().__init__()
        self.amp = amp
        self.test_time_augmentation = test_time_augmentation

    def __call__(self, inputs: torch.Tensor, network: Callable, *args: Any, **kwargs: Any) -> Any:
        """The logits of `inputs` `(B, C, X, Y)`; a list of them from a network with deep supervision in training."""
        if self.test_time_augmentation:
            return self.combine(self.orientations(inputs, network))
        return self._forward(_plain(inputs), network, *args, **kwargs)

    def orientations(self, inputs: torch.Tensor, network: Callable) -> torch.Tensor:
        """The logits of the crops in each orientation of `DIHEDRAL`, transformed back: `(8, B, C, X, Y)`."""
        crops = _plain(inputs)
        return torch.stack([invert(self._forward(transform(crops, one), network), one) for one in DIHEDRAL])

    def combine(self, orientations: torch.Tensor) -> torch.Tensor:
        """The result of a call, made from the logits that `orientations` returns."""
        if self.test_time_augmentation:
            return orientations.sigmoid().mean(0).logit(_NEAREST)
        return orientations[0]

    def _forward(self, crops: torch.Tensor, network: Callable, *args: Any, **kwargs: Any) -> Any:
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=self.amp):
            output = network(crops, *args, **kwargs)
        return [head.float() for head in output] if isinstance(output, list) else output.float()


def _plain(inputs: torch.Tensor) -> torch.Tensor:
    return inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
