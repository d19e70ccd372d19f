"""The Wiener filter against `scipy.signal.wiener`."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import LoadImage
from scipy.signal import wiener

from custom.errors import InputError
from custom.transforms import WienerFilter, WienerFilterd

KINDS = [np.asarray, torch.as_tensor, MetaTensor]
WINDOWS = [(9, 1), 3, (3, 7)]
# Of lines within a block, of one that ends just behind a block, and of several blocks.
SIZES = [(40, 9), (30, 1025), (21, 2300)]


def grain(size: tuple[int, int], white: float = 255) -> np.ndarray:
    """A bright disc on a dark ground, with noise; values from 0 to `white`, float32."""
    rng = np.random.default_rng(3)
    x, y = np.mgrid[: size[0], : size[1]]
    disc = np.hypot(x - size[0] / 3, y - size[1] / 2) < min(size) / 3
    return (white * np.clip(0.1 + 0.7 * disc + 0.05 * rng.standard_normal(size), 0, 1)).astype(np.float32)


def mirrored_scipy(image: np.ndarray, window: int | tuple[int, int], noise: float) -> np.ndarray:
    """scipy's filter behind a mirrored margin, so that its own zeros never reach the frame."""
    rx, ry = np.broadcast_to(window, 2) // 2
    padded = np.pad(image.astype(np.float64), ((rx, rx), (ry, ry)), mode="reflect")
    with np.errstate(all="ignore"):
        filtered = wiener(padded, window, noise)
    # A window of one pixel, or a flat one, has no variance, and without noise scipy divides 0 by 0.
    filtered = np.where(np.isfinite(filtered), filtered, padded)
    return filtered[rx : rx + image.shape[0], ry : ry + image.shape[1]]


def mean_variance(image: np.ndarray, window: int | tuple[int, int]) -> float:
    """Of the windows around all pixels."""
    sides = np.broadcast_to(window, 2)
    padded = np.pad(image.astype(np.float64), [(side // 2, side // 2) for side in sides], mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, sides).var(axis=(2, 3)).mean()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "window"), zip(SIZES, WINDOWS, strict=True))
@pytest.mark.parametrize("white", [255, 65535])
def test_equals_scipy_in_every_kind_of_array(kind: Any, size: tuple[int, int], window: Any, white: float) -> None:
    image = grain(size, white)
    result = WienerFilter(window)(kind(image[None]))
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.float32
    expected = mirrored_scipy(image, window, mean_variance(image, window))
    np.testing.assert_allclose(np.asarray(result)[0], expected, rtol=0, atol=1e-3 / 255 * white)


@given(st.data())
def test_equals_scipy_at_any_size_and_window(data: st.DataObject) -> None:
    size = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    window = tuple(data.draw(st.integers(0, (min(side, 13) - 1) // 2)) * 2 + 1 for side in size)
    dtype, white = data.draw(st.sampled_from([(np.uint8, 255), (np.uint16, 65535), (np.float64, 255)]))
    image = np.random.default_rng(9).uniform(0, white, size).astype(dtype)
    share = data.draw(st.sampled_from([None, 1e-3, 0.05]))
    result = WienerFilter(window, share and share * white**2)(image[None])[0]
    noise = share * white**2 if share else mean_variance(image, window)
    np.testing.assert_allclose(
        np.asarray(result), mirrored_scipy(image, window, noise), rtol=0, atol=1e-3 / 255 * white
    )


def test_values_worked_out_by_hand() -> None:
    # Around the 9: mean 1, variance 81 / 9 - 1 = 8. A noise of 2 leaves 3/4 of the deviation: 1 + 3/4 * 8 = 7.
    # Its neighbours: 1 + 3/4 * (0 - 1) = 1/4. Further out: flat.
    image = np.zeros((1, 7, 7), np.float32)
    image[0, 3, 3] = 9
    expected = np.zeros((1, 7, 7), np.float32)
    expected[0, 2:5, 2:5] = 0.25
    expected[0, 3, 3] = 7
    np.testing.assert_allclose(np.asarray(WienerFilter(3, noise=2)(image)), expected, atol=1e-6)


@pytest.mark.parametrize("level", [0, 7, 200.3, -5, 65535])
@pytest.mark.parametrize("noise", [None, 0, 4.0])
def test_flat_regions_stay(level: float, noise: float | None) -> None:
    image = np.full((1, 300, 40), level, np.float32)
    np.testing.assert_allclose(np.asarray(WienerFilter(5, noise)(image)), image, rtol=1e-6)
    image[0, 150:, 20:] += 50
    result = np.asarray(WienerFilter(5, noise)(image))
    assert np.isfinite(result).all()
    np.testing.assert_allclose(result[0, :140], image[0, :140], rtol=1e-6)


def test_channels_do_not_mix_and_meta_stays() -> None:
    dark, bright = grain((20, 30)), grain((20, 30), 4095)
    both = MetaTensor(np.stack([dark, bright]), meta={"spacing": 0.05})
    before = both.clone()
    result = WienerFilter()(both)
    assert isinstance(result, MetaTensor)
    assert result.meta["spacing"] == 0.05
    assert torch.equal(result[:1], WienerFilter()(dark[None]))
    assert torch.equal(result[1:], WienerFilter()(bright[None]))
    assert torch.equal(both, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_gives_float32_whatever_comes_in(dtype: Any) -> None:
    image = grain((20, 30)).round()
    result = WienerFilter()(image[None].astype(dtype))
    assert result.dtype == torch.float32
    assert torch.equal(result, WienerFilter()(image[None]))


def test_dictionary_transform_filters_its_keys_only_and_survives_pickling() -> None:
    image = grain((20, 30))[None]
    transform = pickle.loads(pickle.dumps(WienerFilterd("image", window=(3, 5), noise=4.0)))
    data = transform({"image": image, "label": image})
    assert torch.equal(data["image"], WienerFilter((3, 5), 4.0)(image))
    assert data["label"] is image
    with pytest.raises(KeyError):
        transform({"label": image})
    assert WienerFilterd("image", allow_missing_keys=True)({"label": image}) == {"label": image}


@pytest.mark.parametrize("window", [0, 2, -3, 3.0, None, "3", (3, 4), (3, 3, 3), ()])
def test_refuses_a_window_that_is_not_odd(window: Any) -> None:
    with pytest.raises(InputError, match="wiener window"):
        WienerFilter(window)


@pytest.mark.parametrize("noise", [-1, float("nan"), float("inf")])
def test_refuses_a_noise_that_is_no_variance(noise: float) -> None:
    with pytest.raises(InputError, match="wiener noise"):
        WienerFilter(noise=noise)


@pytest.mark.parametrize(("window", "fits"), [((9, 5), True), ((9, 7), False), ((11, 5), False)])
def test_refuses_a_window_larger_than_the_image(window: tuple[int, int], fits: bool) -> None:
    image = grain((9, 6))[None]
    if fits:
        assert np.isfinite(np.asarray(WienerFilter(window)(image))).all()
        return
    with pytest.raises(InputError, match="fits the image of \\(9, 6\\) pixels"):
        WienerFilter(window)(image)


@pytest.mark.skipif("MAMMO_REAL_DATA" not in os.environ, reason="MAMMO_REAL_DATA names no folder of real mammograms")
def test_equals_scipy_on_a_real_mammogram() -> None:
    path = min((Path(os.environ["MAMMO_REAL_DATA"]) / "images").iterdir())
    image = LoadImage(image_only=True, ensure_channel_first=True)(path)[:1]
    expected = mirrored_scipy(np.asarray(image[0]), 3, mean_variance(np.asarray(image[0]), 3))
    np.testing.assert_allclose(np.asarray(WienerFilter()(image))[0], expected, rtol=0, atol=1e-3)
