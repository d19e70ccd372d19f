from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine

from custom.errors import InputError
from custom.handlers import LesionMasks, LesionTable
from tests.helpers import write_png

MASK = np.zeros((12, 15), np.uint8)
MASK[2:7, 3:9] = 255


@pytest.mark.promise("An evaluation that is interrupted once it writes leaves no summary, not even an earlier one")
@pytest.mark.parametrize(("ends", "left"), [("reading", True), ("predicting", False), ("writing", False)])
def test_there_is_a_summary_where_the_evaluation_is_whole(tmp_path: Path, ends: str, left: bool) -> None:
    write_png(tmp_path / "a_1.png", MASK)
    entry = {"lesion_id": "a_1", "image": "a.png", "label": str(tmp_path / "a_1.png"), "patient_id": "a"}
    out = tmp_path / "out"

    def evaluate(ends: str = "") -> None:
        def predict(engine: Engine, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
            if ends == "predicting":
                raise InputError(ends)
            return [{"mask": torch.from_numpy(MASK > 0)[None]}]

        def batches() -> Iterator[list[dict[str, Any]]]:
            if ends == "reading":
                raise InputError(ends)
            yield [{"lesion_id": "a_1", "box": [3, 2, 9, 7]}]

        engine = Engine(predict)
        LesionMasks(str(out / "predictions")).attach(engine)
        table = LesionTable([entry], {"a.png": {str(tmp_path / "a_1.png")}}, str(out), 0.2, True, {}, samples=10)
        table.attach(engine)
        if ends == "writing":
            (out / "lesions.csv").unlink()
            (out / "lesions.csv").mkdir()
        engine.run(batches(), epoch_length=1)

    evaluate()
    assert json.loads((out / "summary.json").read_text())["per_lesion"]["dice"]["mean"] == 1
    with pytest.raises(InputError, match=ends.replace("writing", "cannot be written")):
        evaluate(ends)
    assert (out / "summary.json").exists() == left
