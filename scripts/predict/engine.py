"""What runs the network of a prediction: PyTorch, or ONNX Runtime with a file that is exported once."""

from __future__ import annotations

import functools
import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from custom.errors import InputError
from custom.files import write_if_changed
from custom.networks import in_channels
from scripts.common.bundle import Recipe, load_network, read_recipe
from scripts.predict.predictor import Predictor

Engine = Literal["torch", "onnx"]

# PyTorch's exporter needs the first two, and does not say so before it is asked to export.
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_INPUT = "image"
_SOURCE = "source"


class OnnxNetwork:
    """The network of a recipe in ONNX Runtime on the CPU; takes and gives what PyTorch's does.

    Lies beside the model as `model_<columns>x<rows>.onnx`, a file for each size that is asked for: that of the crops,
    and where they are not square that of the turned ones. It is made anew if it was not made of this recipe, or is
    damaged. Where nothing can be written beside the model it is made anew by each process.

    Args:
        recipe: the config and its weights.

    Raises:
        InputError: a package is missing, or the weights are of another architecture.
    """

    def __init__(self, recipe: Recipe) -> None:
        for package in _PACKAGES:
            try:
                importlib.import_module(package)
            except ImportError as error:
                raise InputError(
                    f"--engine onnx: the package {package} is missing, expected those of requirements.txt; install "
                    "them, or leave --engine out"
                ) from error
        columns, rows = recipe.settings["image_size"]
        self._sessions = {size: _session(recipe, size) for size in {(columns, rows), (rows, columns)}}

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        columns, rows = images.shape[-2:]
        (logits,) = self._sessions[columns, rows].run(None, {_INPUT: images.numpy(force=True)})
        return torch.from_numpy(logits).to(images.device)


@functools.cache
def predictor_of(run_dir: str | None, identity: str, engine: Engine) -> Predictor:
    """The predictor of a run, built once in a process.

    Args:
        run_dir: see `read_recipe`.
        identity: of the recipe that is meant: on another machine, or later, the folder may hold another.
        engine: that runs the network.

    Raises:
        InputError: the folder holds another recipe, or the predictor cannot be built.
    """
    recipe = read_recipe(run_dir)
    if recipe.identity != identity:
        raise InputError(
            f"{recipe.model}: found another model or other settings than when the prediction began; begin it again, "
            "with the same files on all machines"
        )
    return Predictor(recipe, OnnxNetwork(recipe) if engine == "onnx" else None)


def as_onnx(network: nn.Module, size: tuple[int, int]) -> Any:
    """A network as an ONNX `ModelProto` with the input `image` for any number of crops of one size.

    Args:
        network: takes `(B, C, X, Y)` and gives `(B, 1, X, Y)`; on the CPU, ready to predict.
        size: `(X, Y)`.
    """
    with _quiet():
        program = torch.onnx.export(
            network,
            (torch.zeros(2, in_channels(network), *size),),
            input_names=[_INPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _session(recipe: Recipe, size: tuple[int, int]) -> Any:
    file = recipe.model.with_name(f"{recipe.model.stem}_{size[0]}x{size[1]}.onnx")
    source = f"{recipe.identity} {torch.__version__}"
    return _open(file, source) or _export(recipe, size, file, source)


def _open(file: Path, source: str) -> Any:
    """The session of a file that was made of `source`; None if there is none."""
    if not file.is_file():
        return None
    with suppress(Exception):  # A damaged file makes ONNX Runtime raise anything.
        session = _start(file.read_bytes())
        if session.get_modelmeta().custom_metadata_map.get(_SOURCE) == source:
            return session
    return None


def _export(recipe: Recipe, size: tuple[int, int], file: Path, source: str) -> Any:
    network = load_network(recipe, torch.device("cpu")).cpu()
    model = as_onnx(network, size)
    model.metadata_props.add(key=_SOURCE, value=source)
    content = model.SerializeToString()
    with suppress(InputError):
        write_if_changed(file, content)
    return _start(content)


def _start(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says of packages that no network here needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
