"""The origin of a result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import monai
import torch
from torch import nn

from custom.data import Datalist
from custom.files import file_sha256
from custom.runs.settings import CommandLine


def provenance(network: nn.Module, datalist: Datalist, settings: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the network, data, settings and versions behind an evaluation.

    Returns:
        Number of `parameters` and `model_sha256` of the network, `dataset` (see `Datalist.provenance`), `settings`,
        `config_files` and `versions`.
    """
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "model_sha256": file_sha256(Path(settings["model"])),
        "dataset": datalist.provenance,
        "settings": settings,
        "config_files": [Path(file).name for file in CommandLine.of_this_process().config_files],
        "versions": {"bundle": version, "monai": monai.__version__, "torch": torch.__version__},
    }
