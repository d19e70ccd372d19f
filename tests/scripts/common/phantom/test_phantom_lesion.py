from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.phantom.lesion import EDGE_BLUR, Mass, draw_mass

SHAPES = ("ROUND", "OVAL", "LOBULATED", "IRREGULAR")


def contour(mass: Mass) -> np.ndarray:
    return max(cv2.findContours(mass.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea)


def draw_many(shape: str, margins: str, diameter: float = 120.0) -> list[Mass]:
    return [draw_mass(np.random.default_rng(seed), shape, margins, diameter) for seed in range(12)]


def median_of(masses: list[Mass], measure: str) -> float:
    values = []
    for outline in map(contour, masses):
        area = cv2.contourArea(outline)
        values.append(
            {
                "circularity": 4 * np.pi * area / cv2.arcLength(outline, True) ** 2,
                "solidity": area / cv2.contourArea(cv2.convexHull(outline)),
                "aspect": max(cv2.minAreaRect(outline)[1]) / min(cv2.minAreaRect(outline)[1]),
            }[measure]
        )
    return float(np.median(values))


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from(SHAPES), st.sampled_from(sorted(EDGE_BLUR)), st.floats(7, 150))
def test_a_mass_has_one_part_the_size_asked_for_and_mean_one(
    seed: int, shape: str, margins: str, diameter: float
) -> None:
    mass = draw_mass(np.random.default_rng(seed), shape, margins, diameter)
    assert set(np.unique(mass.mask)) == {0, 255}
    assert cv2.connectedComponents(mass.mask)[0] == 2
    y, x = np.nonzero(mass.mask)
    assert max(np.ptp(x), np.ptp(y)) + 1 == pytest.approx(diameter, abs=2.5)
    assert mass.attenuation.shape == mass.mask.shape
    assert mass.attenuation[mass.mask > 0].mean() == pytest.approx(1, abs=1e-3)


def test_shapes_are_what_they_are_called() -> None:
    shapes = {shape: draw_many(shape, "CIRCUMSCRIBED") for shape in SHAPES}
    circularity = {shape: median_of(masses, "circularity") for shape, masses in shapes.items()}
    assert circularity["ROUND"] > circularity["OVAL"] > circularity["LOBULATED"] > circularity["IRREGULAR"]
    assert median_of(shapes["ROUND"], "aspect") < 1.15 < 1.25 < median_of(shapes["OVAL"], "aspect") < 1.8
    assert median_of(shapes["OVAL"], "solidity") > 0.97 > median_of(shapes["LOBULATED"], "solidity")


def test_microlobulated_margins_are_rougher() -> None:
    smooth, rough = (draw_many("ROUND", margins) for margins in ("CIRCUMSCRIBED", "MICROLOBULATED"))
    assert median_of(rough, "circularity") < median_of(smooth, "circularity") - 0.02


def just_outside(mass: Mass, reach: int) -> np.ndarray:
    grown = cv2.dilate(mass.mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    return mass.attenuation[(grown > 0) & (mass.mask == 0)]


def test_ill_defined_margins_fade_and_circumscribed_ones_end() -> None:
    sharp, soft = (
        np.mean([just_outside(mass, 6).mean() for mass in draw_many("ROUND", margins)])
        for margins in ("CIRCUMSCRIBED", "ILL_DEFINED")
    )
    assert soft > 2 * sharp


def test_spicules_reach_out_of_the_core_in_thin_lines() -> None:
    for mass in draw_many("IRREGULAR", "SPICULATED"):
        ring = just_outside(mass, 30)
        assert np.percentile(ring, 99) > 3 * np.median(ring) + 0.1


def test_an_obscured_margin_is_lost_on_one_side_only() -> None:
    for mass in draw_many("ROUND", "OBSCURED"):
        middle = mass.mask.shape[0] // 2
        y, x = np.nonzero((cv2.dilate(mass.mask, np.ones((31, 31))) > 0) & (mass.mask == 0))
        sector = ((np.arctan2(y - middle, x - middle) + np.pi) / (2 * np.pi) * 8).astype(int) % 8
        beside = np.array([mass.attenuation[y[sector == s], x[sector == s]].mean() for s in range(8)])
        assert beside.max() > 0.4
        assert beside.min() < 0.15
