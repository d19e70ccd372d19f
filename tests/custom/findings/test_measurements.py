from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from custom.findings.measurements import Measurements, measure
from custom.findings.spacing import Spacing

SIZE = 320


def grid(degrees: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """The distances of pixel centres from the middle along two axes, of which the first is turned from x."""
    x, y = np.meshgrid(*[np.arange(SIZE) + 0.5 - SIZE / 2] * 2, indexing="ij")
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return x * cos + y * sin, y * cos - x * sin


def measured(mask: np.ndarray, spacing: Spacing | None = None) -> Measurements:
    found = measure(mask, np.where(mask, 0.8, 0.1), spacing)
    assert found is not None
    return found


def ellipse_perimeter(a: float, b: float) -> float:
    """Ramanujan's second approximation, exact to far less than a pixel here."""
    h = ((a - b) / (a + b)) ** 2
    return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


@pytest.mark.parametrize("radius", [10, 47.5, 120])
def test_a_disc(radius: float):
    x, y = grid()
    found = measured(x**2 + y**2 <= radius**2)
    assert found.area == pytest.approx(math.pi * radius**2, rel=0.01)
    # The steps of the outline reach over the circle by less than a pixel at either end.
    assert 0 <= found.longest_diameter - 2 * radius < 1.5
    assert 0 <= found.perpendicular_diameter - 2 * radius < 1.5
    assert found.circularity == pytest.approx(1, abs=0.02)
    assert (found.area_mm2, found.longest_diameter_mm, found.perpendicular_diameter_mm) == (None, None, None)


@pytest.mark.parametrize("degrees", [0, 20, 45, 90, 130])
def test_an_ellipse_in_any_direction(degrees: float):
    along, across = grid(degrees)
    found = measured((along / 120) ** 2 + (across / 50) ** 2 <= 1)
    assert found.longest_diameter == pytest.approx(240, abs=2)
    assert found.perpendicular_diameter == pytest.approx(100, abs=2)
    expected = 4 * math.pi * math.pi * 120 * 50 / ellipse_perimeter(120, 50) ** 2
    assert found.circularity == pytest.approx(expected, abs=0.02)
    (x0, y0), (x1, y1) = found.longest_ends
    assert math.degrees(math.atan2(y1 - y0, x1 - x0)) % 180 == pytest.approx(degrees % 180, abs=3) or degrees == 0


def test_a_rectangle():
    mask = np.zeros((300, 200), dtype=bool)
    mask[30:230, 40:120] = True
    found = measured(mask)
    assert found.area == 200 * 80
    assert found.longest_diameter == pytest.approx(math.hypot(200, 80))
    assert {found.longest_ends[0], found.longest_ends[1]} in ({(30, 40), (230, 120)}, {(30, 120), (230, 40)})
    # At right angles to the diagonal, from one long side to the other.
    assert found.perpendicular_diameter == pytest.approx(80 * math.hypot(200, 80) / 200, abs=0.5)
    assert found.circularity == pytest.approx(4 * math.pi * 200 * 80 / 560**2, abs=0.02)


def test_one_pixel():
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 3] = True
    found = measured(mask)
    assert (found.area, found.longest_diameter) == (1, pytest.approx(math.sqrt(2)))
    assert found.perpendicular_diameter == pytest.approx(math.sqrt(2), abs=0.3)


def test_a_disc_in_mm_whose_pixels_are_twice_as_high_as_wide():
    x, y = grid()
    found = measured((0.1 * x) ** 2 + (0.2 * y) ** 2 <= 10**2, Spacing(0.2, 0.1, "test"))
    assert found.longest_diameter_mm == pytest.approx(20, abs=0.3)
    assert found.perpendicular_diameter_mm == pytest.approx(20, abs=0.3)
    assert found.area_mm2 == pytest.approx(math.pi * 10**2, rel=0.01)
    assert found.circularity == pytest.approx(1, abs=0.03)
    (x0, y0), (x1, y1) = found.longest_ends
    assert math.hypot(0.1 * (x1 - x0), 0.2 * (y1 - y0)) == pytest.approx(found.longest_diameter_mm)
    assert math.hypot(x1 - x0, y1 - y0) == pytest.approx(found.longest_diameter)


def test_a_diameter_stays_within_the_outline():
    mask = np.zeros((110, 110), dtype=bool)
    mask[5:25, 5:105] = True
    mask[5:105, 85:105] = True
    found = measured(mask)
    # From end to end of the L it would be 141. Within, each arm has its diagonal, and lines may graze the inner corner.
    assert math.hypot(100, 20) <= found.longest_diameter < 105


def test_a_hole_does_not_cut_a_diameter_and_is_no_area():
    x, y = grid()
    radius = np.hypot(x, y)
    found = measured((radius <= 100) & (radius >= 40))
    assert found.longest_diameter == pytest.approx(200, abs=2)
    assert found.perpendicular_diameter == pytest.approx(200, abs=2)
    assert found.area == pytest.approx(math.pi * (100**2 - 40**2), rel=0.01)
    assert found.circularity == pytest.approx((100**2 - 40**2) / (100 + 40) ** 2, abs=0.02)


def test_of_two_pieces_the_longer_one_has_the_diameter():
    mask = np.zeros((100, 100), dtype=bool)
    mask[10:20, 10:15] = True
    mask[60:90, 80:84] = True
    assert measured(mask).longest_diameter == pytest.approx(math.hypot(30, 4))


def test_probability_and_entropy():
    mask = np.zeros((4, 4), dtype=bool)
    mask[:2, :2] = True
    probability = np.full((4, 4), 0.3, np.float32)
    probability[:2, :2] = [[0.5, 0.5], [1, 0.75]]
    found = measure(mask, probability)
    assert found is not None
    assert found.mean_probability == pytest.approx((0.5 + 0.5 + 1 + 0.75) / 4)
    of_three_quarters = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert found.mean_entropy == pytest.approx((1 + 1 + 0 + of_three_quarters) / 4)


def test_nothing_of_an_empty_mask():
    assert measure(np.zeros((4, 4), dtype=bool), np.zeros((4, 4))) is None


masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(np.any)


@settings(max_examples=50)
@given(masks)
def test_a_quarter_turn_changes_no_measurement(mask: np.ndarray):
    found, turned = measured(mask), measured(np.rot90(mask))
    assert turned.area == found.area
    assert turned.longest_diameter == pytest.approx(found.longest_diameter)
    assert turned.circularity == pytest.approx(found.circularity)


@settings(max_examples=50)
@given(masks, st.integers(2, 4))
def test_mm_grow_with_the_spacing_and_pixels_do_not(mask: np.ndarray, factor: int):
    found, grown = (measured(mask, Spacing(step, step, "test")) for step in (0.1, 0.1 * factor))
    assert grown.longest_diameter == pytest.approx(found.longest_diameter)
    assert grown.longest_diameter_mm == pytest.approx(factor * (found.longest_diameter_mm or 0))
    assert grown.perpendicular_diameter_mm == pytest.approx(factor * (found.perpendicular_diameter_mm or 0))
    assert grown.area_mm2 == pytest.approx(factor**2 * (found.area_mm2 or 0))
    assert grown.circularity == pytest.approx(found.circularity)


@settings(max_examples=50)
@given(masks)
def test_a_mask_of_twice_as_many_pixels_is_at_most_twice_as_long(mask: np.ndarray):
    found, doubled = measured(mask), measured(mask.repeat(2, axis=0).repeat(2, axis=1))
    assert doubled.area == 4 * found.area
    # A line may leave the outline by less than a pixel, so that it may cut a corner of the coarser mask alone.
    assert doubled.longest_diameter <= 2 * found.longest_diameter + 1e-9
    if mask.all():
        assert doubled.longest_diameter == pytest.approx(2 * found.longest_diameter)
