"""Contrast-limited adaptive histogram equalisation for images of any grey scale."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

import cv2
import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data.meta_obj import get_track_meta
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_data_type, convert_to_dst_type, convert_to_tensor, ensure_tuple
from torch.nn.functional import grid_sample

from custom.errors import InputError

_BINS = 256
# Grey levels of 8-bit steps, far below the 1/257 that separates two levels of a 16-bit image.
_ROUNDING = 1e-3
_STRIP_ROWS = 64


class CLAHE(Transform):
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

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Equalise one image.

        Args:
            img: channel first, `(C, X, Y)`.

        Returns:
            The equalised image, of the same shape and range, float32.
        """
        return self.region(img, (0, 0), img.shape[1:])

    def region(self, img: NdarrayOrTensor, start: Sequence[int], stop: Sequence[int]) -> NdarrayOrTensor:
        """Equalise a part of an image: what the whole image, equalised, would have there.

        It takes the range of the whole image, and the histograms of those tiles alone that lie around the part.

        Args:
            img: the whole image, channel first, `(C, X, Y)`.
            start, stop: first pixel and the one behind the last along each spatial axis, inside the image.

        Returns:
            The equalised part, `(C, X, Y)` of its size, float32.
        """
        img = convert_to_tensor(img, track_meta=get_track_meta())
        img_t, *_ = convert_data_type(img, torch.Tensor, dtype=torch.float)
        part = [slice(*ends) for ends in zip(start, stop, strict=True)]
        out_t = torch.stack([self._equalize(channel, part) for channel in img_t])
        out, *_ = convert_to_dst_type(out_t, dst=img, dtype=out_t.dtype)
        return out

    def _equalize(self, channel: torch.Tensor, part: Sequence[slice]) -> torch.Tensor:
        if any(count > size for count, size in zip(self.tiles, channel.shape, strict=True)):
            raise InputError(
                f"clahe tiles: found {self.tiles}, expected no more than the image's {tuple(channel.shape)} pixels"
            )
        low, high = channel.aminmax()
        if low == high:
            return channel[*part].clone()
        level = (channel[*part] - low).div_(high - low)
        tile_size = self._tile_size(channel.shape)
        # Where the pixels lie among the tiles' centres, of which the first is at 0.
        places = [
            (torch.arange(pixels.start, pixels.stop, device=level.device) / extent - 0.5).clamp(0, count - 1)
            for pixels, extent, count in zip(part, tile_size, self.tiles, strict=True)
        ]
        around = [range(int(place[0]), math.ceil(place[-1]) + 1) for place in places]
        curves = self._curves(channel, low, high, tile_size, around)
        # From -1, the centre of the first tile around the part, to 1, that of the last.
        x, y = (
            2 * (place - tiles.start) / max(len(tiles) - 1, 1) - 1 for place, tiles in zip(places, around, strict=True)
        )
        # The mix of the four nearest tiles' curves and the interpolation along the grey levels are one lookup in the
        # volume (X tile, Y tile, bin). One row is one sample of a batch, over which torch shares out the work.
        for start in range(0, len(level), _STRIP_ROWS):
            strip = level[start : start + _STRIP_ROWS]
            at = torch.stack(torch.broadcast_tensors(2 * strip - 1, y, x[start : start + _STRIP_ROWS, None]), -1)
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

    def _curves(
        self,
        channel: torch.Tensor,
        low: torch.Tensor,
        high: torch.Tensor,
        tile_size: Sequence[int],
        around: Sequence[range],
    ) -> torch.Tensor:
        """Equalising curves of the tiles `around`, `(X tile, Y tile, bin)`, as values from 0 to 1.

        Bin `k` counts the levels above `k - 1` and up to `k`, so that a level lies where its own bin makes the curve
        rise, and two levels of a tile never get the same value.
        """
        columns, rows = (
            [_mirrored(size, tile * extent, extent, channel.device) for tile in tiles]
            for size, extent, tiles in zip(channel.shape, tile_size, around, strict=True)
        )
        counts = torch.stack([_histogram(channel[c][:, r], low, high) for c in columns for r in rows])
        area = math.prod(tile_size)
        counts = _clip(counts, max(int(self.clip_limit * area / _BINS), 1))
        return counts.cumsum(-1).div(area).reshape(len(columns), len(rows), _BINS)


def _histogram(tile: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    # OpenCV counts ten times as fast as torch, and needs no threads for it.
    bins = tile.numpy(force=True) - np.float32(low)
    bins /= np.float32(high - low)
    bins *= _BINS - 1
    bins -= np.float32(_ROUNDING)
    counts = cv2.calcHist([np.ceil(bins, out=bins).astype(np.uint8)], [0], None, [_BINS], [0, _BINS])
    return torch.as_tensor(counts, device=tile.device).long()


def _mirrored(size: int, start: int, count: int, device: torch.device) -> slice | torch.Tensor:
    """`count` pixels from `start` on of an axis of `size`, mirrored at its end without repeating its last pixel."""
    if start + count <= size:
        return slice(start, start + count)
    period = max(2 * (size - 1), 1)
    index = torch.arange(start, start + count, device=device) % period
    return torch.minimum(index, period - index)


def _clip(counts: torch.Tensor, limit: int) -> torch.Tensor:
    """Cut every bin at `limit` and spread the excess over all; what does not divide goes to every nth bin."""
    excess = (counts - limit).clamp(min=0).sum(-1, keepdim=True)
    rest = excess % _BINS
    step = _BINS // rest.clamp(min=1)
    bins = torch.arange(_BINS, device=counts.device)
    gets_one_more = (bins % step == 0) & (bins // step < rest)
    return counts.clamp(max=limit) + excess // _BINS + gets_one_more


class CLAHEd(MapTransform):
    """Dictionary-based wrapper of :py:class:`CLAHE`.

    Args:
        keys: keys of the corresponding items to be transformed.
            See also: :py:class:`monai.transforms.compose.MapTransform`
        clip_limit: a bin holds at most this many times the pixels of a bin of a flat histogram.
        tiles: number of tiles along each spatial axis `(X, Y)`.
        allow_missing_keys: don't raise exception if key is missing.
    """

    backend = CLAHE.backend

    def __init__(
        self,
        keys: KeysCollection,
        clip_limit: float = 2.0,
        tiles: Sequence[int] = (8, 8),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.converter = CLAHE(clip_limit, tiles)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.converter(d[key])
        return d
