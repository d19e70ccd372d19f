from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from custom.handlers import CalibrationTable, read_lesions


def test_each_lesion_has_a_row_for_each_bin_with_pixels(tmp_path: Path):
    table = CalibrationTable(
        [{"lesion_id": "a", "patient_id": "P1"}, {"lesion_id": "b", "patient_id": "007"}], str(tmp_path / "results")
    )
    probability = torch.tensor([[[[0.0, 0.02], [0.5, 0.58]]], [[[1.0, 0.96], [0.92, 0.3]]]])
    truth = torch.tensor([[[[0, 0], [1, 0]]], [[[1, 1], [0, 0]]]])
    for index, lesion in enumerate("ab"):
        output = [{"pred": probability[index], "label": truth[index]}]
        table.count(SimpleNamespace(state=SimpleNamespace(batch=[{"lesion_id": lesion}], output=output)))
    table.write()
    rows = read_lesions(tmp_path / "results" / "calibration.csv")
    assert list(rows[0]) == [
        "lesion_id",
        "patient_id",
        "probability_low",
        "probability_high",
        "pixels",
        "mean_probability",
        "lesion_share",
    ]
    expected = [
        ("a", "P1", 0.0, 0.1, 2, 0.01, 0.0),
        ("a", "P1", 0.5, 0.6, 2, 0.54, 0.5),
        ("b", "007", 0.3, 0.4, 1, 0.3, 0.0),
        ("b", "007", 0.9, 1.0, 3, 0.96, 2 / 3),
    ]
    for row, values in zip(rows, expected, strict=True):
        *names, low, high, pixels, mean, share = row.values()
        assert (*names, low, high, pixels) == values[:5]
        assert (mean, share) == pytest.approx(values[5:], abs=1e-6)
