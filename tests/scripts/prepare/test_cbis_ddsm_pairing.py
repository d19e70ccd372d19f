from __future__ import annotations

from itertools import permutations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom.errors import InputError
from scripts.prepare.cbis_ddsm_files import SourceFile
from scripts.prepare.cbis_ddsm_pairing import Candidate, correlate, find_mask

IMAGE = np.random.default_rng(0).normal(1000, 200, (90, 120)).astype(np.float32)


def candidate(name: str, kind: str, values: np.ndarray) -> Candidate:
    return Candidate(SourceFile(name, None), kind, values)


def mask_of(box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(IMAGE.shape, bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return mask


@given(
    st.integers(0, 70), st.integers(0, 100), st.integers(8, 40), st.integers(8, 40),
    st.tuples(*[st.integers(-3, 3)] * 4), st.floats(0.01, 50), st.floats(-1e4, 1e4),
)  # fmt: skip
def test_a_crop_fits_wherever_it_lies_and_whatever_its_grey_scale(x, y, columns, rows, moves, factor, offset):
    box = (x, y, min(90, x + columns), min(120, y + rows))
    cut = [max(0, edge + move) for edge, move in zip(box, moves, strict=True)]
    crop = IMAGE[cut[0] : cut[2], cut[1] : cut[3]] * factor + offset
    assert correlate(IMAGE, box, crop) > 0.99


def test_correlation_is_that_of_numpy_where_the_crop_has_but_one_place():
    crop = IMAGE + np.random.default_rng(1).normal(0, 150, IMAGE.shape)
    expected = np.corrcoef(IMAGE.ravel(), crop.ravel())[0, 1]
    assert 0.7 < expected < 0.9
    assert correlate(IMAGE, (0, 0, 90, 120), crop) == pytest.approx(expected, abs=1e-4)


def test_what_is_flat_is_like_nothing():
    assert correlate(IMAGE, (10, 10, 30, 30), np.full((20, 20), 7.0)) == 0
    assert correlate(np.zeros((90, 120)), (10, 10, 30, 30), IMAGE[10:30, 10:30]) == 0


def test_the_order_of_the_files_does_not_matter():
    box = (20, 30, 45, 70)
    crop = candidate("crop", "crop", IMAGE[20:45, 30:70])
    files = [
        crop,
        candidate("mask", "mask", mask_of(box)),
        candidate("of another lesion", "crop", IMAGE[50:75, 50:90]),
        candidate("the mask again", "mask", mask_of(box)),
        Candidate(SourceFile("broken", None), "unreadable", fault="broken"),
    ]
    for order in permutations(files):
        found = find_mask(IMAGE, order)
        np.testing.assert_array_equal(found.mask, mask_of(box))
        assert found.details["crop_file"] == "crop"
        assert not found.reason


def test_a_mask_no_larger_than_the_crop_is_no_mask_of_the_frame():
    files = [candidate("mask", "mask", mask_of((2, 2, 9, 9))[:20, :20]), candidate("crop", "crop", IMAGE[:20, :20])]
    with pytest.raises(InputError, match="no mask is larger than a crop"):
        find_mask(IMAGE, files)


@pytest.mark.parametrize("pitch_of_the_crop", [1, 50 / 43.5])
@pytest.mark.parametrize("side", [24, 40, 70])
def test_the_crop_of_a_resampled_mask_may_have_either_pitch(pitch_of_the_crop: float, side: int):
    image = cv2.GaussianBlur(np.random.default_rng(2).normal(1000, 900, (400, 600)).astype(np.float32), (0, 0), 3)
    mask = np.zeros(image.shape, bool)
    mask[100 : 100 + side, 300 : 300 + side] = True
    film = (690, 460)
    drawn = cv2.resize(mask.astype(np.uint8), film, interpolation=cv2.INTER_NEAREST_EXACT) > 0
    size = round(side * pitch_of_the_crop)
    crop = cv2.resize(image[100 : 100 + side, 300 : 300 + side], (size, size), interpolation=cv2.INTER_LINEAR)
    found = find_mask(image, [candidate("mask", "mask", drawn), candidate("crop", "crop", crop)])
    assert "resized by 0.870" in found.reason
    assert 2 * (found.mask & mask).sum() / (found.mask.sum() + mask.sum()) > 0.9
