"""What the decoder of a file kind gives, and the limits on what a header may claim."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import NamedTuple

import numpy as np

from custom.errors import InputError

# Twice the largest films' (CBIS-DDSM, 37 million). What claims more is refused before memory is taken for it: a file of
# a few bytes can say 60000 x 60000. Reading as many takes less than 2 GiB.
MOST_PIXELS = 80_000_000


class Decoded(NamedTuple):
    """What a file holds.

    Attributes:
        pixels: Array `(X, Y, ...)`, first axis the columns.
        spacing: `(sx, sy)` in millimetres, NaN where the file does not say.
        affine: The file's own affine to RAS in millimetres, if it has one.
    """

    pixels: np.ndarray
    spacing: Sequence[float] = (np.nan, np.nan)
    affine: np.ndarray | None = None


def check_size(path: PathLike | str, shape: Iterable[int], frames: int = 1) -> None:
    """Refuse what a header claims before memory is taken for it.

    Args:
        path: File with the header.
        shape: Lengths of all axes, in any order.
        frames: Number of frames.

    Raises:
        InputError: There are several frames or more than `MOST_PIXELS`, or an axis has no length.
    """
    if frames > 1:
        raise InputError(f"{path}: found {frames} frames, expected one; export the frame as an image of its own")
    sides = [int(side) for side in shape]
    if min(sides, default=0) < 1 or math.prod(sides) > MOST_PIXELS:
        found = " x ".join(map(str, sides)) or "no"
        raise InputError(
            f"{path}: found {found} pixels in its header, expected from 1 to {MOST_PIXELS // 10**6} million, which is "
            "twice the largest mammogram; export the image again"
        )
