"""The bundle and the recipe of a prediction: config, weights and settings of a run or of the release."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import nn

from custom.errors import InputError, find_input_error, reason
from custom.files import file_sha256
from custom.runs.checkpoints import load_weights, read_checkpoint
from custom.runs.folder import MODEL, OF_THE_MACHINE, check_model, read_inference
from custom.runs.settings import check_values, switches

CONFIGS = Path(__file__).parents[2] / "bundle" / "configs"


def bundle_version() -> str:
    """The version in `bundle/configs/metadata.json`."""
    return json.loads((CONFIGS / "metadata.json").read_text())["version"]


BUNDLE = Path(__file__).parents[2] / "bundle"


METADATA = BUNDLE / "configs" / "metadata.json"


RELEASED = BUNDLE / "models" / MODEL


# What says where things lie and how fast they are made, and not what is made.
NOT_OF_THE_RESULT = {"dataset_dir", "split", "output_dir", "model", "seed", "batch_size", "num_workers"}


# Beside the settings, all that decides on what the network is given and what is made of what it gives.
_CHAINS = ("preprocessing", "inferer", "postprocessing")


@dataclass(frozen=True)
class Recipe:
    """What decides on a prediction, before anything heavy is built.

    Attributes:
        config: of the inference.
        model: file of the weights.
        model_sha256: of that file.
        settings: of the config that change a result, as they can be written to JSON.
    """

    config: ConfigParser
    model: Path
    model_sha256: str
    settings: dict[str, Any]

    @property
    def identity(self) -> str:
        """Tells this recipe from any other."""
        chains = [self.config.get(part) for part in _CHAINS]
        return hashlib.sha256(json.dumps([self.model_sha256, self.settings, chains]).encode()).hexdigest()


def read_recipe(run_dir: str | None) -> Recipe:
    """The recipe of a run, or without one of the released weights.

    Raises:
        InputError: there is no such run, its settings are damaged, or the weights are not there or not the released.
    """
    if run_dir is None:
        config, model = bundled_config(), RELEASED
        if not model.is_file():
            raise InputError(
                f"{model}: no such model; expected the released weights: restore it, or pass --run_dir runs/NAME"
            )
    else:
        folder = Path(run_dir)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; expected that of a training: pass --run_dir runs/NAME")
        # The run's folder may have been moved since its args file was written.
        config, model = read_inference(folder / "inference.json"), folder / MODEL
        check_model(str(model))
    config["model"] = str(model)
    sha256 = file_sha256(model)
    if run_dir is None and sha256 != (expected := _released_sha256()):
        raise InputError(f"{model}: its sha256 is {sha256}, expected {expected} as {METADATA} says; restore it")
    return Recipe(config, model, sha256, given_settings(config))


def _released_sha256() -> str:
    weights = json.loads(METADATA.read_text()).get("weights")
    if weights is None:
        raise InputError(f"{METADATA}: names no weights, found {RELEASED}; release a run's, or take the file away")
    return weights["sha256"]


def metadata_naming(sha256: str) -> dict[str, Any]:
    """The bundle's metadata with these weights for the released ones."""
    return json.loads(METADATA.read_text()) | {"weights": {"file": f"models/{MODEL}", "sha256": sha256}}


def bundled_config() -> ConfigParser:
    """The bundle's own inference config."""
    config = ConfigParser()
    config.read_config(str(BUNDLE / "configs" / "inference.json"))
    config["bundle_root"] = str(BUNDLE)
    return config


def given_settings(config: ConfigParser) -> dict[str, Any]:
    """The settings of an inference config that change a result, and its network.

    Raises:
        InputError: a setting is of the wrong kind.
    """
    ignored = NOT_OF_THE_RESULT.union(OF_THE_MACHINE)
    given = {name: config[name] for name in switches(config) if name not in ignored}
    check_values(given)
    return {**given, "network_def": config.get("network_def")}


def load_network(recipe: Recipe, device: torch.device) -> nn.Module:
    """The config's network with the weights of the recipe, ready to predict.

    Raises:
        InputError: the weights are of another architecture, or no weights at all.
    """
    network: nn.Module = _built(recipe, "network")
    load_weights(network, read_checkpoint(recipe.model, device), recipe.model, recipe.settings["network_name"])
    return network.eval()


def _built(recipe: Recipe, name: str) -> Any:
    """The piece of the config that is called `name`."""
    try:
        return recipe.config.get_parsed_content(name)
    except Exception as error:  # A setting that makes no sense makes what MONAI builds of it raise anything.
        if find_input_error(error):
            raise
        raise InputError(
            f"{recipe.model.parent}: its {name} cannot be built of its inference.json ({reason(error)}); correct its "
            "settings there"
        ) from error
