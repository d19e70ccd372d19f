from __future__ import annotations

import numpy as np
import pytest

from scripts.common.phantom import measure


def test_the_exponent_of_known_noise_is_found() -> None:
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512)[None, :])
    frequency[0, 0] = 1
    for exponent in (0.0, 2.0, 3.0):
        spectrum = np.fft.fft2(rng.standard_normal((512, 512))) * frequency ** (-exponent / 2)
        field = np.fft.ifft2(spectrum).real.astype(np.float32)
        found = measure.power_spectrum(field, np.ones(field.shape, bool))
        assert found is not None
        assert measure.fit_exponent(found) == pytest.approx(exponent, abs=0.12)


def test_no_spectrum_where_no_patch_fits() -> None:
    inside = np.zeros((400, 400), bool)
    inside[:140, :140] = True
    assert measure.power_spectrum(np.zeros((400, 400), np.float32), inside) is None


def test_a_disc_on_a_ramp() -> None:
    y, x = np.mgrid[:200, :100].astype(np.float32)
    mask = np.hypot(x - 50, y - 100) <= 20
    found = measure.lesion_statistics(100 + x + 30 * mask, mask)
    assert found["size"] == pytest.approx(41 / 100)
    assert found["fill"] == pytest.approx(mask.sum() / 41**2)
    assert found["contrast"] == pytest.approx(30, abs=0.05)
    # A ring of radii 20 to 30 of a ramp of slope 1: the variance is (20² + 30²) / 4.
    assert found["ring_sd"] == pytest.approx(np.sqrt(325), rel=0.03)
    assert found["cnr"] == pytest.approx(found["contrast"] / found["ring_sd"])
