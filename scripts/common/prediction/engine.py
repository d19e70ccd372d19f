"""The engine that runs the network of a prediction: PyTorch, or ONNX Runtime with a file that is exported once."""

from __future__ import annotations

import functools
import importlib.util
import logging
import warnings
from contextlib import suppress
from typing import Any, Literal

import torch
from torch import nn

from custom.errors import InputError
from custom.files import write_if_changed
from custom.networks import in_channels
from scripts.common.bundle import Recipe, load_network, read_recipe
from scripts.common.prediction.predictor import Predictor

Engine = Literal["torch", "onnx"]

# PyTorch's exporter needs the first two, and would say so only while it exports.
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_INPUT = "image"
_SOURCE = "source"


@functools.cache
def predictor_of(run_dir: str | None, identity: str, engine: Engine) -> Predictor:
    """The predictor of a run, built once in a process.

    Args:
        run_dir: See `read_recipe`.
        identity: Identity of the recipe that is meant: on another machine, or later, the folder may hold another.
        engine: Engine that runs the network.

    Raises:
        InputError: The folder holds another recipe, or the predictor cannot be built.
    """
    recipe = read_recipe(run_dir)
    if recipe.identity != identity:
        raise InputError(
            f"{recipe.model}: found another model or other settings than when the prediction began; begin it again, "
            "with the same files on all machines"
        )
    return Predictor(recipe, OnnxNetwork(recipe) if engine == "onnx" else None)


class OnnxNetwork:
    """The network of a recipe in ONNX Runtime on the CPU; takes and returns what PyTorch's does.

    Its files are beside the model as `model_<columns>x<rows>.onnx`, one for each size of the crops: where they are not
    square, a rotated crop has another. A file is replaced if it is damaged or was not made from this recipe. Where
    nothing can be written beside the model, each process exports the network for itself.

    Args:
        recipe: The config and its weights.

    Raises:
        InputError: A package is missing, or the weights are of another architecture.
    """

    def __init__(self, recipe: Recipe) -> None:
        for package in _PACKAGES:
            if importlib.util.find_spec(package) is None:
                raise InputError(
                    f"--engine onnx: the package {package} is missing, expected those of requirements.txt; install "
                    "them, or leave --engine out"
                )
        columns, rows = recipe.settings["image_size"]
        self._sessions = {size: _session(recipe, size) for size in {(columns, rows), (rows, columns)}}

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        columns, rows = images.shape[-2:]
        (logits,) = self._sessions[columns, rows].run(None, {_INPUT: images.numpy(force=True)})
        return torch.from_numpy(logits).to(images.device)


def _session(recipe: Recipe, size: tuple[int, int]) -> Any:
    """The session of the file beside the model, which is exported first if it was not made from this recipe."""
    file = recipe.model.with_name(f"{recipe.model.stem}_{size[0]}x{size[1]}.onnx")
    source = f"{recipe.identity} {torch.__version__}"
    with suppress(Exception):  # A missing file raises OSError, a damaged one makes ONNX Runtime raise anything.
        session = _start(file.read_bytes())
        if session.get_modelmeta().custom_metadata_map.get(_SOURCE) == source:
            return session
    content = _export(recipe, size, source)
    with suppress(InputError):
        write_if_changed(file, content)
    return _start(content)


def _export(recipe: Recipe, size: tuple[int, int], source: str) -> bytes:
    model = as_onnx(load_network(recipe, torch.device("cpu")).cpu(), size)
    model.metadata_props.add(key=_SOURCE, value=source)
    return model.SerializeToString()


def as_onnx(network: nn.Module, size: tuple[int, int]) -> Any:
    """Export a network as an ONNX `ModelProto` with the input `image`, any number of crops of one size.

    Args:
        network: Takes `(B, C, X, Y)` and returns `(B, 1, X, Y)`; on the CPU, ready to predict.
        size: `(X, Y)`.
    """
    # The exporter has much to say about packages that no network here needs.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
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


def _start(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
