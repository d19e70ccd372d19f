"""Splits by patient, with no patient in two parts; and by lesion, as others did."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

FOLDS = 5
LEAST_PATIENTS = 3
SEED = 0

Entry = Mapping[str, Any]
Parts = dict[str, list[Entry]]


def make_splits(entries: Sequence[Entry], tested: Collection[str] | None = None) -> dict[str, Parts]:
    """Draw the splits for which there are enough patients: `patient`, `official`, `paper`, `fold0` to `fold4`.

    `official` takes the patients who are `tested`, those of an official test set.
    """
    patients = {entry["patient_id"] for entry in entries}
    splits: dict[str, Parts] = {}
    if len(patients) >= LEAST_PATIENTS:
        splits["patient"] = patient_split(entries)
        if tested is not None:
            splits["official"] = split_with_test(entries, tested)
        splits["paper"] = lesion_split(entries)
    if len(patients) >= FOLDS:
        splits |= {f"fold{number}": parts for number, parts in enumerate(fold_splits(entries))}
    return splits


def patient_split(entries: Sequence[Entry]) -> Parts:
    """Take 80 % of the patients for training, 10 % for validation, 10 % for test, alike in pathology and density."""
    group = deal(strata(entries), 10, SEED)
    return _parts(entries, {patient: {0: "test", 1: "validation"}.get(group[patient], "training") for patient in group})


def split_with_test(entries: Sequence[Entry], tested: Collection[str], groups: int = 10, seed: int = SEED) -> Parts:
    """Take the given patients for test, one in `groups` of the others for validation, alike in their strata."""
    group = deal(strata(entry for entry in entries if entry["patient_id"] not in tested), groups, seed)
    others = {patient: "validation" if number == 0 else "training" for patient, number in group.items()}
    return _parts(entries, dict.fromkeys(tested, "test") | others)


def lesion_split(entries: Sequence[Entry]) -> Parts:
    """Take random lesions, 10 % for test, then 10 % of the rest for validation: a patient may be in several parts."""
    order = np.random.default_rng(SEED).permutation(len(entries))
    test = math.ceil(len(entries) / 10)
    validation = test + math.ceil((len(entries) - test) / 10)
    cuts = {"training": order[validation:], "validation": order[test:validation], "test": order[:test]}
    return {part: [entries[position] for position in sorted(positions)] for part, positions in cuts.items()}


def shared_patients(parts: Parts) -> int:
    """Count the patients who are in more than one part."""
    return sum(number > 1 for number in Counter(patient for part in parts.values() for patient in _ids(part)).values())


def shared_share(parts: Parts) -> float:
    """Return the share of the test's lesions whose patient is also in training; 0 without a test."""
    trained = _ids(parts["training"])
    return float(np.mean([entry["patient_id"] in trained for entry in parts["test"]])) if parts["test"] else 0.0


def _ids(entries: Iterable[Entry]) -> set[str]:
    return {entry["patient_id"] for entry in entries}


def fold_splits(entries: Sequence[Entry]) -> list[Parts]:
    """Make five folds: fold k is tested, an eighth of the other patients validates, the rest trains."""
    fold = deal(strata(entries), FOLDS, SEED + 1)
    folds = [{patient for patient, number in fold.items() if number == tested} for tested in range(FOLDS)]
    return [split_with_test(entries, tested, 8, SEED + 2 + number) for number, tested in enumerate(folds)]


def strata(entries: Iterable[Entry]) -> dict[str, tuple[str, str]]:
    """Return each patient's stratum: whether a lesion is malignant, and the density most often given."""
    pathologies: dict[str, set[str]] = {}
    densities: dict[str, Counter[str]] = {}
    for entry in entries:
        patient = entry["patient_id"]
        pathologies.setdefault(patient, set()).add(entry["pathology"])
        densities.setdefault(patient, Counter())[entry["density"]] += 1
    return {
        patient: ("MALIGNANT" if "MALIGNANT" in found else "other", densities[patient].most_common(1)[0][0])
        for patient, found in pathologies.items()
    }


def deal(strata: Mapping[str, tuple[str, str]], groups: int, seed: int) -> dict[str, int]:
    """Deal the patients into `groups` as one deals cards, stratum by stratum, so that each gets its share of every one.

    Returns:
        Each patient's group, from 0; their sizes differ by one at most. The order of `strata` does not matter.
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
