"""The verb `release`: make a run's weights those that `predict` uses without a run."""

from __future__ import annotations

import torch

from custom.errors import InputError
from custom.files import as_json, file_sha256, write_if_changed
from custom.runs.checkpoints import read_checkpoint, write_checkpoint
from scripts.common.bundle import (
    METADATA,
    RELEASED,
    bundled_config,
    given_settings,
    load_network,
    metadata_naming,
    read_recipe,
)


def release(run_dir: str) -> None:
    """Put the weights of a run into the bundle in half precision, and their hash into its metadata.

    Half precision is exact to 1 in 2000, far below what changes an outline, and halves the download.

    Args:
        run_dir: A run with the settings of `bundle/configs/inference.json`, which is what reads the weights.

    Raises:
        InputError: There is no such run, its settings differ from the bundle's, or its weights do not fit them.
    """
    recipe = read_recipe(run_dir)
    of_bundle = given_settings(bundled_config())
    for name, value in recipe.settings.items():
        if of_bundle.get(name) != value:
            raise InputError(
                f"{run_dir}: was trained with {name} {value!r}, expected {of_bundle.get(name)!r} as in "
                "bundle/configs/inference.json, which reads the released weights; change it there, or train anew"
            )
    load_network(recipe, torch.device("cpu"))
    weights = read_checkpoint(recipe.model)
    halves = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    write_checkpoint(RELEASED, halves)
    sha256 = file_sha256(RELEASED)
    write_if_changed(METADATA, as_json(metadata_naming(sha256)))
    print(f"{RELEASED}\nsha256 {sha256}")
