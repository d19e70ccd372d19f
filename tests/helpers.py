"""What many tests share: small data, runs of small networks, and refusals."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from custom.errors import find_input_error
from custom.metrics.lesion import inscribed_ellipse

ROOT = Path(__file__).parents[1]
TRAIN = str(ROOT / "bundle" / "configs" / "train.json")
SMALL = {"image_size": "[32,32]", "features": "[4,4,8,8,16,4]", "num_workers": "0", "batch_size": "4", "epochs": "2"}


def refused(run: Callable, *arguments: object, **flags: object) -> str:
    """The one line with which `run` refuses its input."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - MONAI wraps the error in one of its own
        run(*arguments, **flags)
    error = find_input_error(caught.value)
    assert error is not None, caught.value
    line = str(error)
    assert "\n" not in line
    return line


def with_files(*names: str) -> list[str]:
    """`train.json` and the config files that go over it, by their names without suffix."""
    return [TRAIN, *(TRAIN.replace("train.json", f"{name}.json") for name in names)]


def write_png(file: Path, values: np.ndarray) -> None:
    """Write `(X, Y)` as a PNG, rows first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), np.ascontiguousarray(values.T))


def write_manifest(folder: Path, patients: int = 12, seed: int = 0) -> Path:
    """A table of mammograms of noise with one bright ellipse each, two for every patient, 8-bit PNG."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(patients):
        for view in ("CC", "MLO"):
            patient, name = f"T_{number:03d}", f"T_{number:03d}_LEFT_{view}"
            size = rng.integers(90, 130, 2)
            low = rng.integers(5, 50, 2)
            high = low + rng.integers(16, 36, 2)
            mask = inscribed_ellipse((*low, *high), tuple(size))
            image = cv2.GaussianBlur(rng.normal(90, 30, size) + 70 * mask, (5, 5), 1).clip(0, 255).astype(np.uint8)
            write_png(folder / "images" / f"{name}.png", image)
            write_png(folder / "masks" / f"{name}.png", mask.astype(np.uint8) * 255)
            pathology = ("MALIGNANT", "BENIGN")[number % 2]
            rows.append((f"images/{name}.png", f"masks/{name}.png", patient, "LEFT", view, "4", "2", pathology))
    table = folder / "manifest.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "mask", "patient_id", "laterality", "view", "birads", "density", "pathology"))
        writer.writerows(rows)
    return table


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file."""
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def scalars(run: Path) -> dict[str, list[float]]:
    """The values of each scalar in the events of a run folder, epoch by epoch."""
    events = EventAccumulator(str(run))
    events.Reload()
    return {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
