"""The eight ways to turn and mirror a crop."""

from __future__ import annotations

import torch

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
