from __future__ import annotations

import numpy as np
import pytest

from custom.metrics.summary import clustered_interval, summarise


def row(patient: str, tp: int, fp: int, fn: int, tn: int, **metadata: str) -> dict:
    metadata = {"birads": "4", "density": "2", "pathology": "BENIGN", "view": "CC"} | metadata
    dice = 2 * tp / (2 * tp + fp + fn)
    overlap = {"dice": dice, "jaccard": tp / (tp + fp + fn), "precision": tp / (tp + fp), "recall": tp / (tp + fn)}
    pixels = {"tp": tp, "fp": fp, "fn": fn, "tn": tn, "lesion_pixels": tp + fn}
    baselines = {"dice_all_foreground": 0.5, "dice_ellipse": 0.6}
    return {"patient_id": patient, **metadata, **overlap, **pixels, **baselines, "hausdorff95": 2.0}


ROWS = [
    row("A", 90, 10, 10, 90, birads="4a"),
    row("A", 50, 50, 50, 50, view="MLO"),
    row("B", 10, 0, 10, 180, density="3"),
]


def test_means_and_pooled_values():
    summary = summarise(ROWS)
    assert (summary["lesions"], summary["patients"]) == (3, 2)
    dice = summary["per_lesion"]["dice"]
    values = [0.9, 0.5, 2 / 3]
    assert dice["mean"] == pytest.approx(np.mean(values))
    assert dice["sd"] == pytest.approx(np.std(values, ddof=1))
    assert dice["median"] == pytest.approx(2 / 3)
    assert summary["per_lesion"]["dice_above_ellipse"]["mean"] == pytest.approx(np.mean(values) - 0.6)
    assert summary["per_lesion"]["pixel_accuracy"]["mean"] == pytest.approx((180 / 200 + 100 / 200 + 190 / 200) / 3)
    assert summary["pooled"]["dice"] == pytest.approx(2 * 150 / (2 * 150 + 60 + 70))
    assert summary["pooled"]["recall"] == pytest.approx(150 / 220)
    assert summary["confusion_matrix"]["counts"] == [[150, 70], [60, 320]]
    assert summary["confusion_matrix"]["row_normalised"][0] == pytest.approx([150 / 220, 70 / 220])


def test_subgroups():
    by = summarise(ROWS)["by"]
    assert set(by) == {"birads", "density", "pathology", "view"}
    assert set(by["birads"]) == {"4", "4a"}
    assert by["birads"]["4a"]["lesions"] == 1
    assert by["birads"]["4a"]["per_lesion"]["dice"] == {"mean": 0.9, "sd": None, "median": 0.9, "interval": None}
    assert by["view"]["CC"]["per_lesion"]["dice"]["mean"] == pytest.approx((0.9 + 2 / 3) / 2)


def test_interval_of_two_patients():
    # Drawing two of two patients gives each one's own mean a quarter of the time: the 95 % interval reaches both.
    values = np.array([0.2, 0.4, 0.9])
    low, high = clustered_interval(values, ["A", "A", "B"], 2000, 0.95, 0)
    assert (low, high) == pytest.approx((0.3, 0.9))


def test_interval_is_wider_when_the_lesions_of_a_patient_agree():
    rng = np.random.default_rng(0)
    of_patient = rng.normal(0.8, 0.1, 50)
    values = np.repeat(of_patient, 4)
    clustered = clustered_interval(values, [str(number) for number in np.repeat(np.arange(50), 4)], 2000, 0.95, 0)
    alone = clustered_interval(values, [str(number) for number in range(200)], 2000, 0.95, 0)
    assert np.diff(clustered) == pytest.approx(2 * np.diff(alone), rel=0.15)
    # The normal approximation of the mean of 50 patients.
    assert np.diff(clustered) == pytest.approx([2 * 1.96 * of_patient.std() / np.sqrt(50)], rel=0.1)


def test_interval_does_not_change_from_run_to_run():
    values, patients = np.linspace(0, 1, 30), [str(number // 2) for number in range(30)]
    assert clustered_interval(values, patients, 500, 0.9, 3) == clustered_interval(values, patients, 500, 0.9, 3)


def test_an_interval_of_a_ratio_draws_whole_patients():
    rng = np.random.default_rng(5)
    patients = [f"P{number // 3}" for number in range(30)]
    wholes = rng.integers(1, 100, 30).astype(float)
    parts = wholes * rng.uniform(0, 1, 30)
    # Draw after draw, the pixels of each drawn patient; the quantiles of both agree as far as their chance allows.
    ratios = []
    for _ in range(4000):
        drawn = [
            number for choice in rng.integers(0, 10, 10) for number, name in enumerate(patients) if name == f"P{choice}"
        ]
        ratios.append(parts[drawn].sum() / wholes[drawn].sum())
    found = clustered_interval(parts, patients, 4000, 0.9, 0, wholes)
    assert found == pytest.approx(np.quantile(ratios, (0.05, 0.95)), abs=0.01)
    alone = clustered_interval(parts, [f"{n}" for n in range(30)], 4000, 0.9, 0, wholes)
    assert alone is not None
    assert abs((alone[1] - alone[0]) - (found[1] - found[0])) > 0.01  # type: ignore[index]
    assert clustered_interval(parts, ["P0"] * 30, 100, 0.9, 0, wholes) is None
