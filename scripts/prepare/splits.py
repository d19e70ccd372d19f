"""Splits by patient, with no patient in two parts; and by lesion, as others did."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

FOLDS = 5
LEAST_PATIENTS = 3
SEED = 0

Entry = Mapping[str, Any]
Parts = dict[str, list[Entry]]


def patient_split(entries: Iterable[Entry]) -> Parts:
    """80 % of the patients for training, 10 % for validation, 10 % for test, alike in pathology and density."""
    entries = list(entries)
    group = deal(strata(entries), 10, SEED)
    return _parts(
        entries, {patient: {0: "test", 1: "validation"}.get(number, "training") for patient, number in group.items()}
    )


def split_with_test(entries: Iterable[Entry], tested: Collection[str]) -> Parts:
    """The given patients for test, 10 % of the others for validation, alike in pathology and density."""
    entries = list(entries)
    stratum = strata(entry for entry in entries if entry["patient_id"] not in tested)
    group = deal(stratum, 10, SEED)
    part = {patient: "validation" if group[patient] == 0 else "training" for patient in stratum}
    return _parts(entries, dict.fromkeys(tested, "test") | part)


def lesion_split(entries: Iterable[Entry]) -> Parts:
    """Random lesions, 10 % for test, then 10 % of the rest for validation: a patient may be in several parts."""
    entries = list(entries)
    order = np.random.default_rng(SEED).permutation(len(entries))
    test = math.ceil(len(entries) / 10)
    validation = test + math.ceil((len(entries) - test) / 10)
    cuts = {"training": order[validation:], "validation": order[test:validation], "test": order[:test]}
    return {part: [entries[position] for position in sorted(positions)] for part, positions in cuts.items()}


def shared_patients(parts: Parts) -> int:
    """The number of patients who are in more than one part."""
    return sum(number > 1 for number in Counter(patient for part in parts.values() for patient in _ids(part)).values())


def shared_share(parts: Parts) -> float:
    """The share of the test's lesions whose patient is also in training; 0 without a test."""
    trained = _ids(parts["training"])
    return float(np.mean([entry["patient_id"] in trained for entry in parts["test"]])) if parts["test"] else 0.0


def _ids(entries: Iterable[Entry]) -> set[str]:
    return {entry["patient_id"] for entry in entries}


def fold_splits(entries: Iterable[Entry]) -> list[Parts]:
    """The five folds: fold k is tested, an eighth of the other patients validates, the rest trains."""
    entries = list(entries)
    stratum = strata(entries)
    fold = deal(stratum, FOLDS, SEED + 1)
    splits = []
    for tested in range(FOLDS):
        others = {patient: stratum[patient] for patient in stratum if fold[patient] != tested}
        group = deal(others, 8, SEED + 2 + tested)
        part = {patient: "validation" if group[patient] == 0 else "training" for patient in others}
        splits.append(_parts(entries, {patient: part.get(patient, "test") for patient in stratum}))
    return splits


def strata(entries: Iterable[Entry]) -> dict[str, tuple[str, str]]:
    """Each patient's stratum: whether a lesion is malignant, and the density most often given."""
    malignant: dict[str, str] = {}
    densities: dict[str, Counter[str]] = {}
    for entry in entries:
        patient = entry["patient_id"]
        densities.setdefault(patient, Counter())[entry["density"]] += 1
        if entry["pathology"] == "MALIGNANT" or patient not in malignant:
            malignant[patient] = "MALIGNANT" if entry["pathology"] == "MALIGNANT" else "other"
    return {patient: (malignant[patient], densities[patient].most_common(1)[0][0]) for patient in malignant}


def deal(strata: Mapping[str, tuple[str, str]], groups: int, seed: int) -> dict[str, int]:
    """Deal the patients into `groups` as one deals cards, stratum by stratum, so that each gets its share of every one.

    Args:
        strata: each patient's stratum.
        groups: how many groups; the sizes differ by one at most.
        seed: of the order within a stratum.

    Returns:
        Each patient's group, from 0. The order of `strata` does not matter.
    """
    patients = sorted(strata)
    np.random.default_rng(seed).shuffle(patients)
    patients.sort(key=lambda patient: strata[patient])
    return {patient: position % groups for position, patient in enumerate(patients)}


def _parts(entries: Iterable[Entry], part: Mapping[str, str]) -> Parts:
    parts: Parts = {"training": [], "validation": [], "test": []}
    for entry in entries:
        parts[part[entry["patient_id"]]].append(entry)
    return parts
