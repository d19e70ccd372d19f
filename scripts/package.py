"""The verb `package`: the bundle with its code, a model and its settings as one file."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import torch

from custom.errors import InputError
from custom.files import as_json, write_if_changed
from custom.runs.folder import MODEL
from scripts.common.bundle import BUNDLE, CONFIGS, METADATA, Recipe, load_network, metadata_naming, read_recipe

ROOT = BUNDLE.parent
# The parts of the config that, beside the settings, decide what the network is given.
_DECIDING = ("preprocessing", "inferer")
# The earliest that a zip can say.
_DATE = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644


def package(output_dir: str, run_dir: str | None = None) -> None:
    """Write the bundle as a zip file in the layout of MONAI's model zoo.

    It holds the configs, the model, the documents, the licence and the code that the configs name, so that it works
    wherever it is unpacked. The same run gives the same bytes, at any time and on any machine.

    Args:
        output_dir: Folder of the zip file; made if it is not there.
        run_dir: Take network, weights, filters and sizes from this run; without it, take the released weights.

    Raises:
        InputError: There is no such run and no released weights, the run prepares its images otherwise than this
            bundle, or the weights do not fit the network.
    """
    recipe = read_recipe(run_dir)
    files = bundle_files(recipe)
    load_network(recipe, torch.device("cpu"))
    metadata = json.loads(METADATA.read_text())
    name = "_".join(metadata["name"].lower().split())
    content = zipped({f"{name}/{place}": content for place, content in files.items()})
    file = Path(output_dir, f"{name}_v{metadata['version']}.zip")
    write_if_changed(file, content)
    print(f"{file}\nsha256 {hashlib.sha256(content).hexdigest()}")


def bundle_files(recipe: Recipe) -> dict[str, bytes]:
    """The files of the bundle by their place in it; `train.json` and `inference.json` have the settings of `recipe`.

    Raises:
        InputError: The config of `recipe` prepares an image otherwise than the bundle's.
    """
    train, inference = (json.loads((CONFIGS / f"{name}.json").read_bytes()) for name in ("train", "inference"))
    for config in (train, inference):
        config |= {key: value for key, value in recipe.settings.items() if key in config}
    if any(recipe.config.get(part) != inference[part] for part in _DECIDING):
        raise InputError(
            f"{recipe.model}: its run's inference config prepares an image otherwise than {CONFIGS}/inference.json, "
            "expected the same; package it with the version of the bundle that trained it"
        )
    metadata = metadata_naming(recipe.model_sha256)
    if not recipe.settings["box_channel"]:
        image = metadata["network_data_format"]["inputs"]["image"]
        image |= {"num_channels": 1, "channel_def": {"0": image["channel_def"]["0"]}}
    configs = {file: file.read_bytes() for file in CONFIGS.rglob("*.*") if file.parent.name != "studies"}
    written = {CONFIGS / "train.json": train, CONFIGS / "inference.json": inference, METADATA: metadata}
    configs |= {file: as_json(content) for file, content in written.items()}
    documents = [file for file in (BUNDLE / "docs").rglob("*") if file.is_file()]
    return {
        # In the zip, `custom` is in the bundle's folder and not beside it.
        **{
            file.relative_to(BUNDLE).as_posix(): text.replace(b"os.path.join(@bundle_root, '..')", b"@bundle_root")
            for file, text in configs.items()
        },
        **{file.relative_to(BUNDLE).as_posix(): file.read_bytes() for file in documents},
        **{file.relative_to(ROOT).as_posix(): file.read_bytes() for file in (ROOT / "custom").rglob("*.py")},
        f"models/{MODEL}": recipe.model.read_bytes(),
        "LICENSE": (BUNDLE / "LICENSE").read_bytes(),
    }


def zipped(files: dict[str, bytes]) -> bytes:
    """The content of a zip file that holds `files` by their names, always the same bytes for the same files."""
    archive = io.BytesIO()
    # Not compressed: how small a compressor gets it depends on its version.
    with zipfile.ZipFile(archive, "w") as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = 3  # or it says on which kind of system it was made
            entry.external_attr = _REGULAR_FILE << 16
            target.writestr(entry, files[name])
    return archive.getvalue()
