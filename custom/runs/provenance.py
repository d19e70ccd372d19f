"""What a result must say about where it comes from."""

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
    """Network, data, settings and versions behind an evaluation.

    Args:
        network: the one that is evaluated.
        datalist: of the data that it is evaluated on.
        settings: the values of the config's switches; names the model.
        version: of this bundle.

    Returns:
        `parameters` (of the network), `model_sha256` (of its weights), `dataset` (`name`, `split`, `source`,
        `manifest_sha256` of the table that the data set was prepared from, `datalist_sha256`), `settings`,
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
