"""Mammograms with a mass of known pixels, and a run whose network finds just those pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from monai.bundle import ConfigParser
from torch import nn

from tests.custom.findings.dicom.mammogram import write_mammogram

COLUMNS, ROWS = 120, 160
SIDE = 20
INFERENCE = Path(__file__).parents[4] / "bundle" / "configs" / "inference.json"
# The brighter half of the crop. With a margin of 0.3 the crop of a box of 20 pixels has 32, so nothing is resampled.
BRIGHT = {
    "network_name": "bright",
    "network_def": {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": 1},
    "wiener": False,
    "clahe": False,
    "margin": 0.3,
    "box_channel": False,
    "image_size": [32, 32],
    "test_time_augmentation": False,
    "num_workers": 0,
}


def mass(x: int, y: int) -> np.ndarray:
    """An L, 20 columns and 20 rows, that no turn and no mirror leaves alone."""
    mask = np.zeros((COLUMNS, ROWS), dtype=bool)
    mask[x : x + 8, y : y + SIDE] = True
    mask[x : x + SIDE, y + 14 : y + SIDE] = True
    return mask


def box_of(x: int, y: int) -> list[int]:
    return [x, y, x + SIDE, y + SIDE]


def frame(mask: np.ndarray, right: bool = False) -> np.ndarray:
    """Grey values `(X, Y)` from 0 to 1: a breast at one side, brighter in the mask."""
    breast = np.zeros((ROWS, COLUMNS), np.uint8)
    cv2.ellipse(breast, (COLUMNS - 1 if right else 0, ROWS // 2), (90, 70), 0, 0, 360, 1, -1)
    return np.where(mask, 0.9, 0.35 * breast.T)


def write_image(
    file: Path, mask: np.ndarray, right: bool = False, photometric: str = "MONOCHROME2", bits: int = 12, **elements: Any
) -> Path:
    """The mammogram as DICOM, or after the suffix of `file` as PNG."""
    values = np.rint(frame(mask, right) * (2**bits - 1)).T
    stored = values if photometric == "MONOCHROME2" else 2**bits - 1 - values
    pixels = np.ascontiguousarray(stored).astype(np.uint8 if bits == 8 else "<u2")
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".png":
        assert cv2.imwrite(str(file), pixels)
        return file
    shape = {"Rows": ROWS, "Columns": COLUMNS, "PixelData": pixels.tobytes()}
    return write_mammogram(file, mask, photometric, bits, **{**shape, **elements})


def write_run(folder: Path, **settings: Any) -> Path:
    """A run folder as a training leaves it; its network marks what is brighter than half of its crop's range."""
    folder.mkdir(parents=True)
    network = nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        network.weight.fill_(20)
        network.bias.fill_(-10)
    torch.save(network.state_dict(), folder / "model.pt")
    args = {
        "run_id": "inference",
        "config_file": [str(INFERENCE)],
        "bundle_root": str(INFERENCE.parents[1]),
        "output_dir": str(folder / "inference"),
        "model": str(folder / "model.pt"),
        **BRIGHT,
        **settings,
    }
    (folder / "inference.json").write_text(json.dumps(args))
    return folder


def write_small_run(folder: Path, **others: Any) -> Path:
    """UNet++ with all filters on, as a training would leave it after no epoch at all."""
    settings = {"features": [4, 4, 8, 8, 16, 4], "wiener": True, "clahe": True, "margin": 0.2, "network_name": "unetpp"}
    settings |= others
    config = ConfigParser(json.loads(INFERENCE.read_text()))
    run = write_run(folder, **settings, network_def=config["network_def"])
    torch.manual_seed(0)
    config.update({"deep_supervision": False, "head": 4, "box_channel": False, **settings})
    torch.save(config.get_parsed_content("network_def").state_dict(), run / "model.pt")
    return run
