"""Parts of filtered frames against the frames that were filtered whole."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import Compose

from custom.transforms import (
    CLAHE,
    CropLesion,
    CropLesiond,
    FrameFilter,
    FrameFilters,
    MeasureFramed,
    WienerFilter,
    lesion_window,
)
from custom.transforms import wiener as wiener_module

BOX = (30, 5, 60, 40)


def mammogram(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Flat and grainy ground, a bright disc with grain, and a label; 0 to 255, `(1, X, Y)`."""
    random = np.random.default_rng(seed)
    x, y = np.mgrid[: size[0], : size[1]]
    disc = np.hypot(x - size[0] / 3, y - size[1] / 2) < min(size) / 3
    grain = random.choice([0, 8]) * random.standard_normal(size) * (disc | (y > size[1] / 3))
    values = np.clip(random.choice([0, 20]) + 150 * disc + grain, 0, 255)
    values[-size[0] // 6 :, : size[1] // 8] = 255
    return values[None].astype(np.float32)


@given(st.data())
def test_a_part_is_that_of_the_frame_filtered_whole(data: st.DataObject) -> None:
    size = data.draw(st.tuples(st.integers(1, 70), st.integers(1, 70)))
    window = tuple(data.draw(st.integers(0, (min(side, 9) - 1) // 2)) * 2 + 1 for side in size)
    tiles = tuple(data.draw(st.integers(1, min(12, side))) for side in size)
    start = [data.draw(st.integers(0, side - 1)) for side in size]
    stop = [data.draw(st.integers(first + 1, side)) for first, side in zip(start, size, strict=True)]
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.float32, np.float64]))
    image = np.concatenate([mammogram(size, data.draw(st.integers(0, 3))) for _ in range(2)]).astype(dtype)
    wiener = WienerFilter(
        window, data.draw(st.sampled_from([None, 0.0, 30.0])), data.draw(st.sampled_from(["reflect", "zeros"]))
    )
    clahe = CLAHE(data.draw(st.floats(0.1, 50)), tiles)
    filters = FrameFilters(data.draw(st.permutations([wiener, clahe]))[: data.draw(st.integers(0, 2))])
    whole = image
    for each in filters.filters:
        whole = each.region(whole, (0, 0), size)
    with patch.object(wiener_module, "_STRIP_PIXELS", data.draw(st.integers(1, 4000))):
        part = filters.region(image, start, stop, data.draw(st.sampled_from([(), filters.measure(image)])))
    assert part.dtype == torch.float32
    expected = np.asarray(whole)[:, start[0] : stop[0], start[1] : stop[1]]
    np.testing.assert_allclose(np.asarray(part), expected, rtol=0, atol=1e-3)


@given(st.data())
def test_noise_and_range_are_those_of_the_frame_filtered_whole(data: st.DataObject) -> None:
    size = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    window = tuple(data.draw(st.integers(0, (min(side, 9) - 1) // 2)) * 2 + 1 for side in size)
    padding = data.draw(st.sampled_from(["reflect", "zeros"]))
    image = data.draw(st.sampled_from([1, -1])) * mammogram(size, data.draw(st.integers(0, 20)))
    with (
        patch.object(wiener_module, "_STRIP_PIXELS", data.draw(st.integers(1, 4000))),
        patch.object(wiener_module, "_SPARSE", data.draw(st.sampled_from([1, 16]))),
    ):
        (noise,), ((low, high),) = FrameFilters([WienerFilter(window, None, padding), CLAHE(tiles=(1, 1))]).measure(
            image
        )
    around = [(side // 2, side // 2) for side in window]
    padded = np.pad(image[0].astype(np.float64), around, mode="reflect" if padding == "reflect" else "constant")
    variance = np.lib.stride_tricks.sliding_window_view(padded, window).var(axis=(2, 3))
    assert noise == pytest.approx(variance.mean(), rel=1e-4, abs=1e-9)
    filtered = np.asarray(WienerFilter(window, None, padding)(image))
    assert (low, high) == pytest.approx((filtered.min(), filtered.max()), abs=1e-3)


class Centred(FrameFilter):
    """A filter that knows how to do no more than it must: it takes the middle of the range off."""

    def measure(self, frame: Any) -> list:
        return [(low + high) / 2 for low, high in frame.ranges()]

    def part(self, frame: Any, start: Any, stop: Any, measured: Any) -> torch.Tensor:
        return frame.part(start, stop) - torch.tensor(measured)[:, None, None]


def test_any_filters_can_follow_each_other() -> None:
    image = mammogram((40, 30))
    numbers = FrameFilters([Centred(), Centred(), WienerFilter(noise=0)]).measure(image)
    assert numbers == [[127.5], [0.0], [0]]
    result = FrameFilters([Centred(), Centred()]).region(image, (3, 4), (20, 30))
    np.testing.assert_array_equal(result, image[:, 3:20, 4:30] - 127.5)


@pytest.mark.parametrize("box", [BOX, (0, 0, 30, 20), (60, 70, 90, 80)])
def test_a_cut_finds_what_was_measured_and_leaves_it_to_the_next(box: tuple[int, ...]) -> None:
    filters = FrameFilters([WienerFilter(), CLAHE(tiles=(5, 7))])
    image = MetaTensor(mammogram((90, 80)), meta={"spacing": 0.05})
    chain = Compose([MeasureFramed("image", filters), CropLesiond("image", box_key="box", filters={"image": filters})])
    measured = chain({"image": image}, end=1)
    with (
        patch.object(FrameFilters, "measure", side_effect=AssertionError),
        patch.object(WienerFilter, "measure", side_effect=AssertionError),
    ):
        first, second = (chain({**measured, "box": box}, start=1)["image"] for _ in range(2))
    assert torch.equal(first, second)
    assert first.meta["spacing"] == 0.05
    assert set(first.meta) - {"affine"} == set(CropLesion()(image, box).meta) - {"affine"}
    x0, y0, x1, y1 = lesion_window(box, 0.2, True)
    expected = np.zeros((1, x1 - x0, y1 - y0), np.float32)
    inside = np.s_[:, max(-x0, 0) : 90 - x0, max(-y0, 0) : 80 - y0]
    expected[inside] = np.asarray(CLAHE(tiles=(5, 7))(WienerFilter()(image)))[:, max(x0, 0) : x1, max(y0, 0) : y1]
    np.testing.assert_allclose(first, expected, rtol=0, atol=1e-3)


def test_an_image_without_metadata_is_measured_at_the_cut() -> None:
    filters = FrameFilters([WienerFilter()])
    image = torch.as_tensor(mammogram((90, 80)))
    measured = MeasureFramed("image", filters)({"image": image})
    assert measured["image"] is image
    cut = CropLesion()(measured["image"], BOX, filters)
    expected = CropLesion()(torch.as_tensor(np.asarray(WienerFilter()(image))), BOX)
    np.testing.assert_allclose(cut, expected, rtol=0, atol=1e-3)
