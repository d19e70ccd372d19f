"""The summary of a table of lesions: means with intervals, pooled values, subgroups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from custom.metrics.vocabulary import COUNTS, GROUPS, METRICS, Row, value_of


def summarise(rows: Sequence[Row], samples: int = 2000, confidence: float = 0.95, seed: int = 0) -> dict[str, Any]:
    """Summarise all lesions and each subgroup.

    Returns:
        What `describe` returns of all rows and, under `by`, of those of each value of each of `GROUPS`.
    """
    by = {
        group: {
            value: describe([row for row in rows if row[group] == value], samples, confidence, seed)
            for value in sorted({row[group] for row in rows})
        }
        for group in GROUPS
    }
    return describe(rows, samples, confidence, seed) | {"by": by}


def describe(rows: Sequence[Row], samples: int, confidence: float, seed: int) -> dict[str, Any]:
    """Return `lesions`, `patients`, `per_lesion`, `pooled` and `confusion_matrix` of rows of `lesions.csv`.

    `per_lesion` holds for every metric mean, sd (n - 1; None for one lesion), median and the mean's interval from a
    percentile bootstrap that draws whole patients, since the views and lesions of one patient are alike (None for one
    patient). `pooled` counts the pixels of all lesions together. The rows of the confusion matrix are the truth
    (lesion, background), its columns the prediction.
    """
    patients = [row["patient_id"] for row in rows]
    values = {metric: np.array([value_of(row, metric) for row in rows], float) for metric in METRICS}
    totals = {name: sum(row[name] for row in rows) for name in COUNTS}
    matrix = np.array([[totals["tp"], totals["fn"]], [totals["fp"], totals["tn"]]])
    return {
        "lesions": len(rows),
        "patients": len(set(patients)),
        "per_lesion": {
            metric: {
                "mean": float(column.mean()),
                "sd": float(column.std(ddof=1)) if len(rows) > 1 else None,
                "median": float(np.median(column)),
                "interval": clustered_interval(column, patients, samples, confidence, seed),
            }
            for metric, column in values.items()
        },
        "pooled": _pooled(totals),
        "confusion_matrix": {
            "order": ["lesion", "background"],
            "counts": matrix.tolist(),
            "row_normalised": [(row / row.sum()).tolist() if row.sum() else [None, None] for row in matrix],
        },
    }


def clustered_interval(
    parts: np.ndarray,
    patients: Sequence[str],
    samples: int,
    confidence: float,
    seed: int,
    wholes: np.ndarray | None = None,
) -> list[float] | None:
    """Return the percentile bootstrap interval of a mean or ratio, drawing whole patients; None for a single patient.

    Args:
        parts: Values `(N,)`, or the numerators of a ratio of sums, such as the pixels of a kind in each lesion.
        patients: Patient of each of them.
        samples: Number of bootstrap samples.
        confidence: Confidence of the interval, such as 0.95.
        seed: Seed of the draws.
        wholes: Denominators `(N,)` of a ratio of sums, positive, such as all its pixels; None for a mean.
    """
    _, index = np.unique(patients, return_inverse=True)
    sums = [np.bincount(index, weights=values) for values in (parts, np.ones(len(parts)) if wholes is None else wholes)]
    if len(sums[0]) < 2:
        return None
    result = bootstrap(
        sums,
        lambda part, whole, axis: part.sum(axis) / whole.sum(axis),
        paired=True,
        n_resamples=samples,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return [float(result.confidence_interval.low), float(result.confidence_interval.high)]


def _pooled(totals: dict[str, int]) -> dict[str, float]:
    tp, fp, lesion = totals["tp"], totals["fp"], totals["lesion_pixels"]
    inside = sum(totals[name] for name in ("tp", "fp", "fn", "tn"))
    return {
        "dice": 2 * tp / (tp + fp + lesion),
        "jaccard": tp / (fp + lesion),
        "precision": tp / (tp + fp) if tp + fp else 0.0,
        "recall": tp / lesion,
        "pixel_accuracy": (tp + totals["tn"]) / inside,
    }
