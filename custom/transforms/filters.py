"""What the filters of whole mammograms share: MONAI's pair of an array and a dictionary version."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import ClassVar

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data.meta_obj import get_track_meta
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_data_type, convert_to_dst_type, convert_to_tensor


class Filter(Transform):
    """Filter whose `apply` works on numpy arrays; what it is given stays as it is."""

    backend: ClassVar = [TransformBackends.NUMPY]

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Return the filtered image, float32, of the shape of `img`, `(C, X, Y)`, and with its metadata."""
        img = convert_to_tensor(img, track_meta=get_track_meta())
        pixels, *_ = convert_data_type(img, np.ndarray, dtype=np.float32)
        out, *_ = convert_to_dst_type(self.apply(pixels), dst=img, dtype=np.float32)
        return out

    @abstractmethod
    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Return the filtered image of `pixels`, both float32 `(C, X, Y)`; every channel is filtered by itself."""


class Filterd(MapTransform):
    """Dictionary-based wrapper of a `Filter`."""

    backend: ClassVar = Filter.backend

    def __init__(self, keys: KeysCollection, converter: Filter, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.converter = converter

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.converter(d[key])
        return d
