"""The grey levels of a frame on one scale."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import ClassVar

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data.meta_obj import get_track_meta
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_data_type, convert_to_dst_type, convert_to_tensor

from custom.transforms.compiled import compiled


class ScaleFrame(Transform):
    """Scale an image to 0 to `white`: MONAI's `ScaleIntensity(0, white)` to the bit, with one new image and not five.

    A whole mammogram has 15 million pixels, and memory for one more of it costs more than the arithmetic.

    Args:
        white: what the largest value becomes.
    """

    backend: ClassVar = [TransformBackends.NUMPY]

    def __init__(self, white: float = 255.0) -> None:
        self.white = white

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Scale one image.

        Args:
            img: `(C, X, Y)`.

        Returns:
            The scaled image, of the same shape, float32; 0 everywhere where the image is constant.
        """
        img = convert_to_tensor(img, track_meta=get_track_meta())
        values, *_ = convert_data_type(img, np.ndarray, dtype=np.float32)
        # numpy asks for memory in large pages, which takes a fifth of the time that torch's takes to appear.
        result = np.empty_like(values)
        _scale(values.ravel(), values.min(), values.max(), self.white, result.ravel())
        out, *_ = convert_to_dst_type(result, dst=img, dtype=result.dtype)
        return out


@compiled("void(float32[::1], float32, float32, float32, float32[::1])")
def _scale(values: np.ndarray, low: float, high: float, white: float, out: np.ndarray) -> None:
    """Put the values from `low` to `high` into `out` as those from 0 to `white`."""
    span = high - low if high > low else np.float32(1)
    for place in range(len(values)):
        out[place] = (values[place] - low) / span * white


class ScaleFramed(MapTransform):
    """Dictionary-based wrapper of :py:class:`ScaleFrame`.

    Args:
        keys: keys of the corresponding items to be transformed.
            See also: :py:class:`monai.transforms.compose.MapTransform`
        white: what the largest value becomes.
        allow_missing_keys: don't raise exception if key is missing.
    """

    backend = ScaleFrame.backend

    def __init__(self, keys: KeysCollection, white: float = 255.0, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.converter = ScaleFrame(white)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.converter(d[key])
        return d
