from __future__ import annotations

import numpy as np
import pytest

from scripts.common.phantom.film import BRIGHTEST, attenuation_step, develop, digitise


def test_the_characteristic_curve_rises_from_dark_to_bright() -> None:
    grey = develop(np.linspace(-5, 6, 200, dtype=np.float32), exposure=0.0)
    assert np.all(np.diff(grey) >= 0)
    assert grey[0] < 1
    assert grey[-1] == pytest.approx(BRIGHTEST, rel=1e-3)
    # Half of the range lies at 1.06 fat thicknesses.
    assert develop(np.array([1.06], np.float32), 0.0)[0] == pytest.approx(BRIGHTEST / 2, rel=1e-3)


@pytest.mark.parametrize("exposure", [-0.1, 0.0, 0.1])
@pytest.mark.parametrize("contrast", [0.03, 0.1])
def test_the_attenuation_step_makes_the_contrast(exposure: float, contrast: float) -> None:
    step = attenuation_step(1.0, contrast, exposure)
    before, after = develop(np.array([1.0, 1.0 + step], np.float32), exposure)
    assert after - before == pytest.approx(contrast * 4095, rel=1e-3)


def test_a_mass_on_a_bright_ground_does_not_burn_out() -> None:
    step = attenuation_step(1.4, 0.2, 0.0)
    assert develop(np.array([1.4 + step], np.float32), 0.0)[0] <= 0.9 * BRIGHTEST
    assert step >= 0


def test_digitising_keeps_twelve_bits() -> None:
    grey = np.array([[-50.0, 0.0, 2000.0, 4095.0, 9000.0]] * 50, np.float32)
    digital = digitise(np.random.default_rng(0), grey)
    assert digital.dtype == np.uint16
    assert digital.min() >= 1
    assert digital.max() == 4095
    assert digital[:, 2].mean() == pytest.approx(2000, abs=5)
