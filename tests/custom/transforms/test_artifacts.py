"""Removal of labels, tape and film borders from drawn mammograms, where every pixel's fate is known."""

from __future__ import annotations

import csv
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import LoadImage

from custom.transforms import RemoveArtifacts, RemoveArtifactsd

KINDS = [np.asarray, torch.as_tensor, MetaTensor]
AIR, HAZE, FAT, LABEL, FILM = 20, 22, 80, 250, 255


def distance_from_breast(size: tuple[int, int]) -> np.ndarray:
    """About how far a pixel `(X, Y)` lies outside a half disc at the left edge, in pixels; negative inside."""
    x, y = np.mgrid[: size[0], : size[1]]
    return np.hypot(x, y - size[1] / 2) - 0.6 * size[0]


def mammogram(size: tuple[int, int] = (300, 500)) -> np.ndarray:
    """A half disc of fat at the left edge, in air, as float32 `(1, X, Y)`."""
    return np.where(distance_from_breast(size) < 0, FAT, AIR).astype(np.float32)[None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(300, 500), (1500, 2400), (500, 300)])
def test_label_goes_and_breast_stays_to_the_pixel(kind: Any, size: tuple[int, int]) -> None:
    clean = mammogram(size)
    labelled = clean.copy()
    labelled[0, -size[0] // 5 : -size[0] // 8, size[1] // 20 : size[1] // 6] = LABEL
    result = RemoveArtifacts()(kind(labelled))
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.float32
    np.testing.assert_array_equal(np.asarray(result), clean)


def test_what_hangs_on_by_a_thread_goes_and_a_wide_neck_stays() -> None:
    image = mammogram()
    image[0, 175:210, 249:251] = LABEL
    image[0, 200:230, 235:265] = LABEL
    assert np.asarray(RemoveArtifacts()(image))[0, 200:230, 235:265].max() == AIR
    image[0, 175:210, 240:260] = LABEL
    assert np.asarray(RemoveArtifacts()(image))[0, 200:230, 235:265].min() == LABEL


@pytest.mark.parametrize("thickness", [3, 10, 20])
def test_film_borders_go_where_they_do_not_border_on_the_breast(thickness: int) -> None:
    image = mammogram()
    distance = distance_from_breast((300, 500))
    for strip in (np.s_[:, :thickness], np.s_[:, -thickness:], np.s_[:, :, :thickness], np.s_[:, :, -thickness:]):
        image[strip] = FILM
    result = np.asarray(RemoveArtifacts()(image))[0]
    inside = (distance < -1) & (np.mgrid[:300, :500][0] >= thickness)
    assert (result[inside] == FAT).all()
    # Within the depth where strips are sought, 24 pixels here, the breast goes straight to the edge, with its margin.
    assert (result[distance > 15] == AIR).all()


def test_holes_are_filled_and_the_margin_is_narrow() -> None:
    image = mammogram()
    distance = distance_from_breast((300, 500))
    image[0][distance > 0] = HAZE
    image[0, -1, -1] = AIR
    image[0, 60:100, 240:260] = HAZE
    result = np.asarray(RemoveArtifacts()(image))[0]
    assert (result[60:100, 240:260] == HAZE).all()
    assert (result[(distance > 0) & (distance < 3)] == HAZE).all()
    assert (result[distance > 8] == AIR).all()


def test_dim_skin_stays_beside_bright_tissue() -> None:
    # Otsu's threshold on the grey values themselves would lie far above the rim.
    image = np.zeros((1, 300, 500), np.float32)
    distance = distance_from_breast((300, 500))
    image[0][distance < 0] = 25
    image[0][distance < -30] = 200
    np.testing.assert_array_equal(np.asarray(RemoveArtifacts()(image)), image)


@pytest.mark.parametrize(("scale", "offset"), [(257, 1000), (1 / 255, 0), (16, -500)])
def test_rescaled_input_gives_rescaled_output(scale: float, offset: float) -> None:
    image = mammogram()
    image[0, 250:280, 20:60] = LABEL
    result = np.asarray(RemoveArtifacts()(scale * image + offset))
    np.testing.assert_allclose(result, scale * mammogram() + offset, rtol=1e-6)


@pytest.mark.parametrize("level", [0, 7, -3.5, 65535])
def test_constant_image_stays(level: float) -> None:
    image = np.full((2, 30, 50), level, np.float32)
    np.testing.assert_array_equal(np.asarray(RemoveArtifacts()(image)), image)


def test_channels_do_not_mix_and_meta_stays() -> None:
    both = MetaTensor(np.concatenate([mammogram(), mammogram()[:, ::-1] * 16]), meta={"spacing": 0.05})
    both[0, 280:290, 20:60] = LABEL
    before = both.clone()
    result = RemoveArtifacts()(both)
    assert isinstance(result, MetaTensor)
    assert result.meta["spacing"] == 0.05
    np.testing.assert_array_equal(np.asarray(result[:1]), mammogram())
    assert torch.equal(result[1:], both[1:])
    assert torch.equal(both, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_gives_float32_whatever_comes_in(dtype: Any) -> None:
    result = RemoveArtifacts()(mammogram().astype(dtype))
    assert result.dtype == torch.float32
    np.testing.assert_array_equal(np.asarray(result), mammogram())


def test_dictionary_transform_cleans_its_keys_only_and_survives_pickling() -> None:
    image = mammogram()
    image[0, 250:280, 20:60] = LABEL
    transform = pickle.loads(pickle.dumps(RemoveArtifactsd("image")))
    data = transform({"image": image, "label": image})
    np.testing.assert_array_equal(np.asarray(data["image"]), mammogram())
    assert data["label"] is image
    with pytest.raises(KeyError):
        transform({"label": image})
    assert RemoveArtifactsd("image", allow_missing_keys=True)({"label": image}) == {"label": image}


@pytest.mark.skipif("MAMMO_REAL_DATA" not in os.environ, reason="MAMMO_REAL_DATA names no folder of real mammograms")
def test_masses_of_real_mammograms_stay() -> None:
    folder = Path(os.environ["MAMMO_REAL_DATA"])
    load = LoadImage(image_only=True, ensure_channel_first=True)
    with (folder / "manifest.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))[::200]
    for row in rows:
        image, mass = np.asarray(load(folder / row["image"])[:1]), np.asarray(load(folder / row["mask"])) > 0
        result = np.asarray(RemoveArtifacts()(image))
        np.testing.assert_array_equal(result[mass], image[mass])
        # A label or a border of white film is somewhere in each of these scans.
        assert ((image > 200) & (result == image.min())).any()
