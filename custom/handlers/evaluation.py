"""Handlers that write the results of each lesion, and the reader of their tables."""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from monai.handlers import ConfusionMatrix, from_engine

from custom.errors import InputError, reason
from custom.files import as_json, read_bytes, remove, write_csv, write_if_changed, write_mask
from custom.metrics.lesion import lesion_scores
from custom.metrics.pixels import count_pixels
from custom.metrics.summary import summarise
from custom.metrics.vocabulary import ATTRIBUTES, BOX
from custom.readers import read_mask
from custom.transforms import lesion_window

logger = logging.getLogger(__name__)

# Ranges of equal width that `calibration.csv` counts probabilities in.
BINS = 10


def read_lesions(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a `lesions.csv` or a `calibration.csv`, numbers as numbers.

    Raises:
        InputError: The file cannot be read, a row has more or fewer cells than the heading, or a value is no finite
            number.
    """
    texts = ("lesion_id", *ATTRIBUTES)
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(file).decode(), newline=""), strict=True))
        if any(None in row or None in row.values() for row in rows):
            raise ValueError("a row is shorter or longer than the heading")
        read = [{name: value if name in texts else float(value) for name, value in row.items()} for row in rows]
        if not all(math.isfinite(value) for row in read for value in row.values() if isinstance(value, float)):
            raise ValueError("a value is no finite number")
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{file}: not a readable table ({reason(error)}); evaluate again") from error
    return read


class LesionMasks:
    """Writes the predicted mask of every lesion as `<lesion_id>.png`: full frame, 8-bit 0 and 255.

    Args:
        output_dir: Folder of the masks; made if it is not there.
        key: Key of the mask `(1, X, Y)` in the engine's output: full frame, 0 and 1.
    """

    def __init__(self, output_dir: str, key: str = "mask") -> None:
        self.output_dir = Path(output_dir)
        self.key = key

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)
        engine.add_event_handler(Events.COMPLETED, lambda: logger.info("Masks written to %s", self.output_dir))

    def __call__(self, engine: Engine) -> None:
        for item, result in zip(engine.state.batch, engine.state.output, strict=True):
            write_mask(self.output_dir / f"{item['lesion_id']}.png", result[self.key][0].numpy(force=True) > 0)


class LesionTable:
    """Measures every lesion in the full frame and writes `lesions.csv` and `summary.json` when the evaluation ends.

    The summary of an earlier evaluation is removed before anything else is written, and the new one is written last:
    where there is a summary, the evaluation is whole.

    Args:
        entries: Entries of the datalist's part that is evaluated.
        masks_by_image: Masks of all lesions of each mammogram, also of the lesions in other parts.
        output_dir: Folder of the two files; made if it is not there.
        margin: Margin of the crop around the box.
        square: Square crop.
        about: Network, data and versions, for the summary.
        samples: Number of bootstrap samples.
        confidence: Confidence of the intervals.
        seed: Seed of the bootstrap.
    """

    def __init__(
        self,
        entries: Sequence[dict[str, Any]],
        masks_by_image: Mapping[str, set[str]],
        output_dir: str,
        margin: float,
        square: bool,
        about: dict[str, Any],
        samples: int = 2000,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> None:
        self.entries = {entry["lesion_id"]: entry for entry in entries}
        self.masks_by_image = masks_by_image
        self.output_dir = Path(output_dir)
        self.margin, self.square = margin, square
        self.about = about
        self.bootstrap = samples, confidence, seed
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        # The first mammograms have been read by then: where that fails, an earlier evaluation stays.
        engine.add_event_handler(Events.ITERATION_STARTED(once=1), lambda: remove(self.output_dir / "summary.json"))
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.measure)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def measure(self, engine: Engine) -> None:
        for item, result in zip(engine.state.batch, engine.state.output, strict=True):
            entry = self.entries[item["lesion_id"]]
            x0, y0, x1, y1 = (float(edge) for edge in item["box"])
            box = (x0, y0, x1, y1)
            truth = read_mask(entry["label"])
            others = np.zeros_like(truth)
            for mask in self.masks_by_image[entry["image"]] - {entry["label"]}:
                others |= read_mask(mask)
            window = lesion_window(box, self.margin, self.square)
            scores = lesion_scores(result["mask"][0].numpy() > 0, truth, others, window, box)
            metadata = {name: entry.get(name, "") for name in ATTRIBUTES}
            self.rows.append(
                {"lesion_id": entry["lesion_id"], **metadata, **scores, **dict(zip(BOX, box, strict=True))}
            )

    def write(self) -> None:
        write_csv(self.output_dir / "lesions.csv", self.rows)
        summary = {**self.about, **summarise(self.rows, *self.bootstrap)}
        write_if_changed(self.output_dir / "summary.json", as_json(summary))
        logger.info("%d lesions of %d patients, mean over lesions:", summary["lesions"], summary["patients"])
        for metric, values in summary["per_lesion"].items():
            ends = values["interval"]
            interval = "{:.3f} to {:.3f}".format(*ends) if ends else "one patient, no interval"
            logger.info("%-20s %8.3f  (%s)", metric, values["mean"], interval)
        logger.info("Written to %s", self.output_dir)


class CalibrationTable:
    """Writes `calibration.csv` when the evaluation ends: each lesion's pixels by probability, in ten equal bins.

    Pixels are counted inside the crop at the network's size, where the probabilities arise. The truth is the lesion's
    own mask there, so the pixels of another lesion and the zeros outside the mammogram count as background. Attach it
    before the handler that writes the summary, which is an evaluation's last file.

    Args:
        entries: Entries of the datalist's part that is evaluated.
        output_dir: Folder of the file; made if it is not there.
    """

    def __init__(self, entries: Sequence[dict[str, Any]], output_dir: str) -> None:
        self.patients = {entry["lesion_id"]: entry.get("patient_id", "") for entry in entries}
        self.file = Path(output_dir, "calibration.csv")
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.count)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def count(self, engine: Engine) -> None:
        for item, result in zip(engine.state.batch, engine.state.output, strict=True):
            probability, truth = (result[key].float().numpy(force=True) for key in ("pred", "label"))
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

    def write(self) -> None:
        write_csv(self.file, self.rows)


class PixelMetric(ConfusionMatrix):
    """A metric of `monai.metrics.ConfusionMatrixMetric` of a crop's pixels, averaged over the lesions."""

    def __init__(self, metric_name: str) -> None:
        super().__init__(metric_name=metric_name, compute_sample=True, output_transform=from_engine(["pred", "label"]))
