"""The adaptive Wiener filter against film grain and sensor noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from monai.config import KeysCollection
from monai.utils import ensure_tuple

from custom.errors import InputError
from custom.transforms.compiled import compiled
from custom.transforms.filters import Filter, Filterd

# So many sums stay in the fastest cache of a core.
_BLOCK = 1024


class WienerFilter(Filter):
    """Adaptive Wiener filter: smooths where the image is flat and keeps what stands out of the noise.

    Each pixel `x` becomes `m + max(v - n, 0) / v * (x - m)`, with the mean `m` and the variance `v` of the window
    around it and the noise power `n`. This is `scipy.signal.wiener`, except that a flat window (`v = 0`) stays what it
    was where scipy divides 0 by 0, and that the border is mirrored, without repeating its pixels, where scipy takes
    zeros, which leave a dark frame. Every channel is filtered by itself.

    Source: J. S. Lim, "Two-Dimensional Signal and Image Processing", Prentice Hall, 1990, p. 548.

    Args:
        window: Size of the window in pixels, odd; one number, or one for each spatial axis `(X, Y)`.
        noise: Power (variance) of the noise, in squared units of the image. Default: the mean of `v` over the channel.

    Raises:
        InputError: When a setting is none of the above, or when the window is larger than the image.
    """

    def __init__(self, window: Sequence[int] | int = 3, noise: float | None = None) -> None:
        sizes = ensure_tuple(window)
        self.window = sizes * 2 if len(sizes) == 1 else sizes
        self.noise = noise
        if len(self.window) != 2 or not all(isinstance(size, int) and size > 0 and size % 2 for size in self.window):
            raise InputError(
                f"wiener window: found {window}, expected an odd whole number or a pair of them, such as 3"
            )
        if noise is not None and not 0 <= noise < math.inf:
            raise InputError(f"wiener noise: found {noise}, expected a variance of at least 0, or none to estimate it")

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        result, size = np.empty_like(pixels), pixels.shape[1:]
        if any(window > side for window, side in zip(self.window, size, strict=True)):
            raise InputError(f"wiener window: found {self.window}, expected one that fits the image of {size} pixels")
        x, y = (np.pad(np.arange(side), window // 2, "reflect") for side, window in zip(size, self.window, strict=True))
        for channel, out in zip(pixels, result, strict=True):
            noise = max(_filter(channel, x, y, -1, out) / channel.size, 0) if self.noise is None else self.noise
            _filter(channel, x, y, noise, out)
        return result


@compiled("float64(float32[:, ::1], int64[::1], int64[::1], float32, float32[:, ::1])")
def _filter(pixels: np.ndarray, x: np.ndarray, y: np.ndarray, noise: float, out: np.ndarray) -> float:
    """Filter a channel.

    What is summed up are the differences to the pixel in the middle of the window: they are small, so that float32 is
    enough for their squares, and 0 where it is flat.

    Args:
        pixels: Pixels of the channel, `(X, Y)`.
        x, y: Places along both axes that the windows reach, from before the first pixel to behind the last.
        noise: Power of the noise; below 0 to sum up the variances alone.
        out: Takes the result, `(X, Y)`.

    Returns:
        The sum of the variances of all windows, if `noise` is below 0.
    """
    height = pixels.shape[1]
    window = len(x) - pixels.shape[0] + 1, len(y) - height + 1
    share, least = np.float32(1 / (window[0] * window[1])), max(noise, np.float32(1e-38))
    lines = np.empty((window[0], len(y)), np.float32)
    sums, squares, variances = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32), np.zeros(_BLOCK)
    for reached in range(len(x)):
        # The next line that the windows reach takes the place of the one that they leave behind.
        line, source = lines[reached % window[0]], pixels[x[reached]]
        inner = line[window[1] // 2 :]
        for row in range(height):
            inner[row] = source[row]
        for row in range(window[1] // 2):
            line[row], line[-1 - row] = source[y[row]], source[y[-1 - row]]
        column = reached - window[0] + 1
        if column < 0:
            continue
        for start in range(0, height, _BLOCK):
            rows = min(_BLOCK, height - start)
            middle = lines[(column + window[0] // 2) % window[0], start + window[1] // 2 :]
            target = out[column, start:]
            for row in range(rows):
                sums[row] = squares[row] = 0
            for i in range(window[0]):
                # Three at a time, to fetch the sums less often; where there are fewer, the middle adds nothing.
                for j in range(0, window[1], 3):
                    one = lines[i, start + j :]
                    two = lines[i, start + j + 1 :] if j + 1 < window[1] else middle
                    three = lines[i, start + j + 2 :] if j + 2 < window[1] else middle
                    for row in range(rows):
                        a, b, c = one[row] - middle[row], two[row] - middle[row], three[row] - middle[row]
                        sums[row] += a + b + c
                        squares[row] += a * a + b * b + c * c
            for row in range(rows):
                to_mean = share * sums[row]
                variance = share * squares[row] - to_mean * to_mean
                if noise < 0:
                    variances[row] += variance
                else:
                    target[row] = middle[row] + noise / max(variance, least) * to_mean
    return variances.sum()


class WienerFilterd(Filterd):
    """Dictionary-based wrapper of :py:class:`WienerFilter`."""

    def __init__(
        self,
        keys: KeysCollection,
        window: Sequence[int] | int = 3,
        noise: float | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, WienerFilter(window, noise), allow_missing_keys)
