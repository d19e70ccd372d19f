from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import wilcoxon

from scripts.study import statistics
from scripts.study.statistics import compare, difference_interval, holm, paired_rank_biserial, rank_biserial

P_VALUES = st.lists(st.floats(0, 1), max_size=12)
# Few distinct values, so that zeros and ties occur.
DIFFERENCES = arrays(float, st.integers(1, 40), elements=st.sampled_from([-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.25]))


def lesions(dices: dict[str, float], patients: dict[str, str] | None = None) -> list[dict]:
    known = patients or {}
    return [{"lesion_id": name, "patient_id": known.get(name, name), "dice": dice} for name, dice in dices.items()]


def test_holm_of_published_examples():
    # The worked example of pingouin's documentation.
    assert holm([0.50, 0.003, 0.32, 0.054, 0.0003]) == pytest.approx([0.64, 0.012, 0.64, 0.162, 0.0015])
    # By hand: 4 * .005, 3 * .01, 2 * .03, and .04 may not fall below it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_of_nothing_one_and_large():
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
    assert holm([0.9, 0.8]) == [1, 1]


@given(P_VALUES)
def test_holm_keeps_the_order_and_is_never_below_the_raw_p(raw: list[float]):
    adjusted = holm(raw)
    assert all(p <= corrected <= 1 for p, corrected in zip(raw, adjusted, strict=True))
    order = np.argsort(raw, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)


@given(P_VALUES, st.randoms())
def test_holm_does_not_depend_on_the_order_of_the_comparisons(raw: list[float], random):
    order = random.sample(range(len(raw)), len(raw))
    assert holm([raw[index] for index in order]) == [holm(raw)[index] for index in order]


def test_paired_comparison_by_hand():
    reference = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5, "e": 0.5}
    arm = {"e": 0.5 + 0.05, "d": 0.5 + 0.04, "c": 0.5 + 0.03, "b": 0.5 - 0.02, "a": 0.5 + 0.01}
    result = compare(lesions(arm), lesions(reference))
    assert result["significance_test"] == "Wilcoxon"
    assert result["difference"] == pytest.approx(0.11 / 5)
    # Ranks 1 to 5, the 2 negative: (13 - 2) / 15. A negative rank sum up to 2 has 3 of 32 sign patterns (none, 1, 2).
    assert result["effect_size"] == pytest.approx(11 / 15)
    assert result["p"] == pytest.approx(2 * 3 / 32)


def test_paired_comparison_with_a_zero_by_hand():
    # Pratt: the zero has rank 1 and is left out; ranks 2, 3 positive, 4 negative. A rank sum of 4 or less has 4 of the
    # 8 sign patterns (none, 2, 3, 4), one of 5 or more the others.
    result = compare(lesions({"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.1}), lesions(dict.fromkeys("abcd", 0.5)))
    assert result["p"] == 1
    assert result["effect_size"] == pytest.approx((2 + 3 - 4) / 10)


def test_equal_arms_do_not_differ():
    # The same three seeds in another order differ by 1e-16.
    a = [float(np.mean(seeds)) for seeds in ([0.1, 0.2, 0.3], [0.7, 0.1, 0.6])]
    b = [float(np.mean(seeds)) for seeds in ([0.3, 0.2, 0.1], [0.6, 0.7, 0.1])]
    assert a != b
    result = compare(*(lesions(dict(zip("xy", values, strict=True))) for values in (a, b)))
    assert list(result.values()) == ["Wilcoxon", 0, 0, 0, 1, 0]


def test_one_patient_gives_no_interval():
    one = {"a": "P", "b": "P"}
    result = compare(lesions({"a": 0.8, "b": 0.7}, one), lesions({"a": 0.7, "b": 0.7}, one))
    assert result["difference"] == pytest.approx(0.05)
    assert (result["difference_low"], result["difference_high"]) == (None, None)
    assert compare(lesions({"a": 0.8}), lesions({"b": 0.7}))["difference_low"] is None


def test_unpaired_comparison_by_hand():
    result = compare(lesions({"a": 0.9, "b": 0.8, "c": 0.7}), lesions({"d": 0.75, "e": 0.6}))
    assert result["significance_test"] == "Mann-Whitney"
    assert result["difference"] == pytest.approx(0.8 - 0.675)
    # 5 of 6 pairs are won, 1 is lost. Of the 10 orders U = 5 or 6 has 2, and as many lie at the other end.
    assert result["effect_size"] == pytest.approx(4 / 6)
    assert result["p"] == pytest.approx(4 / 10)


def test_one_lesion_in_another_arm_is_enough_to_be_unpaired():
    assert compare(lesions({"a": 0.9, "b": 0.8}), lesions({"a": 0.9, "c": 0.8}))["significance_test"] == "Mann-Whitney"


@given(DIFFERENCES)
def test_paired_rank_biserial_is_that_of_scipys_rank_sum(differences: np.ndarray):
    ours = paired_rank_biserial(differences)
    assert -1 <= ours <= 1
    assert paired_rank_biserial(-differences) == pytest.approx(-ours)
    # scipy gives half of the zeros' ranks to each side, which leaves the difference of both sides as it is.
    positive = wilcoxon(differences, zero_method="zsplit", alternative="greater", method="asymptotic").statistic
    total = len(differences) * (len(differences) + 1) / 2
    assert ours == pytest.approx(2 * positive / total - 1)


@given(DIFFERENCES, DIFFERENCES)
def test_rank_biserial_counts_pairs(a: np.ndarray, b: np.ndarray):
    wins = np.sign(a[:, None] - b[None, :]).mean()
    assert rank_biserial(a, b) == pytest.approx(wins)
    assert -1 <= rank_biserial(a, b) <= 1


def test_rank_biserial_of_arms_without_overlap():
    assert paired_rank_biserial(np.array([0.1, 0.2])) == 1
    assert rank_biserial(np.array([0.1]), np.array([0.2, 0.3])) == -1


def test_interval_of_the_difference_is_that_of_two_independent_samples():
    rng = np.random.default_rng(0)
    values = [rng.normal(0.8, 0.1, 80), rng.normal(0.7, 0.05, 60)]
    arms = [
        lesions({f"{arm}{number}": value for number, value in enumerate(column)})
        for arm, column in zip("ab", values, strict=True)
    ]
    low, high = difference_interval(*arms) or [0, 0]
    error = np.sqrt(values[0].var() / 80 + values[1].var() / 60)
    assert (low + high) / 2 == pytest.approx(values[0].mean() - values[1].mean(), abs=0.2 * error)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_interval_of_the_difference_draws_shared_patients_together():
    rng = np.random.default_rng(0)
    of_patient = rng.normal(0.8, 0.1, 50)
    arms = [
        lesions(
            {f"{arm}{number}": value + shift for number, value in enumerate(of_patient)},
            {f"{arm}{number}": f"P{number}" for number in range(50)},
        )
        for arm, shift in (("a", 0.02), ("b", 0))
    ]
    # Each patient has the same difference, whoever is drawn.
    assert difference_interval(*arms) == pytest.approx([0.02, 0.02])


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_interval_of_the_difference_of_very_few_patients_is_finite(seed: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "SEED", seed)
        interval = difference_interval(lesions({"a": 0.9, "b": 0.8}), lesions({"c": 0.7, "d": 0.6}))
    assert interval is not None
    # The most that two patients of each arm can give.
    assert 0.1 - 1e-9 <= interval[0] <= interval[1] <= 0.3 + 1e-9
