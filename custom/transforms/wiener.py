"""The adaptive Wiener filter against film grain and sensor noise."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

import cv2
import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data.meta_obj import get_track_meta
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_data_type, convert_to_dst_type, convert_to_tensor, ensure_tuple

from custom.errors import InputError

_BORDER_TYPES = {"reflect": cv2.BORDER_REFLECT_101, "zeros": cv2.BORDER_CONSTANT}
_STRIP_ROWS = 128


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

    def _filter(self, channel: np.ndarray, result: np.ndarray) -> None:
        if any(window > size for window, size in zip(self.window, channel.shape, strict=True)):
            raise InputError(
                f"wiener window: found {self.window}, expected one that fits into the image of {channel.shape} pixels"
            )
        strips = [slice(start, start + _STRIP_ROWS) for start in range(0, len(channel), _STRIP_ROWS)]
        variance = np.empty_like(channel)
        for strip in strips:
            result[strip], variance[strip] = self._local_statistics(channel, strip)
        noise = variance.mean(dtype=np.float64) if self.noise is None else self.noise
        # With no noise at all the floor keeps 0 / 0 out: the share of noise is then 0, and every pixel stays.
        floor = max(float(noise), float(np.finfo(np.float32).tiny))
        for strip in strips:
            signal_share = 1 - np.float32(noise) / np.maximum(variance[strip], floor)
            result[strip] += signal_share * (channel[strip] - result[strip])

    def _local_statistics(self, channel: np.ndarray, strip: slice) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the windows around the pixels of some rows.

        The variance is the small difference of two large numbers and needs float64, which the whole frame would not
        leave memory for: hence strips.
        """
        radius = self.window[0] // 2
        start = max(strip.start - radius, 0)
        rows = channel[start : strip.stop + radius]
        inside = slice(strip.start - start, strip.start - start + len(channel[strip]))
        # OpenCV gives the extent of the last axis first.
        window, border = self.window[::-1], _BORDER_TYPES[self.padding]
        mean = cv2.boxFilter(rows, cv2.CV_64F, window, borderType=border)[inside]
        mean_square = cv2.sqrBoxFilter(rows, cv2.CV_64F, window, borderType=border)[inside]
        return mean, np.maximum(mean_square - mean**2, 0)


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
