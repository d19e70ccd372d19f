"""How far an evaluation's probabilities can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from custom.files import write_csv
from custom.probabilities import count_pixels

BINS = 10


class CalibrationTable:
    """Writes `calibration.csv` when the evaluation ends: of each lesion the pixels by probability, in ten equal bins.

    It is measured inside the crop at the network's size, where the probabilities arise. The truth is the lesion's own
    mask there, so the pixels of another lesion and the zeros outside the mammogram count as background. Attach it
    before the handler that writes the summary, which is an evaluation's last file.

    Args:
        entries: of the datalist's part that is evaluated.
        output_dir: made if it is not there.
        key: of the probabilities `(1, X, Y)` of the crop in the engine's output.
    """

    def __init__(self, entries: Sequence[dict[str, Any]], output_dir: str, key: str = "pred") -> None:
        self.patients = {entry["lesion_id"]: entry.get("patient_id", "") for entry in entries}
        self.file = Path(output_dir, "calibration.csv")
        self.key = key
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.count)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def count(self, engine: Engine) -> None:
        for item, result in zip(engine.state.batch, engine.state.output, strict=True):
            probability, truth = (result[key].float().numpy(force=True) for key in (self.key, "label"))
            counts = count_pixels(probability, truth, np.arange(BINS) / BINS)
            for number, (pixels, lesion, total) in enumerate(counts.T.tolist()):
                if pixels:
                    self.rows.append(
                        {
                            "lesion_id": item["lesion_id"],
                            "patient_id": self.patients[item["lesion_id"]],
                            "probability_low": number / BINS,
                            "probability_high": (number + 1) / BINS,
                            "pixels": int(pixels),
                            "mean_probability": total / pixels,
                            "lesion_share": lesion / pixels,
                        }
                    )

    def write(self, engine: Engine) -> None:
        write_csv(self.file, self.rows)
