"""Random fields: Gaussian noise with a power-law spectrum, isotropic or drawn out along one direction."""

from __future__ import annotations

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

Field = NDArray[np.float32]


def power_law_noise(
    rng: np.random.Generator, shape: tuple[int, int], exponent: float, longest_wave: float, elongation: float = 1.0
) -> Field:
    """Draw Gaussian noise whose power spectrum falls as `1 / f ** exponent`, with mean 0 and standard deviation 1.

    Breast parenchyma has a two-dimensional power spectrum of this form with an exponent near 3 (Burgess, Jacobson and
    Judy, "Human observer detection experiments with mammograms and power-law noise", Med. Phys. 28(4), 2001).

    Args:
        rng: Source of the random numbers.
        shape: Rows and columns. The field is periodic in both.
        exponent: Exponent of the two-dimensional power spectrum.
        longest_wave: Wavelength in pixels above which the spectrum stays flat.
        elongation: Length over height of a typical blob.
    """
    rows, columns = shape
    fast = (scipy.fft.next_fast_len(rows, real=True), scipy.fft.next_fast_len(columns, real=True))
    y = np.fft.fftfreq(fast[0]).astype(np.float32)[:, None]
    x = np.fft.rfftfreq(fast[1]).astype(np.float32)[None, :] * np.float32(elongation)
    frequency_squared = np.maximum(x * x + y * y, np.float32(longest_wave**-2))
    amplitude = frequency_squared ** np.float32(-exponent / 4)
    amplitude[0, 0] = 0
    pairs = rng.standard_normal((*amplitude.shape, 2), dtype=np.float32)
    spectrum = pairs.view(np.complex64)[..., 0] * amplitude
    field = scipy.fft.irfft2(spectrum, s=fast)[:rows, :columns]
    return ((field - field.mean()) / field.std()).astype(np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], wavelength: float) -> Field:
    """Draw slowly varying noise of about the given wavelength in pixels, with standard deviation near 1."""
    step = max(1.0, wavelength / 8)
    coarse = (max(4, round(shape[0] / step)), max(4, round(shape[1] / step)))
    field = power_law_noise(rng, coarse, exponent=4.0, longest_wave=wavelength / step)
    return np.asarray(cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def level_lines(field: Field, width: float) -> Field:
    """Draw curves along the zero crossings of `field`: 1 on the curve, falling to 0 over `width` pixels.

    The crossings of a random field close around its blobs, as the connective tissue closes around the fat lobules.
    """
    slope = cv2.magnitude(
        cv2.Sobel(field, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8),
        cv2.Sobel(field, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8),
    )
    distance = field / (slope + np.float32(1e-4)) / np.float32(width)
    return np.asarray(np.exp(-distance * distance))
