"""One synthetic mammogram: breast, tissue, masses and film put together. Writes nothing.

Arrays are `(rows, columns)` as in the image files; sizes and points are given as `(columns, rows)` and `(x, y)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.common.phantom import film
from scripts.common.phantom.breast import Breast, draw_breast
from scripts.common.phantom.cohort import Patient, PhantomLesion, random_stream
from scripts.common.phantom.lesion import Mass, draw_mass
from scripts.common.phantom.noise import Field
from scripts.common.phantom.tissue import draw_tissue


@dataclass(frozen=True)
class Phantom:
    """One synthetic mammogram with its truth.

    Attributes:
        patient: Patient whose breast it is.
        view: `CC` or `MLO`.
        image: 12-bit grey levels, bright = dense, `(rows, columns)`. The chest wall of a left breast is on the left.
        masks: One per lesion of the patient, in their order: 0 or 255, `(rows, columns)`.
        inside: Whether a pixel is in the breast, `(rows, columns)`.
    """

    patient: Patient
    view: str
    image: NDArray[np.uint16]
    masks: tuple[NDArray[np.uint8], ...]
    inside: NDArray[np.bool_]

    @property
    def mammogram_id(self) -> str:
        """Name of the mammogram, such as `S_00001_LEFT_CC`."""
        return f"{self.patient.patient_id}_{self.patient.laterality}_{self.view}"


def generate_phantom(
    seed: int, patient: Patient, view: str, image_size: tuple[int, int], artifacts: bool = False, noise: bool = True
) -> Phantom:
    """Draw one view, `CC` or `MLO`, of the breast of a patient of the cohort of `seed`.

    The image has `image_size` columns and rows. `artifacts` adds marker, border, tape and dust. Without `noise` there
    is no quantum noise and no grain; the rest of the phantom stays the same.
    """
    columns, rows = image_size

    def stream(purpose: str) -> np.random.Generator:
        return random_stream(seed, patient.number, view, purpose)

    breast = draw_breast(stream("breast"), (rows, columns), view, patient.size)
    attenuation = draw_tissue(stream("tissue"), breast, patient.density)
    exposure = film.automatic_exposure(stream("exposure"), attenuation, breast.thickness)
    masks = _add_lesions(seed, patient, view, breast, attenuation, exposure)
    grey, inside = film.expose(stream("film"), attenuation, exposure, noise), breast.inside
    if patient.laterality == "RIGHT":
        grey, inside = np.ascontiguousarray(grey[:, ::-1]), np.ascontiguousarray(inside[:, ::-1])
        masks = [np.ascontiguousarray(mask[:, ::-1]) for mask in masks]
    if artifacts:
        air = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
        grey = film.add_artefacts(stream("artefacts"), grey, air, patient.laterality, view)
    return Phantom(patient, view, film.digitise(stream("scanner"), grey, noise), tuple(masks), inside)


def _add_lesions(
    seed: int, patient: Patient, view: str, breast: Breast, attenuation: Field, exposure: float
) -> list[NDArray[np.uint8]]:
    """Add every mass to the attenuation, in place, and return its mask in the full frame."""
    taken = np.zeros(attenuation.shape, np.uint8)
    masks = []
    for i, lesion in enumerate(patient.lesions):
        rng = random_stream(seed, patient.number, view, "lesion", str(i))
        mass, (x, y) = _place(rng, lesion, breast, taken)
        mask = np.zeros(attenuation.shape, np.uint8)
        frame, patch = _overlap(attenuation.shape, mass.mask.shape[0], x, y)
        mask[frame] = mass.mask[patch]
        around = max(float(attenuation[mask > 0].mean()), 0.95)
        attenuation[frame] += mass.attenuation[patch] * film.attenuation_step(around, lesion.contrast, exposure)
        taken |= mask
        masks.append(mask)
    return masks


def _place(
    rng: np.random.Generator, lesion: PhantomLesion, breast: Breast, taken: NDArray[np.uint8]
) -> tuple[Mass, tuple[int, int]]:
    """Draw the mass and find a place for its centre: inside the breast, clear of muscle, frame and other masses.

    Of the places with enough room the one whose distance from the nipple fits best is taken; where there is none the
    mass is made smaller.
    """
    rows, columns = breast.depth.shape
    frame_room = film.BORDER_LIMIT * columns + 2
    free = cv2.distanceTransform(1 - (taken > 0).astype(np.uint8), cv2.DIST_L2, 5)
    wanted = lesion.distance * breast.reach
    diameter = max(6.0, lesion.diameter * columns)
    while True:
        mass = draw_mass(rng, lesion.shape, lesion.margins, diameter)
        lesion_y, lesion_x = np.nonzero(mass.mask)
        middle = mass.mask.shape[0] // 2
        room = float(np.hypot(lesion_x - middle, lesion_y - middle).max()) + 2
        x = rng.integers(0, round(breast.reach), 400)
        y = rng.integers(0, rows, 400)
        to_frame = np.minimum.reduce([x, columns - 1 - x, y, rows - 1 - y])
        fits = (breast.depth[y, x] > room + 0.02 * columns) & (to_frame > room + frame_room)
        fits &= (breast.pectoral[y, x] < 0.05) & (breast.thickness[y, x] > 0.8) & (free[y, x] > 1.3 * room)
        if fits.any():
            miss = np.abs(np.hypot(x - breast.nipple[0], y - breast.nipple[1]) - wanted)
            best = int(np.argmin(np.where(fits, miss, np.inf)))
            return mass, (int(x[best]), int(y[best]))
        diameter *= 0.85


def _overlap(shape: tuple[int, int], side: int, x: int, y: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Find where a square patch centred on (x, y) is in the frame, and the part of the patch that is in the frame."""
    half = side // 2
    frame = tuple(
        slice(max(0, at - half), min(length, at + half + 1)) for at, length in zip((y, x), shape, strict=True)
    )
    patch = tuple(slice(s.start - at + half, s.stop - at + half) for s, at in zip(frame, (y, x), strict=True))
    return (frame[0], frame[1]), (patch[0], patch[1])
