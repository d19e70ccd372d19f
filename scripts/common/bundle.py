"""The bundle's files, and the recipe of a prediction: config, weights and settings of a run or of the release."""

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

BUNDLE = Path(__file__).parents[2] / "bundle"
CONFIGS = BUNDLE / "configs"
METADATA = CONFIGS / "metadata.json"
RELEASED = BUNDLE / "models" / MODEL

# Settings that cannot change the result.
_NEUTRAL = {"dataset_dir", "split", "output_dir", "model", "seed", "batch_size", "num_workers", *OF_THE_MACHINE}
# The parts of the config that, beside the settings, decide what the network is given and what is made of its output.
_CHAINS = ("preprocessing", "inferer", "postprocessing")


def bundle_version() -> str:
    """The version in `bundle/configs/metadata.json`."""
    return json.loads(METADATA.read_text())["version"]


def metadata_naming(sha256: str) -> dict[str, Any]:
    """The bundle's metadata, with the weights of this hash as the released ones."""
    return json.loads(METADATA.read_text()) | {"weights": {"file": f"models/{MODEL}", "sha256": sha256}}


@dataclass(frozen=True)
class Recipe:
    """All that decides a prediction, before anything heavy is built.

    Attributes:
        config: The inference config.
        model: File of the weights.
        model_sha256: Hash of that file.
        settings: Settings of the config that change a result, as they can be written to JSON.
    """

    config: ConfigParser
    model: Path
    model_sha256: str
    settings: dict[str, Any]

    @property
    def identity(self) -> str:
        """A hash that tells this recipe from any other."""
        chains = [self.config.get(part) for part in _CHAINS]
        return hashlib.sha256(json.dumps([self.model_sha256, self.settings, chains]).encode()).hexdigest()

    def build(self, name: str) -> Any:
        """Build the piece of the config that is called `name`.

        Raises:
            InputError: The settings make no sense together.
        """
        try:
            return self.config.get_parsed_content(name)
        except Exception as error:  # A setting that makes no sense makes what MONAI builds of it raise anything.
            if find_input_error(error):
                raise
            raise InputError(
                f"{self.model.parent}: its {name} cannot be built of its inference.json ({reason(error)}); correct its "
                "settings there"
            ) from error


def read_recipe(run_dir: str | None) -> Recipe:
    """Read the recipe of a run, or without one that of the released weights.

    Raises:
        InputError: There is no such run, its settings are damaged, or the weights are missing or not the released ones.
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
    if run_dir is None:
        weights = json.loads(METADATA.read_text()).get("weights")
        if weights is None:
            raise InputError(f"{METADATA}: names no weights, found {RELEASED}; release a run's, or take the file away")
        if sha256 != (expected := weights["sha256"]):
            raise InputError(f"{model}: its sha256 is {sha256}, expected {expected} as {METADATA} says; restore it")
    return Recipe(config, model, sha256, given_settings(config))


def bundled_config() -> ConfigParser:
    """The bundle's own inference config."""
    config = ConfigParser()
    config.read_config(str(CONFIGS / "inference.json"))
    config["bundle_root"] = str(BUNDLE)
    return config


def given_settings(config: ConfigParser) -> dict[str, Any]:
    """The settings of an inference config that change a result, and its network.

    Raises:
        InputError: A setting is of the wrong kind.
    """
    given = {name: config[name] for name in switches(config) if name not in _NEUTRAL}
    check_values(given)
    return {**given, "network_def": config.get("network_def")}


def load_network(recipe: Recipe, device: torch.device) -> nn.Module:
    """Build the recipe's network with its weights, ready to predict.

    Raises:
        InputError: The weights are of another architecture, or no weights at all.
    """
    network: nn.Module = recipe.build("network")
    load_weights(network, read_checkpoint(recipe.model, device), recipe.model, recipe.settings["network_name"])
    return network.eval()
