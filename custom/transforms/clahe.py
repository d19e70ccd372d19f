"""Contrast-limited adaptive histogram equalisation for images of any grey scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from monai.config import KeysCollection
from monai.utils import ensure_tuple

from custom.errors import InputError
from custom.transforms.compiled import compiled
from custom.transforms.filters import Filter, Filterd

_BINS = 256
# Grey levels of 8-bit steps, far below the 1/257 that separates two levels of a 16-bit image.
_ROUNDING = 1e-3
# Equal pixels follow each other, and counting up one and the same number is slow: each has to wait for the one before.
_COUNTERS = 4


class CLAHE(Filter):
    """Contrast-limited adaptive histogram equalisation that keeps every grey level of a 12- to 16-bit source.

    On an 8-bit image that spans 0 to 255 this is `cv2.createCLAHE(clip_limit, tiles)` before rounding. On 16 bits
    OpenCV counts 65536 bins, often more than a tile has pixels, and clipping leaves hardly anything of the histogram.
    Here the range of the image is always divided into 256 bins, as on 8 bits, and the equalising curve of a tile is
    interpolated between them, so that no grey levels merge. Every channel is equalised by itself and stays within its
    own minimum and maximum: rescaling the input rescales the output. A constant channel stays what it was.

    Source: K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV, Academic Press, 1994,
    pp. 474-485.

    Args:
        clip_limit: Pixels that a bin holds at most, in those of a bin of a flat histogram; what is cut off is
            spread over all bins. The larger, the stronger.
        tiles: Number of tiles along each spatial axis `(X, Y)`, that is columns and rows as in OpenCV.

    Raises:
        InputError: When a setting is none of the above, or when the image has fewer pixels along an axis than tiles.
    """

    def __init__(self, clip_limit: float = 2.0, tiles: Sequence[int] = (8, 8)) -> None:
        self.clip_limit = clip_limit
        self.tiles = ensure_tuple(tiles)
        if not 0 < clip_limit < math.inf:
            raise InputError(f"clahe clip limit: found {clip_limit}, expected a number above 0, such as 2.0")
        if len(self.tiles) != 2 or not all(isinstance(count, int) and count > 0 for count in self.tiles):
            raise InputError(f"clahe tiles: found {tiles}, expected two whole numbers of at least 1, such as (8, 8)")

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        result, size = np.empty_like(pixels), pixels.shape[1:]
        if any(count > side for count, side in zip(self.tiles, size, strict=True)):
            raise InputError(f"clahe tiles: found {self.tiles}, expected no more than the image's {size} pixels")
        for channel, out in zip(pixels, result, strict=True):
            self._equalize(channel, out)
        return result

    def _equalize(self, channel: np.ndarray, out: np.ndarray) -> None:
        low, high = channel.min(), channel.max()
        # Constant, not a number, or of a range by which float32 cannot divide.
        if not 1e-36 < float(high) - float(low) < 1e38:
            out[:] = channel
            return
        size, tiles = np.array(channel.shape), np.array(self.tiles)
        # As in OpenCV, a grid that does not divide both axes extends both, by mirroring the image at its end.
        extent = size // tiles + (size % tiles).any()
        axes = list(zip(size, extent, tiles, strict=True))
        x, y = (np.pad(np.arange(side), (0, tile * count - side), "reflect") for side, tile, count in axes)
        counts = np.zeros((*tiles, _COUNTERS, _BINS), np.int64)
        _count(channel, low, high, x, y, counts)
        clipped = _clip(counts.sum(axis=2), max(int(self.clip_limit * extent.prod() / _BINS), 1))
        curves = np.pad(low + (high - low) * (clipped.cumsum(axis=-1) / extent.prod()), (0, 1), "edge")
        x, y = ((np.arange(side) / tile - 0.5).clip(0, count - 1).astype(np.float32) for side, tile, count in axes)
        _look_up(channel, low, high, curves.astype(np.float32), x, y, out)


def _clip(counts: np.ndarray, limit: int) -> np.ndarray:
    """Cut every bin at `limit` and spread the excess over all; what does not divide goes to every nth bin."""
    excess = (counts - limit).clip(min=0).sum(axis=-1, keepdims=True)
    rest = excess % _BINS
    step = _BINS // rest.clip(min=1)
    bins = np.arange(_BINS)
    gets_one_more = (bins % step == 0) & (bins // step < rest)
    return counts.clip(max=limit) + excess // _BINS + gets_one_more


@compiled("void(float32[:, ::1], float32, float32, int64[::1], int64[::1], int64[:, :, :, ::1])")
def _count(pixels: np.ndarray, low: float, high: float, x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> None:
    """Count the pixels of every tile.

    Bin `k` counts the levels above `k - 1` and up to `k`, so that a level lies where its own bin makes the curve rise,
    and two levels of a tile never get the same value.

    Args:
        pixels: Pixels of a channel, `(X, Y)`.
        low, high: Smallest and largest of them.
        x, y: Places of the tiles' pixels along both axes: those of the image, and then those that extend it.
        counts: Takes the numbers, `(X tile, Y tile, counter, bin)`, to be added up over the counters.
    """
    scale, width, height = np.float32(_BINS - 1) / (high - low), len(x) // counts.shape[0], len(y) // counts.shape[1]
    bins = np.empty(len(y), np.uint8)
    for column in range(len(x)):
        line = pixels[x[column]]
        for row in range(len(line)):
            bins[row] = np.uint8(np.ceil((line[row] - low) * scale - np.float32(_ROUNDING)))
        for row in range(len(line), len(y)):
            bins[row] = bins[y[row]]
        for tile in range(counts.shape[1]):
            of_tile = counts[column // width, tile]
            for row in range(tile * height, (tile + 1) * height):
                of_tile[row % _COUNTERS, bins[row]] += 1


@compiled("void(float32[:, ::1], float32, float32, float32[:, :, ::1], float32[::1], float32[::1], float32[:, ::1])")
def _look_up(
    pixels: np.ndarray, low: float, high: float, curves: np.ndarray, x: np.ndarray, y: np.ndarray, out: np.ndarray
) -> None:
    """Take every pixel to where the curves of the four tiles around it say, the nearer the more.

    Args:
        pixels: Pixels of a channel, `(X, Y)`.
        low, high: Smallest and largest of them.
        curves: Curves of the tiles, `(X tile, Y tile, bin)`; the last of each axis once more, for what has no next one.
        x, y: Places of the pixels along both axes among the centres of the tiles, the first of which is at 0.
        out: Takes the result, `(X, Y)`.
    """
    scale, one = np.float32(_BINS - 1) / (high - low), np.uint32(1)
    tiles, shares = y.astype(np.uint32), y - np.floor(y)
    for column in range(len(x)):
        near, far = curves[int(x[column])], curves[int(x[column]) + 1]
        mixed = near + (x[column] - np.floor(x[column])) * (far - near)
        source, target = pixels[column], out[column]
        for row in range(len(y)):
            level = (source[row] - low) * scale
            # A number without a sign saves the question whether it counts from the end.
            tile, k = tiles[row], np.uint32(level)
            part = level - np.float32(k)
            first = mixed[tile, k] + part * (mixed[tile, k + one] - mixed[tile, k])
            second = mixed[tile + one, k] + part * (mixed[tile + one, k + one] - mixed[tile + one, k])
            target[row] = first + shares[row] * (second - first)


class CLAHEd(Filterd):
    """Dictionary-based wrapper of :py:class:`CLAHE`."""

    def __init__(
        self,
        keys: KeysCollection,
        clip_limit: float = 2.0,
        tiles: Sequence[int] = (8, 8),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, CLAHE(clip_limit, tiles), allow_missing_keys)
