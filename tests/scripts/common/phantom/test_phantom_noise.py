from __future__ import annotations

import numpy as np
import pytest

from scripts.common.phantom.noise import level_lines, power_law_noise, smooth_noise


@pytest.mark.parametrize("exponent", [2.0, 3.0, 4.0])
def test_power_law_noise_has_the_exponent_asked_for(exponent: float) -> None:
    # 256 and 256 are fast lengths, so the field is one whole period and its spectrum needs no window.
    field = power_law_noise(np.random.default_rng(0), (256, 256), exponent, longest_wave=1e6)
    power = np.abs(np.fft.fft2(field.astype(np.float64))) ** 2
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)[None, :])
    inner = (frequency > 3 / 256) & (frequency < 0.45)
    slope = np.polyfit(np.log(frequency[inner]), np.log(power[inner]), 1)[0]
    assert -slope == pytest.approx(exponent, abs=0.05)


def test_power_law_noise_is_standardised_and_seeded() -> None:
    first, again, other = (power_law_noise(np.random.default_rng(s), (90, 131), 3.0, 40) for s in (1, 1, 2))
    assert first.shape == (90, 131)
    assert first.dtype == np.float32
    assert first.mean() == pytest.approx(0, abs=1e-4)
    assert first.std() == pytest.approx(1, abs=1e-4)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1


def test_elongation_draws_the_field_out_along_the_rows() -> None:
    field = power_law_noise(np.random.default_rng(0), (256, 256), 3.0, 60, elongation=4.0)
    along, across = (np.square(np.diff(field, axis=axis)).mean() for axis in (1, 0))
    assert across > 4 * along


def test_nothing_of_a_wave_longer_than_the_longest_stands_out() -> None:
    field = power_law_noise(np.random.default_rng(0), (512, 512), 3.0, longest_wave=32).astype(np.float64)
    power = np.abs(np.fft.rfft2(field)) ** 2
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512)[None, :])
    flat = power[(frequency > 0) & (frequency < 1 / 40)].mean()
    edge = power[(frequency > 1 / 40) & (frequency < 1 / 32)].mean()
    assert flat == pytest.approx(edge, rel=0.25)


def test_smooth_noise_varies_little_over_a_twentieth_of_its_wavelength() -> None:
    field = smooth_noise(np.random.default_rng(3), (200, 300), wavelength=100)
    assert field.shape == (200, 300)
    assert np.abs(field[:, 5:] - field[:, :-5]).mean() < 0.5 * np.abs(field - field.mean()).mean()


def test_level_lines_of_a_ramp_fall_as_a_gaussian_around_its_zero() -> None:
    ramp = np.tile(0.5 * (np.arange(40, dtype=np.float32) - 20), (10, 1))
    lines = level_lines(ramp, width=2.0)
    np.testing.assert_allclose(lines[5, 18:23], np.exp([-1, -0.25, 0, -0.25, -1]), rtol=2e-3)
