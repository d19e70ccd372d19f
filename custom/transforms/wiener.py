"""The adaptive Wiener filter against film grain and sensor noise."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from itertools import pairwise, repeat
from typing import ClassVar

import cv2
import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data.meta_obj import get_track_meta
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_data_type, convert_to_dst_type, convert_to_tensor, ensure_tuple

from custom.errors import InputError

_BORDER_TYPES = {"reflect": cv2.BORDER_REFLECT_101, "zeros": cv2.BORDER_CONSTANT}
# So many pixels that what is computed of them stays in the cache of a core.
_STRIP_PIXELS = 1 << 16


class WienerFilter(Transform):
    """Adaptive Wiener filter: smooths where the image is flat and keeps what stands out of the noise.

    Each pixel `x` becomes `m + max(v - n, 0) / v * (x - m)`, with the mean `m` and the variance `v` of the window
    around it and the noise power `n`. This is `scipy.signal.wiener`, except that a flat window (`v = 0`) stays what it
    was where scipy divides 0 by 0, and that the border is mirrored by default. Every channel is filtered by itself.

    Source: J. S. Lim, "Two-Dimensional Signal and Image Processing", Prentice Hall, 1990, p. 548.

    Args:
        window: size of the window in pixels, odd; one number, or one for each spatial axis `(X, Y)`.
        noise: power (variance) of the noise, in squared units of the image. Default: the mean of `v` over the channel.
        padding: what lies outside the image: "reflect" mirrors it without repeating the border pixel, which leaves no
            dark frame; "zeros" is what `scipy.signal.wiener` does.

    Raises:
        InputError: when a setting is none of the above, or when the window is larger than the image.
    """

    backend: ClassVar = [TransformBackends.NUMPY]

    def __init__(self, window: Sequence[int] | int = 3, noise: float | None = None, padding: str = "reflect") -> None:
        sizes = ensure_tuple(window)
        self.window = sizes * 2 if len(sizes) == 1 else sizes
        self.noise = noise
        self.padding = padding
        if len(self.window) != 2 or not all(isinstance(size, int) and size > 0 and size % 2 for size in self.window):
            raise InputError(
                f"wiener window: found {window}, expected an odd whole number or a pair of them, such as 3"
            )
        if noise is not None and not 0 <= noise < math.inf:
            raise InputError(f"wiener noise: found {noise}, expected a variance of at least 0, or none to estimate it")
        if padding not in _BORDER_TYPES:
            raise InputError(f"wiener padding: found {padding!r}, expected one of {', '.join(_BORDER_TYPES)}")

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Filter one image.

        Args:
            img: channel first, `(C, X, Y)`.

        Returns:
            The filtered image, of the same shape, float32.
        """
        img = convert_to_tensor(img, track_meta=get_track_meta())
        img_np, *_ = convert_data_type(img, np.ndarray, dtype=np.float32)
        out_np = np.empty_like(img_np)
        for channel, result in zip(img_np, out_np, strict=True):
            self._filter(channel, result)
        out, *_ = convert_to_dst_type(out_np, dst=img, dtype=out_np.dtype)
        return out

    def _filter(self, channel: np.ndarray, out: np.ndarray) -> None:
        if any(window > size for window, size in zip(self.window, channel.shape, strict=True)):
            raise InputError(
                f"wiener window: found {self.window}, expected one that fits into the image of {channel.shape} pixels"
            )
        # torch knows how many threads this process may have: one, in a worker of a data loader or of Dask.
        threads = torch.get_num_threads()
        ends = np.linspace(0, len(channel), threads + 1).astype(int).tolist()
        # `out` gets the local variance first, and then the result in its place.
        bands = [_Band(channel, out, slice(*pair), self.window, self.padding) for pair in pairwise(ends)]
        with ThreadPoolExecutor(threads) as pool:
            total = sum(pool.map(_Band.write_variance, bands))
            noise = total / channel.size if self.noise is None else self.noise
            list(pool.map(_Band.write_result, bands, repeat(noise)))


class _Band:
    """Part of an image, which one thread filters, strip by strip, so that a strip stays in the cache of its core.

    The memory for what is computed of a strip is kept for the next one, since asking for it takes as long as computing.
    """

    def __init__(self, channel: np.ndarray, out: np.ndarray, place: slice, window: Sequence[int], padding: str) -> None:
        self.channel = channel
        self.out = out
        self.window = window
        self.border = _BORDER_TYPES[padding]
        length = max(_STRIP_PIXELS // channel.shape[1], 1)
        self.strips = [
            slice(start, min(start + length, place.stop)) for start in range(place.start, place.stop, length)
        ]
        spare = np.empty((4, *np.add((length, channel.shape[1]), window) - 1), np.float32)
        self.padded, self.first, self.second, self.third = spare

    def write_variance(self) -> float:
        """Put the variance of every pixel's window into `out` and return their sum.

        It comes from the differences between pixels, first within the rows of the window and then between the sums of
        its rows. As the difference of mean square and squared mean, two large numbers, it would need float64, which
        takes twice the time.
        """
        rows, columns = self.window
        total = 0.0
        for strip in self.strips:
            pixels, variance = self._surrounded(strip), self.out[strip]
            within_row = _squared_differences(pixels, columns, 1, self.first, self.second)
            within_rows = _sums(within_row, rows, 0, self.second)
            between_rows = _squared_differences(_sums(pixels, columns, 1, self.third), rows, 0, self.first, self.padded)
            count = rows * columns
            cv2.addWeighted(within_rows, rows / count**2, between_rows, 1 / count**2, 0, dst=variance)
            total += cv2.sumElems(variance)[0]
        return total

    def write_result(self, noise: float) -> None:
        """Turn the variance in `out` into the filtered image."""
        rows, columns = self.window
        # With no noise at all the floor keeps 0 / 0 out: the share of noise is then 0, and every pixel stays.
        floor = max(np.float32(noise), np.finfo(np.float32).tiny)
        for strip in self.strips:
            pixels, noise_share = self.channel[strip], self.out[strip]
            np.divide(np.float32(noise), np.maximum(noise_share, floor, out=noise_share), out=noise_share)
            sums = _sums(_sums(self._surrounded(strip), columns, 1, self.first), rows, 0, self.second)
            to_mean = cv2.addWeighted(sums, 1 / (rows * columns), pixels, -1, 0, dst=_corner(self.third, pixels.shape))
            cv2.add(pixels, cv2.multiply(to_mean, noise_share, dst=noise_share), dst=noise_share)

    def _surrounded(self, strip: slice) -> np.ndarray:
        """The rows of a strip, and what of the image or of its padding the windows around their pixels reach."""
        above, beside = (size // 2 for size in self.window)
        start, stop = max(strip.start - above, 0), min(strip.stop + above, len(self.channel))
        missing = above - (strip.start - start), above - (stop - strip.stop)
        out = self.padded[: stop - start + sum(missing)]
        return cv2.copyMakeBorder(self.channel[start:stop], *missing, beside, beside, self.border, dst=out)


def _squared_differences(
    values: np.ndarray, size: int, axis: int, out: np.ndarray, differences: np.ndarray
) -> np.ndarray:
    """For every `size` neighbours along an axis: the sum of the squared differences of all pairs of them.

    Args:
        values, size, axis: of the neighbours.
        out, differences: memory for the result and on the way to it, no smaller than `values`.
    """
    out = _corner(out, _neighbours(values, size, axis)[0].shape)
    out[:] = 0
    for step in range(1, size):
        first, second = _neighbours(values, step + 1, axis)[::step]
        of_step = cv2.subtract(first, second, dst=_corner(differences, first.shape))
        for pairs in _neighbours(of_step, size - step, axis):
            cv2.accumulateSquare(pairs, out)
    return out


def _sums(values: np.ndarray, size: int, axis: int, out: np.ndarray) -> np.ndarray:
    """For every `size` neighbours along an axis: their sum, in `out`."""
    first, *others = _neighbours(values, size, axis)
    out = _corner(out, first.shape)
    if not others:
        out[:] = first
        return out
    return reduce(lambda total, other: cv2.add(total, other, dst=out), others, first)


def _neighbours(values: np.ndarray, size: int, axis: int) -> list[np.ndarray]:
    """The first, second, ... of every `size` neighbours along an axis."""
    count = values.shape[axis] - size + 1
    return [values[start : start + count] if axis == 0 else values[:, start : start + count] for start in range(size)]


def _corner(memory: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    return memory[: shape[0], : shape[1]]


class WienerFilterd(MapTransform):
    """Dictionary-based wrapper of :py:class:`WienerFilter`.

    Args:
        keys: keys of the corresponding items to be transformed.
            See also: :py:class:`monai.transforms.compose.MapTransform`
        window: size of the window in pixels, odd; one number, or one for each spatial axis `(X, Y)`.
        noise: power (variance) of the noise. Default: the mean of the local variance over the channel.
        padding: "reflect" or "zeros", what lies outside the image.
        allow_missing_keys: don't raise exception if key is missing.
    """

    backend = WienerFilter.backend

    def __init__(
        self,
        keys: KeysCollection,
        window: Sequence[int] | int = 3,
        noise: float | None = None,
        padding: str = "reflect",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.converter = WienerFilter(window, noise, padding)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.converter(d[key])
        return d
