"""Filters of a whole mammogram that are computed only where a crop needs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from itertools import repeat
from typing import Any, Protocol

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.data.meta_obj import get_track_meta
from monai.transforms import MapTransform, Transform
from monai.utils import convert_data_type, convert_to_dst_type, convert_to_tensor

# Under which an image's metadata hold what `FrameFilters.measure` gave.
MEASURED = "frame_filters"

# Of every channel what a filter has to know of the whole frame.
Measured = Sequence[Any]
Ranges = list[tuple[float, float]]


class Frame(Protocol):
    """An image `(C, X, Y)`, float32, of which parts can be had.

    Attributes:
        shape: `(C, X, Y)`.
    """

    shape: Sequence[int]

    def part(self, start: Sequence[int], stop: Sequence[int]) -> torch.Tensor:
        """The pixels from `start` to before `stop`, inside the frame; not to be written to."""

    def ranges(self) -> Ranges:
        """The smallest and the largest value of every channel."""


class FrameFilter(Transform, ABC):
    """A filter for which a part of the frame and a few numbers of the whole are enough to filter that part.

    A subclass says how in `measure` and `part`; both get the frame as it is before this filter.
    """

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """Filter one image.

        Args:
            img: channel first, `(C, X, Y)`.

        Returns:
            The filtered image, of the same shape, float32.
        """
        return self.region(img, (0, 0), img.shape[1:])

    def region(self, img: NdarrayOrTensor, start: Sequence[int], stop: Sequence[int]) -> NdarrayOrTensor:
        """Filter a part of an image, see `FrameFilters.region`."""
        return FrameFilters([self]).region(img, start, stop)

    @abstractmethod
    def measure(self, frame: Frame) -> Measured:
        """What the filter has to know of every channel of the whole frame: numbers."""

    @abstractmethod
    def part(self, frame: Frame, start: Sequence[int], stop: Sequence[int], measured: Measured) -> torch.Tensor:
        """The pixels of the filtered frame from `start` to before `stop`, `(C, X, Y)`, in memory of their own."""

    def ranges(self, frame: Frame, measured: Measured) -> Ranges:
        """The smallest and the largest value of every channel of the filtered frame."""
        return _ranges(self.part(frame, (0, 0), frame.shape[1:], measured))


class FrameFilters:
    """Filters of the whole frame, one after the other, for a part of it.

    Args:
        filters: in their order; none to leave the frame as it is.
    """

    def __init__(self, filters: Sequence[FrameFilter] = ()) -> None:
        self.filters = list(filters)

    def measure(self, img: NdarrayOrTensor) -> list[Measured]:
        """What every filter has to know of the whole image, `(C, X, Y)`; it is the same for all parts."""
        return [step.measured for step in self._steps(Image(img), ())]

    def region(
        self,
        img: NdarrayOrTensor,
        start: Sequence[int],
        stop: Sequence[int],
        measured: Sequence[Measured] = (),
    ) -> NdarrayOrTensor:
        """Filter a part of an image: what the whole image, filtered, would have there.

        Args:
            img: the whole image, channel first, `(C, X, Y)`.
            start, stop: first pixel and the one behind the last along each spatial axis, inside the image.
            measured: what `measure` gave for this image. Default: it is measured anew.

        Returns:
            The filtered part, `(C, X, Y)` of its size, float32.
        """
        img = convert_to_tensor(img, track_meta=get_track_meta())
        image = Image(img)
        frames: list[Frame] = [image, *self._steps(image, measured)]
        out_t = frames[-1].part(start, stop)
        out, *_ = convert_to_dst_type(out_t, dst=img, dtype=out_t.dtype)
        return out

    def _steps(self, image: Frame, measured: Sequence[Measured]) -> list[_Filtered]:
        steps: list[_Filtered] = []
        for step, known in zip(self.filters, measured or repeat(None), strict=bool(measured)):
            before: Frame = steps[-1] if steps else image
            steps.append(_Filtered(before, step, step.measure(before) if known is None else known))
        return steps


class Image:
    """The `Frame` of an image as it is."""

    def __init__(self, img: NdarrayOrTensor) -> None:
        self.values, *_ = convert_data_type(img, torch.Tensor, dtype=torch.float)
        self.shape = self.values.shape

    def part(self, start: Sequence[int], stop: Sequence[int]) -> torch.Tensor:
        columns, rows = (slice(*ends) for ends in zip(start, stop, strict=True))
        return self.values[:, columns, rows]

    def ranges(self) -> Ranges:
        return _ranges(self.values)


class _Filtered:
    """The `Frame` of another one, filtered."""

    def __init__(self, before: Frame, step: FrameFilter, measured: Measured) -> None:
        self.before = before
        self.step = step
        self.measured = measured
        self.shape = before.shape

    def part(self, start: Sequence[int], stop: Sequence[int]) -> torch.Tensor:
        return self.step.part(self.before, start, stop, self.measured)

    def ranges(self) -> Ranges:
        return self.step.ranges(self.before, self.measured)


def _ranges(values: torch.Tensor) -> Ranges:
    return [(float(low), float(high)) for low, high in (channel.aminmax() for channel in values)]


class FrameFilterd(MapTransform):
    """Dictionary-based wrapper of any :py:class:`FrameFilter`.

    Args:
        keys: keys of the corresponding items to be transformed.
            See also: :py:class:`monai.transforms.compose.MapTransform`
        filter: of the whole frame.
        allow_missing_keys: don't raise exception if key is missing.
    """

    def __init__(self, keys: KeysCollection, filter: FrameFilter, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.filter = filter
        self.backend = filter.backend

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.filter(d[key])
        return d


class MeasureFramed(MapTransform):
    """Find out what filters have to know of the whole frame, and put it into the image's metadata.

    `CropLesiond` with the same filters finds it there, so that it is found once for all crops of a mammogram. The image
    stays as it is, and so it must until then. An image without metadata is left alone: its crops measure it anew.

    Args:
        keys: keys of the corresponding items to be measured.
            See also: :py:class:`monai.transforms.compose.MapTransform`
        filters: of the frame.
        allow_missing_keys: don't raise exception if key is missing.
    """

    def __init__(self, keys: KeysCollection, filters: FrameFilters, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.filters = filters

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            image = d[key]
            if isinstance(image, MetaTensor):
                d[key] = MetaTensor(image, meta={**image.meta, MEASURED: self.filters.measure(image)})
        return d
