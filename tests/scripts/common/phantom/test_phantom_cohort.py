from __future__ import annotations

from collections import Counter

import pytest

from scripts.common.phantom.cohort import DIAMETER_LIMITS, MASS_KINDS, draw_patient, random_stream


def test_forty_patients_are_balanced() -> None:
    patients = [draw_patient(5, number) for number in range(1, 41)]
    assert Counter(p.density for p in patients) == {1: 10, 2: 10, 3: 10, 4: 10}
    assert Counter(p.laterality for p in patients) == {"LEFT": 20, "RIGHT": 20}
    first = [p.lesions[0] for p in patients]
    assert Counter(lesion.pathology for lesion in first) == {"BENIGN": 20, "MALIGNANT": 20}
    assert Counter(lesion.shape for lesion in first) == {"ROUND": 8, "OVAL": 8, "LOBULATED": 8, "IRREGULAR": 16}
    assert set(Counter(lesion.margins for lesion in first).values()) == {8}
    assert Counter(len(p.lesions) for p in patients) == {1: 30, 2: 5, 3: 5}


@pytest.mark.parametrize(("densities", "sides"), [((4,), ("RIGHT",)), ((1, 3), ("LEFT",))])
def test_only_what_is_asked_for_is_drawn(densities: tuple[int, ...], sides: tuple[str, ...]) -> None:
    patients = [draw_patient(0, number, densities, sides) for number in range(1, 9)]
    assert Counter(p.density for p in patients) == dict.fromkeys(densities, 8 // len(densities))
    assert {p.laterality for p in patients} == set(sides)


def test_the_table_is_plausible() -> None:
    for shape, margins, pathology, assessments in MASS_KINDS:
        assert margins != "SPICULATED" or shape == "IRREGULAR"
        assert margins != "CIRCUMSCRIBED" or pathology == "BENIGN"
        assert pathology == "MALIGNANT" or max(assessments) <= 4
        assert pathology == "BENIGN" or min(assessments) >= 4


def test_lesions_stay_within_their_limits() -> None:
    for number in range(1, 101):
        patient = draw_patient(1, number)
        assert patient.patient_id == f"S_{number:05d}"
        for lesion in patient.lesions:
            assert DIAMETER_LIMITS[0] <= lesion.diameter <= DIAMETER_LIMITS[1]
            assert 0.025 <= lesion.contrast <= 0.18
            assert 1 <= lesion.subtlety <= 5


def test_contrast_is_a_factor_on_the_same_lesions() -> None:
    plain, strong = draw_patient(3, 7), draw_patient(3, 7, contrast=2.0)
    for one, two in zip(plain.lesions, strong.lesions, strict=True):
        assert two.contrast == pytest.approx(2 * one.contrast)
        assert two.diameter == one.diameter


def test_streams_differ_by_seed_number_and_purpose() -> None:
    keys = [(0, 1, "a"), (1, 1, "a"), (0, 2, "a"), (0, 1, "b"), (0, 1, "a", "b")]
    drawn = [random_stream(key[0], key[1], *key[2:]).integers(2**62) for key in keys]
    assert len(set(drawn)) == len(keys)
    assert random_stream(0, 1, "a").integers(2**62) == drawn[0]
