"""Cut a lesion out of its mammogram, so that a prediction on the cut can be put back to the pixel.

Images are channel first, `(C, X, Y)`, x = column. Boxes and windows are `(x0, y0, x1, y1)`, half-open, in pixels.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import CropForeground, InvertibleTransform, MapTransform, Randomizable
from monai.utils import ImageMetaKey

from custom.errors import InputError

Box = tuple[float, float, float, float]
Window = tuple[int, int, int, int]

# 200 * (1 + 2 * 0.74) may come out as 496.00000000000006, which must not become 497.
_ROUNDING_NOISE = 1e-6


def lesion_window(box: Sequence[float], margin: float, square: bool) -> Window:
    """The region of the frame that `CropLesion` cuts out for `box`; it may leave the frame.

    A side is the box's side (with `square`: its longer side) and the margin on both ends, rounded up to whole pixels,
    and at least the side of the box rounded outward. The window starts at the whole pixel that brings its centre
    nearest to the box's centre, at the higher one of two equally near: it is centred to within half a pixel and
    contains the box rounded outward.

    Args:
        box: `(x0, y0, x1, y1)` in pixels, fractions allowed.
        margin: Margin on every side, as a part of the box's longer side.
        square: Both sides come from the longer side.
    """
    low, high = np.reshape(np.asarray(box, dtype=np.float64), (2, 2))
    sides = high - low
    longer = sides.max()
    grown = (longer if square else sides) + 2 * margin * longer
    size = np.maximum(np.ceil(grown - _ROUNDING_NOISE), np.ceil(high) - np.floor(low))
    if square:
        size[:] = size.max()
    start = np.floor((low + high - size) / 2 + 0.5)
    x0, y0, x1, y1 = np.concatenate([start, start + size]).astype(int).tolist()
    return x0, y0, x1, y1


def context_margin(margin: float, displacement: float, scale: float) -> float:
    """The smallest margin with which a square `CropLesiond` keeps all that `RandCropLesiond` can ask for.

    `margin + displacement + scale / 2 + margin * scale`, in parts of the box's longer side L: the random window reaches
    at most `displacement * L + (1 + scale) * L * (1 / 2 + margin)` from the box's centre, and the context reaches
    `L * (1 / 2 + context_margin)`. Whole pixels add nothing, since `RandCropLesiond` moves every edge by whole pixels:
    if the context is larger by twice the displacement, it still is after both are rounded up.
    """
    return margin + displacement + scale / 2 + margin * scale


def mask_box(mask: NdarrayOrTensor) -> Window | None:
    """The bounds of the nonzero pixels of `mask`, `(C, X, Y)`; None if it has none."""
    pixels = mask.numpy(force=True) if isinstance(mask, torch.Tensor) else mask
    columns = np.flatnonzero(pixels.any(axis=(0, 2)))
    if not columns.size:
        return None
    x0, x1 = int(columns[0]), int(columns[-1]) + 1
    rows = np.flatnonzero(pixels[:, x0:x1].any(axis=(0, 1)))
    return x0, int(rows[0]), x1, int(rows[-1]) + 1


def filled_box(box: Sequence[float], window: Window) -> np.ndarray:
    """The whole `box` as a bool mask `(X, Y)` of a window of the frame: the pixels whose centres are in it."""
    x0, y0, x1, y1 = box
    x, y = (np.arange(window[axis], window[axis + 2]) + 0.5 for axis in (0, 1))
    return ((x >= x0) & (x < x1))[:, None] & ((y >= y0) & (y < y1))


class CropLesion(InvertibleTransform):
    """Cut the window around a lesion's box out of an image, `(C, X, Y)`; what lies outside the frame is 0.

    The window is `lesion_window(box, margin, square)`, and the output has its size. MONAI's `CropForeground` cuts and
    pads, which traces both as one operation, moves the affine's origin, and gives the inverse: the frame with the
    cut-out put back in its place, and 0 elsewhere.

    Args:
        margin: Margin on every side, as a part of the box's longer side.
        square: Both sides of the window come from the longer side.

    Raises:
        InputError: When `margin` is negative or not finite.
    """

    backend = CropForeground.backend

    def __init__(self, margin: float = 0.2, square: bool = True) -> None:
        if not 0 <= margin < math.inf:
            raise InputError(f"margin is {margin}, expected 0 or more; 0.2 adds a fifth of the box's longer side")
        self.margin = margin
        self.square = square
        self.cropper = CropForeground()

    def __call__(self, img: NdarrayOrTensor, box: Sequence[float]) -> torch.Tensor:
        """
        Args:
            img: Frame, `(C, X, Y)`.
            box: `(x0, y0, x1, y1)` in pixels, fractions allowed; may leave the frame, but not altogether.

        Raises:
            ValueError: When the window lies outside the frame.
        """
        window = lesion_window(box, self.margin, self.square)
        start, stop = np.reshape(window, (2, 2))
        if (stop <= 0).any() or (start >= img.shape[1:]).any():
            raise ValueError(f"the window {window} has no pixel of the frame of {tuple(img.shape[1:])}.")
        # A view would keep the whole frame in memory, and in every cache file.
        return self.cropper.crop_pad(img, start, stop).clone(memory_format=torch.contiguous_format)

    def inverse(self, img: torch.Tensor) -> torch.Tensor:
        return self.cropper.inverse(img)


class CropLesiond(MapTransform, InvertibleTransform):
    """Dictionary version of `CropLesion`, with the box from the item itself.

    The box that was used is put into the item under `box_key`, or under "box" if that is not set, as a tuple of 4
    numbers in pixels of the image before the cut.

    Args:
        keys: Images to cut, all of one frame.
        margin, square: See `CropLesion`.
        mask_key: Mask, `(C, X, Y)`, whose nonzero pixels the box bounds.
        box_key: Box itself, 4 numbers; set either this or `mask_key`.
        box_channel: Give the first of the keys one more channel, 1 at the pixels whose centres are in the box, else 0.
        allow_missing_keys: Do not raise an exception if a key is missing.

    Raises:
        ValueError: When both or neither of `mask_key` and `box_key` are set.
        InputError: When `margin` is negative or not finite; on a call, when the images and the mask differ in size,
            the mask is empty, or the box is not 4 numbers that bound an area inside the frame.
    """

    backend = CropLesion.backend

    def __init__(
        self,
        keys: KeysCollection,
        margin: float = 0.2,
        square: bool = True,
        mask_key: str | None = None,
        box_key: str | None = None,
        box_channel: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if (mask_key is None) == (box_key is None):
            raise ValueError("set either mask_key or box_key.")
        self.mask_key = mask_key
        self.box_key = box_key
        self.box_channel = box_channel
        self.cropper = CropLesion(margin, square)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        self._check_sizes(d)
        box = self.find_box(d)
        for key in self.key_iterator(d):
            d[key] = self.cropper(d[key], box)
            if self.box_channel and key == self.keys[0]:
                window = lesion_window(box, self.cropper.margin, self.cropper.square)
                d[key] = torch.cat(
                    [d[key], torch.from_numpy(filled_box(box, window))[None].to(d[key].device, d[key].dtype)]
                )
        d[self.box_key or "box"] = box
        return d

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.cropper.inverse(d[key])
        return d

    def find_box(self, data: Mapping[Hashable, Any]) -> Box:
        """The box to cut around, in pixels of the images of `data`."""
        if self.mask_key is None:
            return self._given_box(data)
        box = mask_box(data[self.mask_key])
        if box is None:
            raise InputError(
                f"{_file(data, self.mask_key)}: the mask is empty, expected the pixels of a lesion to be nonzero; "
                "correct the mask or leave the lesion out"
            )
        return box

    def _given_box(self, data: Mapping[Hashable, Any]) -> Box:
        image_key = self.first_key(data)
        columns, rows = data[image_key].shape[1:]
        value: Any = data.get(self.box_key)
        try:
            x0, y0, x1, y1 = map(float, value)
        except (TypeError, ValueError):
            x0 = y0 = x1 = y1 = math.nan
        if not (0 <= x0 < x1 <= columns and 0 <= y0 < y1 <= rows):
            raise InputError(
                f"{_file(data, image_key)}: the box is {value} in a frame of {columns} columns x {rows} rows, expected "
                f"x0, y0, x1, y1 in pixels, no width and height, with 0 <= x0 < x1 <= {columns} and "
                f"0 <= y0 < y1 <= {rows}; correct the box"
            )
        return x0, y0, x1, y1

    def _check_sizes(self, data: Mapping[Hashable, Any]) -> None:
        first, *others = self.key_iterator(data)
        columns, rows = data[first].shape[1:]
        if self.mask_key is not None:
            others.append(self.mask_key)
        for key in others:
            other_columns, other_rows = data[key].shape[1:]
            if (other_columns, other_rows) != (columns, rows):
                raise InputError(
                    f"{_file(data, key)}: {other_columns} columns x {other_rows} rows, expected {columns} columns x "
                    f"{rows} rows as in {_file(data, first)}; give both the same size or leave the lesion out"
                )


class CropDisplacedLesiond(CropLesiond):
    """Cut a lesion out as if a hurried reader had drawn its box: displaced, and larger or smaller.

    Every box side of length `n` is displaced by up to `displacement * n` and scaled by a factor within `1 - scale` and
    `1 + scale`, both uniform and independent for the two axes. All edges move by whole pixels, which is what makes
    `context_margin` exact. The window may leave the frame; what lies outside is 0. The displaced box is put into the
    item under "box", in pixels of the images before this cut.

    The random numbers come from the lesion's name alone, under "lesion_id": a lesion is displaced alike every time, so
    that every network is tested on the same boxes.

    Args:
        keys: Images to cut, all of one frame; they get the same window.
        mask_key: Mask, `(C, X, Y)`, whose nonzero pixels the true box bounds.
        margin: Margin on every side, as a part of the displaced box's longer side.
        square: Both sides of the window come from the longer side.
        displacement: Largest displacement, as a part of the box's side.
        scale: Largest change of a side, as a part of it.
        box_channel, allow_missing_keys: See `CropLesiond`.

    Raises:
        InputError: When `scale` is not within 0 and 1, or `displacement` is negative or could move the box out of the
            frame; on a call, when the images and the mask differ in size or the mask is empty.
    """

    def __init__(
        self,
        keys: KeysCollection,
        mask_key: str,
        margin: float = 0.2,
        square: bool = True,
        displacement: float = 0.1,
        scale: float = 0.1,
        box_channel: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, margin, square, mask_key, box_channel=box_channel, allow_missing_keys=allow_missing_keys)
        if not 0 <= scale < 1:
            raise InputError(f"scale is {scale}, expected at least 0 and below 1; 0.1 changes a side by up to a tenth")
        # At the frame's edge, more than this would take a box of the smallest scale out of the frame.
        limit = 1 - scale / 2
        if not 0 <= displacement < limit:
            raise InputError(
                f"displacement is {displacement}, expected at least 0 and below {limit:g}, so that a box of scale "
                f"{scale} keeps to the frame; 0.1 moves a box by up to a tenth of its side"
            )
        self.displacement = displacement
        self.scale = scale

    def find_box(self, data: Mapping[Hashable, Any]) -> Box:
        """The displaced box, in pixels of the images of `data`."""
        box, random = super().find_box(data), self._random(data)
        sides = np.subtract(box[2:], box[:2])
        most_shift = (self.displacement * sides).astype(int)
        most_growth = (self.scale * sides / 2).astype(int)
        shift = random.randint(-most_shift, most_shift + 1)
        growth = random.randint(-most_growth, most_growth + 1)
        x0, y0, x1, y1 = np.add(box, np.concatenate([shift - growth, shift + growth])).tolist()
        return x0, y0, x1, y1

    def _random(self, data: Mapping[Hashable, Any]) -> np.random.RandomState:
        return np.random.RandomState(zlib.crc32(data["lesion_id"].encode()))


class RandCropLesiond(Randomizable, CropDisplacedLesiond):
    """`CropDisplacedLesiond` with another displacement each time."""

    def _random(self, data: Mapping[Hashable, Any]) -> np.random.RandomState:
        return self.R


def _file(data: Mapping[Hashable, Any], key: Hashable) -> str:
    """What an error text calls the image of `key`: its file, or the key where the file is not known."""
    return str(getattr(data[key], "meta", {}).get(ImageMetaKey.FILENAME_OR_OBJ, key))
