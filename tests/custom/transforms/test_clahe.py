"""CLAHE against OpenCV's, which knows 8 bits."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import LoadImage

from custom.errors import InputError
from custom.transforms import CLAHE, CLAHEd

KINDS = [np.asarray, torch.as_tensor, MetaTensor]


def opencv(image: np.ndarray, clip_limit: float, tiles: tuple[int, int]) -> np.ndarray:
    """OpenCV's CLAHE of an 8-bit image `(X, Y)`: it wants rows first, and the number of columns first."""
    return cv2.createCLAHE(clip_limit, tiles).apply(np.ascontiguousarray(image.T)).T


def spanning(image: np.ndarray) -> np.ndarray:
    """8-bit copy in which the corners hold 0 and 255, so that both scale the grey levels alike."""
    image = image.astype(np.uint8)
    image[0, 0], image[-1, -1] = 0, 255
    return image


def noise(size: tuple[int, int]) -> np.ndarray:
    return spanning(np.random.default_rng(5).integers(0, 256, size))


def gradient(size: tuple[int, int]) -> np.ndarray:
    x, y = np.mgrid[: size[0], : size[1]]
    return spanning(255 * (x + 2 * y) / (size[0] + 2 * size[1]))


def dark(size: tuple[int, int]) -> np.ndarray:
    """Most pixels in a few bins, as the background of a mammogram: much is cut off and spread."""
    return spanning(np.random.default_rng(6).exponential(8, size).clip(0, 255))


@pytest.mark.parametrize("kind", KINDS)
def test_equals_opencv_in_every_kind_of_array(kind: Any) -> None:
    source = noise((65, 91))
    result = CLAHE(2.0, (8, 8))(kind(source[None]))
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.float32
    expected = opencv(source, 2.0, (8, 8)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(result)[0].round(), expected, rtol=0, atol=1)


@given(
    image=st.sampled_from([noise, gradient, dark]),
    size=st.tuples(st.integers(2, 70), st.integers(2, 70)),
    tiles=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    clip_limit=st.floats(0.01, 200),
)
def test_equals_opencv_on_any_grid(
    image: Any, size: tuple[int, int], tiles: tuple[int, int], clip_limit: float
) -> None:
    tiles = (min(tiles[0], size[0]), min(tiles[1], size[1]))
    source = image(size)
    expected = opencv(source, clip_limit, tiles).astype(np.float32)
    result = np.asarray(CLAHE(clip_limit, tiles)(source[None]))[0]
    np.testing.assert_allclose(result.round(), expected, rtol=0, atol=1)


def test_values_worked_out_by_hand() -> None:
    # One tile of 16 x 16 pixels: 192 at 0, 63 at 100, 1 at 255; the limit is 2 * 256 / 256 = 2 pixels a bin.
    # Cut off: 190 + 61 = 251 of 256, none of which divides by 256: every bin up to 250 gets one more.
    # The sum up to bin 0 is 3, up to bin 100: 3 + 99 + 3 = 105, up to 255: 256.
    image = np.zeros((1, 16, 16), np.float32)
    image[0, 12:] = 100
    image[0, 15, 15] = 255
    expected = np.choose((image > 0).astype(int) + (image > 100), [255 * 3 / 256, 255 * 105 / 256, 255])
    np.testing.assert_allclose(np.asarray(CLAHE(2.0, (1, 1))(image)), expected, rtol=1e-5)


def test_keeps_every_grey_level_of_16_bits_apart() -> None:
    ramp = np.random.default_rng(7).permutation(65536).astype(np.float32)
    result = np.asarray(CLAHE(2.0, (1, 1))(ramp.reshape(1, 256, 256))).ravel()
    assert (np.diff(result[ramp.argsort()]) > 0.5).all()


def test_keeps_crowded_grey_levels_apart() -> None:
    # 256 levels within one step of 8 bits, and one pixel at each end of the scale.
    levels = np.arange(30_000, 30_256).repeat(16)
    image = np.concatenate([[0], levels[1:-1], [65535]]).reshape(1, 64, 64)
    result = np.asarray(CLAHE(2.0, (1, 1))(image)).ravel()
    assert len(np.unique(result)) == len(np.unique(image))


@pytest.mark.parametrize(("scale", "offset"), [(257, 0), (16, 100), (1 / 255, 0), (2, -300)])
def test_rescaled_input_gives_rescaled_output(scale: float, offset: float) -> None:
    image = noise((65, 91))[None].astype(np.float32)
    expected = scale * np.asarray(CLAHE()(image)) + offset
    result = np.asarray(CLAHE()(scale * image + offset))
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-4 * scale)


@pytest.mark.parametrize("level", [0, 7, -3.5, 65535])
def test_constant_image_stays(level: float) -> None:
    image = np.full((2, 20, 30), level, np.float32)
    np.testing.assert_array_equal(np.asarray(CLAHE()(image)), image)


@pytest.mark.parametrize("pixel", [np.nan, np.inf, -np.inf, 1e-40, 3e38])
def test_a_range_that_cannot_be_divided_stays(pixel: float) -> None:
    image = np.zeros((1, 20, 30), np.float32)
    image[0, 3, 4], image[0, 5, 6] = pixel, -pixel
    np.testing.assert_array_equal(np.asarray(CLAHE()(image)), image)


def test_two_levels_stay_finite_and_in_range() -> None:
    image = np.zeros((1, 40, 40), np.float32)
    image[0, 10:20, 10:20] = 1e-3
    result = np.asarray(CLAHE()(image))
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 1e-3 * (1 + 1e-6)


def test_channels_do_not_mix_and_meta_stays() -> None:
    both = MetaTensor(np.stack([noise((40, 33)), gradient((40, 33)) * 16.0]), meta={"spacing": 0.05})
    before = both.clone()
    result = CLAHE()(both)
    assert isinstance(result, MetaTensor)
    assert result.meta["spacing"] == 0.05
    assert torch.equal(result[:1], CLAHE()(both[:1]))
    assert torch.equal(result[1:], CLAHE()(both[1:]))
    assert torch.equal(both, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_gives_float32_whatever_comes_in(dtype: Any) -> None:
    image = noise((40, 33))[None]
    result = CLAHE()(image.astype(dtype))
    assert result.dtype == torch.float32
    assert torch.equal(result, CLAHE()(image.astype(np.float32)))


def test_dictionary_transform_equalises_its_keys_only_and_survives_pickling() -> None:
    image = noise((40, 33))[None]
    transform = pickle.loads(pickle.dumps(CLAHEd("image", clip_limit=3.0, tiles=(4, 2))))
    data = transform({"image": image, "label": image})
    assert torch.equal(data["image"], CLAHE(3.0, (4, 2))(image))
    assert data["label"] is image
    with pytest.raises(KeyError):
        transform({"label": image})
    assert CLAHEd("image", allow_missing_keys=True)({"label": image}) == {"label": image}


@pytest.mark.parametrize("clip_limit", [0, -1, float("nan"), float("inf")])
def test_refuses_a_clip_limit_that_is_not_positive(clip_limit: float) -> None:
    with pytest.raises(InputError, match="clahe clip limit"):
        CLAHE(clip_limit)


@pytest.mark.parametrize("tiles", [8, (8,), (8, 0), (-8, 8), (8.0, 8), (2, 2, 2), None])
def test_refuses_tiles_that_are_not_two_positive_numbers(tiles: Any) -> None:
    with pytest.raises(InputError, match="clahe tiles"):
        CLAHE(tiles=tiles)


def test_refuses_more_tiles_than_pixels() -> None:
    assert CLAHE(tiles=(9, 6))(noise((9, 6))[None]).shape == (1, 9, 6)
    with pytest.raises(InputError, match=r"clahe tiles: found \(6, 9\), expected no more than the image's \(9, 6\)"):
        CLAHE(tiles=(6, 9))(noise((9, 6))[None])


@pytest.mark.skipif("MAMMO_REAL_DATA" not in os.environ, reason="MAMMO_REAL_DATA names no folder of real mammograms")
def test_equals_opencv_on_a_real_mammogram() -> None:
    path = min((Path(os.environ["MAMMO_REAL_DATA"]) / "images").iterdir())
    image = spanning(np.asarray(LoadImage(image_only=True, ensure_channel_first=True)(path)[0]))
    expected = opencv(image, 2.0, (8, 8)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(CLAHE()(image[None]))[0].round(), expected, rtol=0, atol=1)
