"""Who is imaged: patients and lesions with balanced, plausibly related metadata.

Everything about patient number k of a seed is drawn from that seed and that number alone, so that the patients stay the
same however many are asked for. Balance comes from shuffled blocks: every block of consecutive patients holds every
value of a factor equally often, in an order drawn from the seed and the block's number.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")

STANDARD_VIEWS = ("CC", "MLO")
SIDES = ("LEFT", "RIGHT")
DENSITIES = (1, 2, 3, 4)

# Shape, margins, pathology, BI-RADS assessments. Half are malignant; each shape (with spiculated masses as the fifth)
# and each margin is a fifth. Among the CBIS-DDSM masses, too, spiculated ones are nearly always malignant, irregular
# ones mostly, and round or oval circumscribed ones seldom.
MASS_KINDS: tuple[tuple[str, str, str, tuple[int, ...]], ...] = (
    ("ROUND", "CIRCUMSCRIBED", "BENIGN", (2, 3)),
    ("ROUND", "CIRCUMSCRIBED", "BENIGN", (3, 4)),
    ("ROUND", "OBSCURED", "BENIGN", (3, 4)),
    ("ROUND", "ILL_DEFINED", "MALIGNANT", (4,)),
    ("OVAL", "CIRCUMSCRIBED", "BENIGN", (2, 3)),
    ("OVAL", "OBSCURED", "BENIGN", (3, 4)),
    ("OVAL", "OBSCURED", "BENIGN", (3, 4)),
    ("OVAL", "MICROLOBULATED", "MALIGNANT", (4,)),
    ("LOBULATED", "CIRCUMSCRIBED", "BENIGN", (3, 4)),
    ("LOBULATED", "MICROLOBULATED", "BENIGN", (3, 4)),
    ("LOBULATED", "MICROLOBULATED", "MALIGNANT", (4, 5)),
    ("LOBULATED", "OBSCURED", "MALIGNANT", (4,)),
    ("IRREGULAR", "ILL_DEFINED", "BENIGN", (4,)),
    ("IRREGULAR", "ILL_DEFINED", "MALIGNANT", (4, 5)),
    ("IRREGULAR", "ILL_DEFINED", "MALIGNANT", (5,)),
    ("IRREGULAR", "MICROLOBULATED", "MALIGNANT", (4, 5)),
    ("IRREGULAR", "SPICULATED", "BENIGN", (4,)),
    ("IRREGULAR", "SPICULATED", "MALIGNANT", (4, 5)),
    ("IRREGULAR", "SPICULATED", "MALIGNANT", (5,)),
    ("IRREGULAR", "SPICULATED", "MALIGNANT", (5,)),
)
# A quarter of the patients have more than one mass.
LESION_COUNTS = (1, 1, 1, 1, 1, 1, 2, 3)

# As measured on the masses of the CBIS-DDSM training set, where both are nearly log-normal: longer side of the lesion's
# box as a share of the image's width, by margins; mean grey level inside minus mean in a ring around, as a share of the
# grey range.
DIAMETER_MEDIAN = {
    "CIRCUMSCRIBED": 0.087, "OBSCURED": 0.111, "MICROLOBULATED": 0.114, "ILL_DEFINED": 0.112, "SPICULATED": 0.129,
}  # fmt: skip
DIAMETER_SPREAD, DIAMETER_LIMITS = 0.38, (0.045, 0.24)
CONTRAST_MEDIAN, CONTRAST_SPREAD, CONTRAST_LIMITS = 0.083, 0.5, (0.025, 0.18)


@dataclass(frozen=True)
class PhantomLesion:
    """A mass as it is described in the table.

    Attributes:
        shape: BI-RADS shape, as the CBIS-DDSM tables spell it.
        margins: BI-RADS margins, as the CBIS-DDSM tables spell them.
        pathology: `BENIGN` or `MALIGNANT`.
        birads: Assessment, 2 to 5.
        subtlety: 1 (subtle) to 5 (obvious), from the contrast.
        diameter: Longer side of the mass as a share of the image's columns.
        contrast: Grey-level difference that the mass makes, on average, as a share of the grey range.
        distance: Distance from the nipple as a share of the distance between the nipple and the chest wall.
    """

    shape: str
    margins: str
    pathology: str
    birads: int
    subtlety: int
    diameter: float
    contrast: float
    distance: float


@dataclass(frozen=True)
class Patient:
    """One patient with one imaged breast.

    Attributes:
        number: Number of the patient, from 1.
        laterality: `LEFT` or `RIGHT`.
        density: ACR class, 1 to 4.
        size: Distance from the chest wall to the nipple as a share of the image's columns.
        lesions: Masses of this breast, seen in each of its views.
    """

    number: int
    laterality: str
    density: int
    size: float
    lesions: tuple[PhantomLesion, ...]

    @property
    def patient_id(self) -> str:
        """`S_00001` for the first: `S` keeps them apart from the patients of the real tables."""
        return f"S_{self.number:05d}"


def random_stream(seed: int, number: int, *purpose: str) -> np.random.Generator:
    """Return the random numbers of one patient (or block) and one purpose, independent of all others of the seed."""
    key = (number, *(zlib.crc32(word.encode()) for word in purpose))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def draw_patient(
    seed: int, number: int, densities: Sequence[int] = DENSITIES, sides: Sequence[str] = SIDES, contrast: float = 1.0
) -> Patient:
    """Draw patient `number` (from 1) of a seed, balanced over ACR classes and sides.

    `contrast` is a factor on the contrast of every mass; 1 gives the distribution measured on real masses.
    """
    rng = random_stream(seed, number, "patient")
    count = _balanced(seed, number, "lesions", LESION_COUNTS)
    kinds = [_balanced(seed, number, "kind", MASS_KINDS)]
    kinds += [MASS_KINDS[rng.integers(len(MASS_KINDS))] for _ in range(count - 1)]
    return Patient(
        number=number,
        laterality=_balanced(seed, number, "side", sides),
        density=_balanced(seed, number, "density", densities),
        size=float(rng.uniform(0.5, 0.86)),
        lesions=tuple(_draw_lesion(rng, kind, contrast) for kind in kinds),
    )


def _balanced(seed: int, number: int, factor: str, values: Sequence[T]) -> T:
    block, place = divmod(number - 1, len(values))
    return values[random_stream(seed, block, "block", factor).permutation(len(values))[place]]


def _draw_lesion(rng: np.random.Generator, kind: tuple[str, str, str, tuple[int, ...]], factor: float) -> PhantomLesion:
    shape, margins, pathology, assessments = kind
    contrast = _log_normal(rng, CONTRAST_MEDIAN, CONTRAST_SPREAD, CONTRAST_LIMITS) * factor
    return PhantomLesion(
        shape=shape,
        margins=margins,
        pathology=pathology,
        birads=int(rng.choice(assessments)),
        subtlety=1 + int(np.searchsorted((0.03, 0.042, 0.058, 0.08), contrast)),
        diameter=_log_normal(rng, DIAMETER_MEDIAN[margins], DIAMETER_SPREAD, DIAMETER_LIMITS),
        contrast=contrast,
        distance=float(rng.uniform(0.25, 0.8)),
    )


def _log_normal(rng: np.random.Generator, median: float, spread: float, limits: tuple[float, float]) -> float:
    return float(np.clip(median * math.exp(spread * rng.standard_normal()), *limits))
