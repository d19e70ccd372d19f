"""The adaptive Wiener filter against film grain and sensor noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import chain, combinations
from typing import Any, ClassVar, TypeVar

import cv2
import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data.meta_obj import get_track_meta
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor, ensure_tuple
from numpy.lib.stride_tricks import sliding_window_view

from custom.errors import InputError
from custom.transforms.frames import Frame, FrameFilter, FrameFilterd, Image, Ranges

_BORDER_TYPES = {"reflect": cv2.BORDER_REFLECT_101, "zeros": cv2.BORDER_CONSTANT}
# So many pixels that what is computed of them stays in the cache of a core.
_STRIP_PIXELS = 1 << 16
# With fewer, a thread of its own costs more than it saves: threads wait for each other between any two steps.
_STRIPS_OF_A_THREAD = 16

# Filtering single pixels takes so many times as long as filtering strips of them.
_SPARSE = 16

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class WienerFilter(FrameFilter):
    """Adaptive Wiener filter: smooths where the image is flat and keeps what stands out of the noise.

    Each pixel `x` becomes `m + max(v - n, 0) / v * (x - m)`, with the mean `m` and the variance `v` of the window
    around it and the noise power `n`. This is `scipy.signal.wiener`, except that a flat window (`v = 0`) stays what it
    was where scipy divides 0 by 0, and that the border is mirrored by default. Every channel is filtered by itself.
    A part of the image needs of the whole only the noise power.

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
        # The whole is filtered without the pass that `measure` takes for the noise.
        image = Image(img)
        out_t = self.part(image, (0, 0), image.shape[1:], [self.noise] * image.shape[0])
        out, *_ = convert_to_dst_type(out_t, dst=img, dtype=out_t.dtype)
        return out

    def measure(self, frame: Frame) -> list[float]:
        """The noise power of every channel."""
        if self.noise is not None:
            return [self.noise] * frame.shape[0]
        return [region.mean_variance() for region in self._regions(frame, (0, 0), frame.shape[1:])]

    def part(
        self, frame: Frame, start: Sequence[int], stop: Sequence[int], measured: Sequence[float | None]
    ) -> torch.Tensor:
        """The pixels of the filtered frame from `start` to before `stop`, `(C, X, Y)`.

        Args:
            frame, start, stop: of the part.
            measured: the noise power of every channel; None for the mean variance of the part, which is the noise power
                where it is the whole.
        """
        regions = self._regions(frame, start, stop)
        out = np.empty((len(regions), *np.subtract(stop, start)), np.float32)
        for region, noise, place in zip(regions, measured, out, strict=True):
            region.filter(noise, place)
        return torch.from_numpy(out)

    def ranges(self, frame: Frame, measured: Sequence[float]) -> Ranges:
        """The smallest and the largest value of every channel of the filtered frame."""
        regions = self._regions(frame, (0, 0), frame.shape[1:])
        return [region.extremes(noise) for region, noise in zip(regions, measured, strict=True)]

    def _regions(self, frame: Frame, start: Sequence[int], stop: Sequence[int]) -> list[_Region]:
        """Of every channel the pixels from `start` to before `stop`, and what the windows around them reach."""
        size = tuple(frame.shape[1:])
        if any(window > side for window, side in zip(self.window, size, strict=True)):
            raise InputError(
                f"wiener window: found {self.window}, expected one that fits into the image of {size} pixels"
            )
        reach = np.floor_divide(self.window, 2)
        first, last = np.maximum(start - reach, 0), np.minimum(stop + reach, size)
        missing = np.transpose([first - (start - reach), stop + reach - last]).tolist()
        pixels = frame.part(first.tolist(), last.tolist()).numpy(force=True)
        return [_Region(channel, missing, self.window, _BORDER_TYPES[self.padding]) for channel in pixels]


@dataclass(frozen=True)
class _Extreme:
    """Smallest or largest.

    Attributes:
        direction: 1 where what is sorted begins with it, -1 where it ends with it.
        choose: it of an array.
        of_two: it of two arrays, pixel by pixel.
        beyond: whether the first of two is smaller or larger.
    """

    direction: int
    choose: Callable[..., Any]
    of_two: Callable[..., np.ndarray]
    beyond: Callable[..., Any]


_SMALLEST = _Extreme(1, np.min, cv2.min, np.less)
_LARGEST = _Extreme(-1, np.max, cv2.max, np.greater)


@dataclass(frozen=True)
class _Region:
    """Pixels to filter and those around them, `(X, Y)`.

    Attributes:
        pixels: all of them that are inside the frame.
        missing: how many the padding has to add in front and behind, along each axis.
        window: its size along each axis.
        border: OpenCV's type of the padding.
    """

    pixels: np.ndarray
    missing: Sequence[Sequence[int]]
    window: Sequence[int]
    border: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the pixels to filter."""
        sides = zip(self.pixels.shape, self.missing, self.window, strict=True)
        return tuple(size + sum(missing) - window + 1 for size, missing, window in sides)

    def mean_variance(self) -> float:
        """The mean over the pixels of the variance of their windows; the region has to be the whole frame."""
        numbers = np.arange(1, len(self.pixels) + 1, dtype=np.float32)
        above, below = self.missing[0]
        padded = cv2.copyMakeBorder(numbers[:, None], above, below, 0, 0, self.border)
        # What the padding makes up has number 0.
        counts = np.bincount(sliding_window_view(padded[:, 0], self.window[0]).ravel().astype(int))[1:]
        sums = self._each(self._strips(), lambda worker, strip: worker.variance(strip, counts[strip]))
        return math.fsum(sums) / math.prod(self.shape)

    def filter(self, noise: float | None, out: np.ndarray) -> None:
        """Put the filtered pixels into `out`, with the mean variance as the noise power if that is None."""
        strips = self._strips()
        if noise is not None:
            self._each(strips, lambda worker, strip: worker.write_filtered(strip, noise, out[strip]))
            return
        # `out` gets the local variance first, and then the result in its place.
        sums = self._each(strips, lambda worker, strip: worker.write_variance(strip, out[strip]))
        mean = math.fsum(sums) / out.size
        self._each(strips, lambda worker, strip: worker.write_result(strip, mean, out[strip]))

    def extremes(self, noise: float) -> tuple[float, float]:
        """The smallest and the largest of the filtered pixels.

        A filtered pixel lies between the pixel and the mean of its window. So the strip of the most extreme pixel is
        filtered first, and in the others only the pixels of which one or the other is more extreme than what was found.
        """
        strips = self._strips()
        bounds = np.array(self._each(strips, lambda _, strip: cv2.minMaxLoc(self.surrounded(strip))[:2]))
        lows, highs = bounds.T
        if self.border == cv2.BORDER_CONSTANT:
            lows, highs = np.minimum(lows, 0), np.maximum(highs, 0)
        return self._extreme(noise, _SMALLEST, strips, lows), self._extreme(noise, _LARGEST, strips, highs)

    def _extreme(self, noise: float, kind: _Extreme, strips: Sequence[slice], bounds: np.ndarray) -> float:
        first, *rest = np.argsort(bounds)[:: kind.direction].tolist()
        found = kind.choose(_Strips(self).filtered(strips[first], noise))

        def search(worker: _Strips, number: int) -> float:
            nonlocal found
            if kind.beyond(bounds[number], found):
                # What another thread finds meanwhile may be lost here, but is among what is returned.
                found = kind.choose([found, worker.extreme(strips[number], noise, kind, found)])
            return found

        return float(kind.choose([found, *self._each(rest, search)]))

    def surrounded(self, strip: slice, out: np.ndarray | None = None) -> np.ndarray:
        """The pixels that the windows around those of a strip reach; in `out`, if given, with what the padding adds."""
        (above, _), (left, right) = self.missing
        length = strip.stop - strip.start + self.window[0] - 1
        rows = self.pixels[max(strip.start - above, 0) : strip.start - above + length]
        if out is None:
            return rows
        above = max(above - strip.start, 0)
        out = _corner(out, (length, rows.shape[1] + left + right))
        return cv2.copyMakeBorder(rows, above, length - len(rows) - above, left, right, self.border, dst=out)

    @property
    def strip_length(self) -> int:
        """Rows of the pixels to filter that are worked on at a time."""
        size, width = self.shape
        return min(max(_STRIP_PIXELS // width, 1), size)

    def _strips(self) -> list[slice]:
        size, length = self.shape[0], self.strip_length
        return [slice(start, min(start + length, size)) for start in range(0, size, length)]

    def _each(self, items: Sequence[_Item], work: Callable[[_Strips, _Item], _Result]) -> list[_Result]:
        """What `work` gives for each of the items, which the threads share."""
        # torch knows how many threads this process may have: one, in a worker of a data loader or of Dask.
        threads = max(min(torch.get_num_threads(), len(items) // _STRIPS_OF_A_THREAD), 1)
        ends = [len(items) * thread // threads for thread in range(threads + 1)]

        def of_thread(start: int, stop: int) -> list[_Result]:
            worker = _Strips(self)
            return [work(worker, item) for item in items[start:stop]]

        if threads == 1:
            return of_thread(*ends)
        with ThreadPoolExecutor(threads) as pool:
            return list(chain.from_iterable(pool.map(of_thread, ends[:-1], ends[1:])))


class _Strips:
    """What one thread computes of a region, strip by strip, so that all of a strip stays in the cache of its core.

    The memory for it is kept for the next strip, since asking for it takes as long as computing. Every step gives the
    same bits wherever in a strip a pixel lies, so that a part is filtered just as the whole is.

    The variance comes from the differences between pixels, first within the rows of the window and then between the
    sums of its rows. As the difference of mean square and squared mean, two large numbers, it would need float64, which
    takes twice the time.
    """

    def __init__(self, region: _Region) -> None:
        self.region = region
        self.window = region.window
        spare = np.empty((4, *np.add((region.strip_length, region.shape[1]), self.window) - 1), np.float32)
        self.padded, self.first, self.second, self.third = spare

    def variance(self, strip: slice, counts: np.ndarray) -> float:
        """The sum over the pixels of the variance of their windows: what `write_variance` returns, in half the time.

        Args:
            strip: of the whole frame.
            counts: for each of its rows, in how many of the windows above and below each other it is.
        """
        rows, columns = self.window
        pixels = self.region.surrounded(strip, self.padded)
        own = pixels[rows // 2 :][: len(counts)]
        if (counts == rows).all():
            within_rows = rows * _power(own, columns, 1)
        else:
            within_rows = sum(count * _power(own[row : row + 1], columns, 1) for row, count in enumerate(counts))
        between_rows = _power(_sums(pixels, columns, 1, self.first), rows, 0)
        return (rows * within_rows + between_rows) / (rows * columns) ** 2

    def write_variance(self, strip: slice, out: np.ndarray) -> float:
        """Put the variance of every pixel's window into `out`, which has the strip's shape, and return their sum."""
        rows, columns = self.window
        pixels, count = self.region.surrounded(strip, self.padded), rows * columns
        within_row = _squared_differences(pixels, columns, 1, self.first, self.second)
        within_rows = _sums(within_row, rows, 0, self.second)
        between_rows = _squared_differences(_sums(pixels, columns, 1, self.third), rows, 0, self.first, self.padded)
        cv2.addWeighted(within_rows, rows / count**2, between_rows, 1 / count**2, 0, dst=out)
        return cv2.sumElems(out)[0]

    def write_result(self, strip: slice, noise: float, out: np.ndarray) -> None:
        """Turn the variance in `out` into the filtered pixels."""
        rows, columns = self.window
        surrounded = self.region.surrounded(strip, self.padded)
        pixels = self._inner(surrounded)
        variance = np.maximum(out, _floor(noise), out=out)
        sums = _sums(_sums(surrounded, columns, 1, self.first), rows, 0, self.second)
        to_mean = cv2.addWeighted(sums, 1 / (rows * columns), pixels, -1, 0, dst=_corner(self.third, pixels.shape))
        cv2.add(pixels, cv2.divide(to_mean, variance, dst=variance, scale=noise), dst=out)

    def write_filtered(self, strip: slice, noise: float, out: np.ndarray) -> None:
        """Put the filtered pixels into `out`."""
        self.write_variance(strip, out)
        self.write_result(strip, noise, out)

    def filtered(self, strip: slice, noise: float) -> np.ndarray:
        """The filtered pixels."""
        out = np.empty((strip.stop - strip.start, self.region.shape[1]), np.float32)
        self.write_filtered(strip, noise, out)
        return out

    def extreme(self, strip: slice, noise: float, kind: _Extreme, found: float) -> float:
        """The most extreme filtered pixel of those that can be more extreme than `found`; `found` if none can."""
        rows, columns = self.window
        surrounded = self.region.surrounded(strip, self.padded)
        pixels = self._inner(surrounded)
        means = _sums(_sums(surrounded, columns, 1, self.first), rows, 0, self.second)
        means *= np.float32(1 / (rows * columns))
        at = np.flatnonzero(kind.beyond(kind.of_two(pixels, means, dst=means), found))
        if not at.size:
            return found
        if at.size * _SPARSE > pixels.size:
            return kind.choose(self.filtered(strip, noise))
        places = np.divmod(at, pixels.shape[1])
        windows = sliding_window_view(surrounded, self.window)[places].reshape(at.size, -1).T.copy()
        share = np.float32(noise) / np.maximum(windows.var(axis=0), _floor(noise))
        return kind.choose(pixels[places] + share * (windows.mean(axis=0) - pixels[places]))

    def _inner(self, surrounded: np.ndarray) -> np.ndarray:
        """The pixels themselves, without those around them."""
        height, width = np.subtract(surrounded.shape, self.window) + 1
        return surrounded[self.window[0] // 2 :, self.window[1] // 2 :][:height, :width]


def _floor(noise: float) -> np.float32:
    """Of the variance. With no noise at all it keeps 0 / 0 out: the share of noise is then 0, and every pixel stays."""
    return max(np.float32(noise), np.finfo(np.float32).tiny)


def _squared_differences(
    values: np.ndarray, size: int, axis: int, out: np.ndarray, differences: np.ndarray
) -> np.ndarray:
    """For every `size` neighbours along an axis: the sum of the squared differences of all pairs of them.

    Args:
        values, size, axis: of the neighbours.
        out, differences: memory for the result and on the way to it, no smaller than `values`.
    """
    out = _corner(out, _neighbours(values, size, axis)[0].shape)
    if size == 1:
        out[:] = 0
    for step in range(1, size):
        one, other = _neighbours(values, step + 1, axis)[::step]
        of_step = cv2.subtract(one, other, dst=_corner(differences, one.shape))
        first, *others = _neighbours(of_step, size - step, axis)
        if step == 1:
            cv2.multiply(first, first, dst=out)
        else:
            cv2.accumulateSquare(first, out)
        for pairs in others:
            cv2.accumulateSquare(pairs, out)
    return out


def _power(values: np.ndarray, size: int, axis: int) -> float:
    """The sum over every `size` neighbours along an axis of the squared differences of all pairs of them."""
    pairs = combinations(_neighbours(values, size, axis), 2)
    return sum(cv2.norm(first, second, cv2.NORM_L2SQR) for first, second in pairs)


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


class WienerFilterd(FrameFilterd):
    """Dictionary-based wrapper of :py:class:`WienerFilter`.

    Args:
        keys: keys of the corresponding items to be transformed.
            See also: :py:class:`monai.transforms.compose.MapTransform`
        window: size of the window in pixels, odd; one number, or one for each spatial axis `(X, Y)`.
        noise: power (variance) of the noise. Default: the mean of the local variance over the channel.
        padding: "reflect" or "zeros", what lies outside the image.
        allow_missing_keys: don't raise exception if key is missing.
    """

    def __init__(
        self,
        keys: KeysCollection,
        window: Sequence[int] | int = 3,
        noise: float | None = None,
        padding: str = "reflect",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, WienerFilter(window, noise, padding), allow_missing_keys)
