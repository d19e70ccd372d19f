"""Reading checkpoints: no code in them is run, and what is damaged or of another network is told in one line."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from custom.errors import InputError, reason
from custom.files import write_whole


def read_checkpoint(file: Path, device: str | torch.device = "cpu") -> Any:
    """Return what a training has saved in `file`.

    Raises:
        InputError: It is no readable checkpoint.
    """
    try:
        # Stored as they are, the parts are no longer than the file: nothing small can inflate to fill the memory.
        with zipfile.ZipFile(file) as archive:
            if sum(part.file_size for part in archive.infolist()) > file.stat().st_size:
                raise ValueError("its parts are longer than the file")
        return torch.load(file, map_location=device, weights_only=True)
    except Exception as error:  # A damaged file makes torch raise anything.
        raise InputError(
            f"{file}: not a readable model ({reason(error)}); expected the weights that a training writes"
        ) from error


def write_checkpoint(file: Path, state: object) -> None:
    """Replace `file` by `state` in one step.

    Raises:
        InputError: The file cannot be written.
    """
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(file, content.getbuffer())


def load_weights(network: nn.Module, weights: object, file: Path, name: str) -> None:
    """Put the `weights` that were read from `file` into the network that its settings call `name`.

    Raises:
        InputError: They are those of another network, or of other heads.
    """
    try:
        network.load_state_dict(weights)  # type: ignore[arg-type]
    except InputError:
        raise
    except Exception as error:  # PyTorch takes for granted that these are weights.
        raise InputError(_misfit(network, weights, file, name)) from error


def _misfit(network: nn.Module, weights: object, file: Path, name: str) -> str:
    expected = network.state_dict()
    found = weights if isinstance(weights, dict) else {}
    shared = [key for key in expected if key in found]
    differing = [key for key in shared if getattr(found[key], "shape", None) != expected[key].shape]
    return (
        f"{file}: its weights do not fit the network {name}: of {len(expected)} expected "
        f"{len(expected) - len(shared)} are missing and {len(differing)} have another size, and "
        f"{len(found) - len(shared)} others were found; expected the model of the same run as its inference.json"
    )
