"""What a result must say about where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import monai
import torch
from torch import nn

from custom.data import datalist_file, load_datalist
from custom.files import file_sha256


def provenance(network: nn.Module, settings: dict[str, Any], version: str) -> dict[str, Any]:
    """Network, data, settings and versions behind an evaluation.

    Args:
        network: the one that is evaluated.
        settings: the values of the config's switches; names the data set, the split and the model.
        version: of this bundle.

    Returns:
        `parameters` (of the network), `model_sha256` (of its weights), `dataset` (`name`, `split`, `source`,
        `manifest_sha256` of the table that the data set was prepared from, `datalist_sha256`), `settings` and
        `versions`.
    """
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "model_sha256": file_sha256(Path(settings["model"])),
        "dataset": dataset_provenance(settings["dataset_dir"], settings["split"]),
        "settings": settings,
        "versions": {"bundle": version, "monai": monai.__version__, "torch": torch.__version__},
    }


def dataset_provenance(dataset_dir: str, split: str) -> dict[str, Any]:
    """Which data a datalist stands for, by name and by hash; see `provenance`."""
    file = datalist_file(dataset_dir, split)
    datalist = load_datalist(file)
    return {
        "name": datalist["name"],
        "split": split,
        "source": datalist["source"],
        "manifest_sha256": datalist.get("manifest_sha256"),
        "datalist_sha256": file_sha256(file),
    }
