from __future__ import annotations

from collections import Counter
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from scripts.prepare.splits import (
    deal,
    fold_splits,
    lesion_split,
    patient_split,
    shared_patients,
    shared_share,
    split_with_test,
)

patients = st.text("ABC123", min_size=1, max_size=4)
entries = st.lists(
    st.fixed_dictionaries(
        {
            "patient_id": patients,
            "pathology": st.sampled_from(["MALIGNANT", "BENIGN", ""]),
            "density": st.sampled_from(["1", "2", ""]),
        }
    ),
    max_size=80,
)


def ids(lesions: list) -> set[str]:
    return {lesion["patient_id"] for lesion in lesions}


@given(entries.filter(lambda given: len(ids(given)) >= 3))
def test_patient_split_is_disjoint_and_complete(given_entries: list):
    parts = patient_split(given_entries)
    assert sum(map(len, parts.values())) == len(given_entries)
    assert sum(len(ids(part)) for part in parts.values()) == len(ids(given_entries))
    assert all(parts.values())


@given(entries.filter(lambda given: len(ids(given)) >= 5))
def test_every_patient_is_tested_in_one_fold(given_entries: list):
    tested: Counter[str] = Counter()
    for parts in fold_splits(given_entries):
        assert all(parts.values())
        assert sum(len(ids(part)) for part in parts.values()) == len(ids(given_entries))
        tested.update(ids(parts["test"]))
    assert set(tested.values()) == {1}
    assert set(tested) == ids(given_entries)


@given(
    st.dictionaries(patients, st.tuples(st.sampled_from("MB"), st.sampled_from("12")), min_size=1), st.integers(2, 10)
)
def test_groups_and_strata_are_dealt_evenly(strata: dict, groups: int):
    dealt = deal(strata, groups, seed=0)
    for stratum in set(strata.values()):
        counts = Counter(dealt[patient] for patient in strata if strata[patient] == stratum)
        sizes = [counts[group] for group in range(groups)]
        assert max(sizes) - min(sizes) <= 1
    assert dealt == deal(dict(reversed(strata.items())), groups, seed=0)


def test_share_of_a_large_set():
    lesions = [{"patient_id": str(number), "pathology": "", "density": ""} for number in range(1000)]
    assert {part: len(found) for part, found in patient_split(lesions).items()} == {
        "training": 800,
        "validation": 100,
        "test": 100,
    }
    assert [len(parts["validation"]) for parts in fold_splits(lesions)] == [100] * 5


@given(entries, st.sets(patients))
def test_given_patients_are_tested_and_a_tenth_of_the_others_validates(given_entries: list, tested: set[str]):
    parts = split_with_test(given_entries, tested)
    assert sum(map(len, parts.values())) == len(given_entries)
    assert ids(parts["test"]) == tested & ids(given_entries)
    assert not shared_patients(parts)
    others = len(ids(given_entries) - tested)
    assert len(ids(parts["validation"])) == -(-others // 10)


@given(entries)
def test_a_split_by_lesion_is_complete_and_keeps_the_order(given_entries: list):
    numbered = [{**entry, "number": number} for number, entry in enumerate(given_entries)]
    parts = lesion_split(numbered)
    places = [[entry["number"] for entry in part] for part in parts.values()]
    assert sorted(chain.from_iterable(places)) == list(range(len(numbered)))
    assert all(part == sorted(part) for part in places)
    assert parts == lesion_split(numbered)


def test_the_published_split_by_lesion():
    # 1681 lesions: 1360 for training, 152 for validation, 169 for test (doi 10.18502/fbt.v12i4.19818).
    parts = lesion_split([{"patient_id": str(number)} for number in range(1681)])
    assert {part: len(lesions) for part, lesions in parts.items()} == {"training": 1360, "validation": 152, "test": 169}


def test_who_is_in_several_parts():
    parts = {
        part: [{"patient_id": patient} for patient in of]
        for part, of in {"training": "aab", "validation": "bc", "test": "abdd"}.items()
    }
    assert shared_patients(parts) == 2
    assert shared_share(parts) == 0.5
    assert shared_share({"training": [], "test": []}) == 0
