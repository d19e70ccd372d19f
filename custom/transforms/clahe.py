"""Contrast-limited adaptive histogram equalisation for images of any grey scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
import torch
from monai.config import KeysCollection
from monai.utils import TransformBackends, ensure_tuple
from torch.nn.functional import grid_sample

from custom.errors import InputError
from custom.transforms.frames import Frame, FrameFilter, FrameFilterd, Measured, Ranges

_BINS = 256
# Grey levels of 8-bit steps, far below the 1/257 that separates two levels of a 16-bit image.
_ROUNDING = 1e-3
_STRIP_ROWS = 64


class CLAHE(FrameFilter):
    """Contrast-limited adaptive histogram equalisation that keeps every grey level of a 12- to 16-bit source.

    On an 8-bit image that spans 0 to 255 this is `cv2.createCLAHE(clip_limit, tiles)` before rounding. On 16 bits
    OpenCV counts 65536 bins, often more than a tile has pixels, and clipping leaves hardly anything of the histogram.
    Here the range of the image is always divided into 256 bins, as on 8 bits, and the equalising curve of a tile is
    interpolated between them, so that no grey levels merge. Every channel is equalised by itself and stays within its
    own minimum and maximum: rescaling the input rescales the output. A constant channel stays what it was.

    Source: K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV, Academic Press, 1994,
    pp. 474-485.

    Args:
        clip_limit: a bin holds at most this many times the pixels of a bin of a flat histogram; what is cut off is
            spread over all bins. The larger, the stronger.
        tiles: number of tiles along each spatial axis `(X, Y)`, that is columns and rows as in OpenCV.

    Raises:
        InputError: when a setting is none of the above, or when the image has fewer pixels along an axis than tiles.
    """

    backend: ClassVar = [TransformBackends.TORCH]

    def __init__(self, clip_limit: float = 2.0, tiles: Sequence[int] = (8, 8)) -> None:
        self.clip_limit = clip_limit
        self.tiles = ensure_tuple(tiles)
        if not 0 < clip_limit < math.inf:
            raise InputError(f"clahe clip limit: found {clip_limit}, expected a number above 0, such as 2.0")
        if len(self.tiles) != 2 or not all(isinstance(count, int) and count > 0 for count in self.tiles):
            raise InputError(f"clahe tiles: found {tiles}, expected two whole numbers of at least 1, such as (8, 8)")

    def measure(self, frame: Frame) -> Ranges:
        """The smallest and the largest value of every channel."""
        return frame.ranges()

    def part(self, frame: Frame, start: Sequence[int], stop: Sequence[int], measured: Measured) -> torch.Tensor:
        """The pixels of the equalised frame from `start` to before `stop`, `(C, X, Y)`.

        They need the range of the whole frame, and the histograms of those tiles alone that lie around the part.
        """
        size = tuple(frame.shape[1:])
        if any(count > side for count, side in zip(self.tiles, size, strict=True)):
            raise InputError(f"clahe tiles: found {self.tiles}, expected no more than the image's {size} pixels")
        axes = [_Axis(*of_axis) for of_axis in zip(size, self._tile_size(size), self.tiles, start, stop, strict=True)]
        pixels = frame.part([axis.first for axis in axes], [axis.last for axis in axes])
        inner = [
            slice(begin - axis.first, end - axis.first) for axis, begin, end in zip(axes, start, stop, strict=True)
        ]
        return torch.stack(
            [
                self._equalize(channel, low, high, axes, inner)
                for channel, (low, high) in zip(pixels, measured, strict=True)
            ]
        )

    def _equalize(
        self, channel: torch.Tensor, low: float, high: float, axes: Sequence[_Axis], inner: Sequence[slice]
    ) -> torch.Tensor:
        if low == high:
            return channel[*inner].clone()
        level = (channel[*inner] - low).div_(high - low)
        curves = self._curves(channel, low, high, axes)
        # From -1, the centre of the first tile around the part, to 1, that of the last.
        x, y = (
            2 * (axis.places.to(level.device) - axis.around.start) / max(len(axis.around) - 1, 1) - 1 for axis in axes
        )
        # The mix of the four nearest tiles' curves and the interpolation along the grey levels are one lookup in the
        # volume (X tile, Y tile, bin). One row is one sample of a batch, over which torch shares out the work.
        for begin in range(0, len(level), _STRIP_ROWS):
            strip = level[begin : begin + _STRIP_ROWS]
            at = torch.stack(torch.broadcast_tensors(2 * strip - 1, y, x[begin : begin + _STRIP_ROWS, None]), -1)
            strip[:] = grid_sample(
                curves.expand(len(strip), 1, -1, -1, -1),
                at[:, None, None],
                padding_mode="border",
                align_corners=True,
            )[:, 0, 0, 0]
        return level.mul_(high - low).add_(low)

    def _tile_size(self, shape: Sequence[int]) -> list[int]:
        """Pixels of a tile along each axis. As in OpenCV, a grid that does not divide both axes extends both."""
        extra = any(size % count for size, count in zip(shape, self.tiles, strict=True))
        return [size // count + extra for size, count in zip(shape, self.tiles, strict=True)]

    def _curves(self, channel: torch.Tensor, low: float, high: float, axes: Sequence[_Axis]) -> torch.Tensor:
        """Equalising curves of the tiles around the part, `(X tile, Y tile, bin)`, as values from 0 to 1.

        Bin `k` counts the levels above `k - 1` and up to `k`, so that a level lies where its own bin makes the curve
        rise, and two levels of a tile never get the same value.
        """
        columns, rows = (axis.tiles for axis in axes)
        counts = torch.stack([_histogram(channel[c][:, r], low, high) for c in columns for r in rows])
        area = math.prod(axis.extent for axis in axes)
        counts = _clip(counts, max(int(self.clip_limit * area / _BINS), 1))
        return counts.cumsum(-1).div(area).reshape(len(columns), len(rows), _BINS)


class _Axis:
    """Along one axis: the tiles around a part of the frame, and the pixels that they need.

    Args:
        size: of the frame.
        extent: pixels of a tile.
        count: of all tiles.
        start, stop: of the part.

    Attributes:
        places: of the part's pixels among the tiles' centres, of which the first is at 0.
        around: the tiles around the part.
        first, last: first pixel and the one behind the last of the part and of these tiles.
        tiles: of each of these tiles its pixels, counted from `first`.
    """

    def __init__(self, size: int, extent: int, count: int, start: int, stop: int) -> None:
        self.extent = extent
        self.places = (torch.arange(start, stop) / extent - 0.5).clamp(0, count - 1)
        self.around = range(int(self.places[0]), math.ceil(self.places[-1]) + 1)
        pixels = [_mirrored(size, tile * extent, extent) for tile in self.around]
        self.first = min(start, *(int(some.min()) for some in pixels))
        self.last = max(stop, *(int(some.max()) + 1 for some in pixels))
        self.tiles = [_as_slice(some - self.first) for some in pixels]


def _histogram(tile: torch.Tensor, low: float, high: float) -> torch.Tensor:
    # OpenCV counts ten times as fast as torch, and needs no threads for it.
    bins = tile.numpy(force=True) - np.float32(low)
    bins /= np.float32(high - low)
    bins *= _BINS - 1
    bins -= np.float32(_ROUNDING)
    counts = cv2.calcHist([np.ceil(bins, out=bins).astype(np.uint8)], [0], None, [_BINS], [0, _BINS])
    return torch.as_tensor(counts, device=tile.device).long()


def _mirrored(size: int, start: int, count: int) -> torch.Tensor:
    """`count` pixels from `start` on of an axis of `size`, mirrored at its end without repeating its last pixel."""
    period = max(2 * (size - 1), 1)
    index = torch.arange(start, start + count) % period
    return torch.minimum(index, period - index)


def _as_slice(index: torch.Tensor) -> slice | torch.Tensor:
    """A slice, which copies no pixels, if that is what the index is."""
    first = int(index[0])
    whole = slice(first, first + len(index))
    return whole if torch.equal(index, torch.arange(whole.start, whole.stop)) else index


def _clip(counts: torch.Tensor, limit: int) -> torch.Tensor:
    """Cut every bin at `limit` and spread the excess over all; what does not divide goes to every nth bin."""
    excess = (counts - limit).clamp(min=0).sum(-1, keepdim=True)
    rest = excess % _BINS
    step = _BINS // rest.clamp(min=1)
    bins = torch.arange(_BINS, device=counts.device)
    gets_one_more = (bins % step == 0) & (bins // step < rest)
    return counts.clamp(max=limit) + excess // _BINS + gets_one_more


class CLAHEd(FrameFilterd):
    """Dictionary-based wrapper of :py:class:`CLAHE`.

    Args:
        keys: keys of the corresponding items to be transformed.
            See also: :py:class:`monai.transforms.compose.MapTransform`
        clip_limit: a bin holds at most this many times the pixels of a bin of a flat histogram.
        tiles: number of tiles along each spatial axis `(X, Y)`.
        allow_missing_keys: don't raise exception if key is missing.
    """

    def __init__(
        self,
        keys: KeysCollection,
        clip_limit: float = 2.0,
        tiles: Sequence[int] = (8, 8),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, CLAHE(clip_limit, tiles), allow_missing_keys)
