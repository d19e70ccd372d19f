"""The scaling of frames against MONAI's `ScaleIntensity`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.data import MetaTensor
from monai.transforms import ScaleIntensity

from custom.transforms import ScaleFrame, ScaleFramed

DTYPES = st.sampled_from([np.uint8, np.uint16, np.int32, np.float32])


@given(DTYPES.flatmap(lambda dtype: arrays(dtype, (1, 7, 5), elements={"min_value": 0, "max_value": 200})))
def test_equals_monai_to_the_bit(image: np.ndarray) -> None:
    np.testing.assert_array_equal(ScaleFrame()(image), ScaleIntensity(0, 255)(image.astype(np.float32)))


def test_values_worked_out_by_hand() -> None:
    image = np.float32([[[-2, 0], [6, 2]]])
    np.testing.assert_array_equal(ScaleFrame(4)(image), [[[0, 1], [4, 2]]])
    np.testing.assert_array_equal(ScaleFrame()(np.full((1, 3, 2), 7)), np.zeros((1, 3, 2)))


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, MetaTensor])
def test_leaves_its_input_and_the_metadata(kind: Any) -> None:
    image = kind(np.float32([[[1, 2], [3, 4]]]))
    result = ScaleFrame()(image)
    np.testing.assert_array_equal(image, [[[1, 2], [3, 4]]])
    assert isinstance(result, torch.Tensor)
    if kind is MetaTensor:
        image.meta["spacing"] = 0.05
        assert ScaleFrame()(image).meta["spacing"] == 0.05


def test_dictionary_transform_scales_its_keys_only_and_survives_pickling() -> None:
    image = np.float32([[[1, 2], [3, 5]]])
    data = pickle.loads(pickle.dumps(ScaleFramed("image", 8.0)))({"image": image, "label": image})
    np.testing.assert_array_equal(data["image"], [[[0, 2], [4, 8]]])
    assert data["label"] is image
