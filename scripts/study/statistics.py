"""Comparison of an arm of a study with the reference arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import mannwhitneyu, rankdata, wilcoxon

from custom.metrics.summary import clustered_interval

Row = dict[str, Any]

# Of every bootstrap.
SAMPLES, CONFIDENCE, SEED = 2000, 0.95, 0
# The mean over seeds leaves differences of 1e-17 where there are none; as ranks they would count.
DECIMALS = 12


def mean_interval(values: Sequence[float] | np.ndarray, patients: Sequence[str]) -> list[float] | None:
    """Return the interval of the mean of `values` by a bootstrap of whole patients; None for a single patient."""
    return clustered_interval(np.asarray(values), patients, SAMPLES, CONFIDENCE, SEED)


def compare(arm: Sequence[Row], reference: Sequence[Row]) -> Row:
    """Compare the Dice of an arm with that of the reference.

    Arms with the same lesions are compared by Wilcoxon's signed-rank test, others by Mann-Whitney's U test. Lesions
    without a difference speak for no difference, so Wilcoxon's test ranks them with the others and leaves their ranks
    out (Pratt 1959); to discard them would overstate the rest. Its p is exact for up to 50 lesions without ties and for
    up to 13 with them, else from the normal approximation.

    Args:
        arm: `lesion_id`, `patient_id` and `dice` of each lesion, the Dice averaged over the seeds: seeds are no
            further lesions.
        reference: The same of the reference.

    Returns:
        Values of the columns `significance_test`, `difference`, `difference_low`, `difference_high` (both None where
        an arm has a single patient), `p` and `effect_size`.
    """
    values, expected = ({row["lesion_id"]: row["dice"] for row in rows} for rows in (arm, reference))
    if values.keys() == expected.keys():
        differences = np.round([value - expected[lesion] for lesion, value in values.items()], DECIMALS)
        interval = mean_interval(differences, [row["patient_id"] for row in arm])
        test, difference, effect_size = "Wilcoxon", differences.mean(), paired_rank_biserial(differences)
        p = wilcoxon(differences, zero_method="pratt").pvalue if differences.any() else 1.0
    else:
        a, b = (np.round([row["dice"] for row in rows], DECIMALS) for rows in (arm, reference))
        interval = difference_interval(arm, reference)
        test, difference, effect_size = "Mann-Whitney", a.mean() - b.mean(), rank_biserial(a, b)
        p = mannwhitneyu(a, b).pvalue
    low, high = interval or (None, None)
    return {
        "significance_test": test,
        "difference": float(difference),
        "difference_low": low,
        "difference_high": high,
        "p": float(p),
        "effect_size": effect_size,
    }


def paired_rank_biserial(differences: np.ndarray) -> float:
    """Return the matched-pairs rank-biserial correlation of differences `(N,)`.

    The share of the rank sum that is positive minus the negative share (Kerby 2014, doi 10.2466/11.IT.3.1). Zeros are
    ranked and count for neither side, so they pull it towards 0.
    """
    ranks = rankdata(np.abs(differences))
    return float((np.sign(differences) * ranks).sum() / ranks.sum())


def rank_biserial(a: np.ndarray, b: np.ndarray) -> float:
    """Return the rank-biserial correlation of `a`, `(N,)`, and `b`, `(M,)`.

    The share of pairs in which `a` is larger minus the share in which `b` is (Cureton 1956, doi 10.1007/BF02289138);
    here from the U statistic.
    """
    return float(2 * mannwhitneyu(a, b).statistic / (len(a) * len(b)) - 1)


def difference_interval(arm: Sequence[Row], reference: Sequence[Row]) -> list[float] | None:
    """Return the percentile bootstrap interval of the difference of two arms' means; None with a single patient.

    The patients of both arms are drawn together. A patient of both brings the lesions of both, so that what the arms
    share does not count as difference. A draw that leaves an arm without a patient is left out. See `compare`.
    """
    names = sorted({row["patient_id"] for row in (*arm, *reference)})
    number = {name: index for index, name in enumerate(names)}
    weights = np.random.default_rng(SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), SAMPLES)
    means = []
    for rows in (arm, reference):
        patients = [number[row["patient_id"]] for row in rows]
        if len(set(patients)) < 2:
            return None
        sums = np.bincount(patients, [row["dice"] for row in rows], len(names))
        counts = weights @ np.bincount(patients, minlength=len(names))
        means.append(np.divide(weights @ sums, counts, out=np.full(SAMPLES, np.nan), where=counts > 0))
    low, high = np.nanquantile(means[0] - means[1], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return [float(low), float(high)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1)
    return [float(value) for value in adjusted]
