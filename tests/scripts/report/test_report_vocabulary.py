"""A metric is added in two places: its entry in the vocabulary and its value among the scores of a lesion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from custom.errors import InputError
from custom.files import file_sha256
from custom.handlers import evaluation, read_lesions
from custom.metrics.vocabulary import METRICS, Metric
from scripts.common.bundle import RELEASED
from scripts.report.blocks import SortableTable, Table, Text
from scripts.report.card import card
from scripts.report.lesion_table import lesion_tables
from scripts.report.metrics import metrics
from scripts.report.reading import read_run
from tests.scripts.report.pictured_run import write_run

HEADING = "surface distance, pixels"


def test_a_new_metric_is_in_every_table(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch):
    metric = Metric("surface distance", "the mean distance of the outlines", decimals=1, unit="pixels")
    monkeypatch.setitem(METRICS, "surface_distance", metric)
    measured = evaluation.lesion_scores

    def measured_as_well(*given: Any) -> dict[str, float]:
        return measured(*given) | {"surface_distance": 4.26}

    monkeypatch.setattr(evaluation, "lesion_scores", measured_as_well)
    folder = write_run(tmp_path / "run", dataset, ("exact",))
    results = folder / "evaluation" / "exact"
    assert {row["surface_distance"] for row in read_lesions(results / "lesions.csv")} == {4.26}
    summary = json.loads((results / "summary.json").read_text())
    assert summary["per_lesion"]["surface_distance"]["mean"] == pytest.approx(4.26)
    assert summary["by"]["view"]["CC"]["per_lesion"]["surface_distance"]["median"] == pytest.approx(4.26)

    run = read_run(folder, [])
    table, text = metrics(run)
    assert isinstance(table, Table)
    assert isinstance(text, Text)
    assert [HEADING, "4.3", "0.0", "4.3", "4.3 to 4.3", ""] in table.rows
    assert "Surface distance = the mean distance of the outlines." in text.text
    (lesions,) = (block for block in lesion_tables(run) if isinstance(block, SortableTable))
    assert {row[lesions.columns.index(HEADING)] for row in lesions.rows} == {4.3}

    (results / "summary.json").write_text(json.dumps(summary | {"model_sha256": file_sha256(RELEASED)}))
    document = tmp_path / "README.md"
    document.write_text("<!-- released weights -->\n<!-- end weights -->\n")
    card(str(document), str(folder / "evaluation"))
    rows = [line.strip("| ").split(" | ") for line in document.read_text().splitlines() if line.startswith("| ")]
    assert rows[0][0] == "boxes"
    assert rows[2][rows[0].index(HEADING)] == "4.3 (4.3 to 4.3)"


def test_evaluations_from_before_a_new_metric_are_refused(
    tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = write_run(tmp_path / "run", dataset, ("exact",))
    monkeypatch.setitem(METRICS, "surface_distance", Metric("surface distance"))
    with pytest.raises(InputError, match=r"summary\.json: surface_distance not found, expected in a file"):
        read_run(folder, [])
