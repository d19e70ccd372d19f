"""Limits on what a header may claim, checked before memory is taken for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from custom.errors import InputError

# Twice the largest films' (CBIS-DDSM, 37 million). What claims more is refused before memory is taken for it: a file of
# a few bytes can say 60000 x 60000. Reading as many takes less than 2 GiB.
MOST_PIXELS = 80_000_000

# What a decoder gives: pixels `(X, Y, ...)`, spacing `(sx, sy)` in millimetres, the file's own affine if it has one.
Decoded = tuple[np.ndarray, Sequence[float], np.ndarray | None]
UNKNOWN_SPACING = (np.nan, np.nan)


def check_size(path: PathLike | str, shape: Iterable[int]) -> None:
    """Refuse what a header claims before memory is taken for it.

    Args:
        path: of the file.
        shape: all axes, in any order.

    Raises:
        InputError: there are more than `MOST_PIXELS`, or an axis has no length.
    """
    sides = [int(side) for side in shape]
    if min(sides, default=0) < 1 or math.prod(sides) > MOST_PIXELS:
        found = " x ".join(map(str, sides)) or "no"
        raise InputError(
            f"{path}: found {found} pixels in its header, expected from 1 to {MOST_PIXELS // 10**6} million, which is "
            "twice the largest mammogram; export the image again"
        )


def check_single_frame(path: Path, frames: int) -> None:
    """Refuse a file of several frames."""
    if frames > 1:
        raise InputError(f"{path}: found {frames} frames, expected one; export the frame as an image of its own")
