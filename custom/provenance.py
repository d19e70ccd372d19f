"""What a result must say about where it comes from."""

from __future__ import annotations

import hashlib
from typing import Any

import monai
import torch
from torch import nn

from custom.data import datalist_file, read_json


def provenance(network: nn.Module, settings: dict[str, Any], version: str) -> dict[str, Any]:
    """Network, data, settings and versions behind an evaluation.

    Args:
        network: the one that is evaluated.
        settings: the values of the config's switches; names the data set, the split and the model.
        version: of this bundle.

    Returns:
        `parameters` (of the network), `dataset` (`name`, `split`, `source`, `manifest_sha256` of the table that the
        data set was prepared from, `datalist_sha256`), `settings` and `versions`.
    """
    file = datalist_file(settings["dataset_dir"], settings["split"])
    datalist = read_json(file)
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "dataset": {
            "name": datalist["name"],
            "split": settings["split"],
            "source": datalist["source"],
            "manifest_sha256": datalist.get("manifest_sha256"),
            "datalist_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        },
        "settings": settings,
        "versions": {"bundle": version, "monai": monai.__version__, "torch": torch.__version__},
    }
