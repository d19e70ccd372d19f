"""The run folder: where a training writes, and the args files with which evaluation and inference follow it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from monai.bundle import ConfigParser
from pydantic import NonNegativeInt, PositiveInt
from typing_extensions import TypedDict

from custom.errors import InputError, reason
from custom.files import LOCK, as_json, check_json, hold, read_json, write_if_changed
from custom.runs.checkpoints import read_checkpoint
from custom.runs.processes import once
from custom.runs.settings import CommandLine

MODEL = "model.pt"
LAST = "last.pt"
# What a training writes before its first checkpoint.
_OF_A_BEGINNING = ("training.json", "evaluating.json", "inference.json", "events.out.tfevents.*", ".*.part", LOCK)

_PATHS = {"dataset_dir", "output_dir", "cache_dir"}
# A resumed training may change these; everything else belongs to the run.
_FREE_ON_RESUME = _PATHS | {"epochs", "num_workers"}
# These follow the machine. A repetition of the run must inherit neither them nor its name.
OF_THE_MACHINE = ("amp", "channels_last", "compile", "threads")
_OF_ONE_LAUNCH = ("run_name", "resume", *OF_THE_MACHINE)
_NOT_KEPT = ("bundle_root", "run_dir")
# Several processes train; one evaluates.
_OF_TRAINING = "multi_gpu_train.json"


class _Trainer(TypedDict):
    epoch_length: PositiveInt
    iteration: NonNegativeInt


class _Best(TypedDict):
    metric: float
    epoch: int


class _Last(TypedDict):
    network: dict[str, Any]
    optimizer: dict[str, Any]
    trainer: _Trainer
    best: _Best


class _Args(TypedDict):
    config_file: list[str] | str


_MEND_ARGS = "expected the args file of a training: name its run folder"


@once
def run_folder(output_dir: str, run_name: str, network_name: str, resume: str) -> str:
    """The absolute path of `resume`, else of `run_name`, else of a new folder named by time and network.

    Raises:
        InputError: The folder of `run_name` exists, or that of `resume` has no checkpoint.
    """
    if resume:
        folder = Path(resume)
        if not (folder / LAST).is_file():
            raise InputError(
                f"{folder}: no checkpoint {LAST} found; expected the folder of a run that has finished an epoch: "
                "pass that folder to --resume, or leave --resume out to start anew"
            )
        return str(folder.resolve())
    if run_name:
        folder = Path(output_dir, run_name)
        if _has_results(folder):
            way_on = f"remove that folder, which has no {LAST} to go on from"
            if (folder / LAST).is_file():
                way_on = f"go on with it by --resume {folder}"
            raise InputError(
                f"{folder}: a run of this name exists and is never overwritten; choose another --run_name, or {way_on}"
            )
        return str(folder.resolve())
    name = f"{time.strftime('%Y%m%d_%H%M%S')}_{network_name}"
    names = (name if number == 1 else f"{name}_{number}" for number in count(1))
    return str(next(folder for name in names if not (folder := Path(output_dir, name)).exists()).resolve())


def _has_results(folder: Path) -> bool:
    """Whether `folder` holds anything but the beginning of a training that was killed before its first checkpoint."""
    if not folder.is_dir():
        return folder.exists()
    return any(not any(map(file.match, _OF_A_BEGINNING)) for file in folder.iterdir())


def own_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that belong to the run itself: no paths, no names, and nothing that changes when it is resumed."""
    return {name: value for name, value in settings.items() if name not in _FREE_ON_RESUME | {"run_name", "resume"}}


def check_model(model: str) -> None:
    """Refuse a `model` file that is not there.

    Raises:
        InputError: Names the file.
    """
    if not Path(model).is_file():
        raise InputError(
            f"{model}: no such model; expected the weights of a training: pass --model FILE, or the args file of a run"
        )


def read_inference(args_file: Path, overrides: Mapping[str, Any] | None = None) -> ConfigParser:
    """The config with which the inference of an args file works: its config files and its settings.

    Args:
        args_file: The `inference.json` of a run.
        overrides: Settings other than the run's; those that the config does not have are left out.

    Raises:
        InputError: The args file or a config file that it names is not there, or is of another kind.
    """
    args = read_json(args_file, _MEND_ARGS, _Args)
    files = [args["config_file"]] if isinstance(args["config_file"], str) else args["config_file"]
    for file in files:
        if not Path(file).is_file():
            raise InputError(f"{args_file}: its config file {file} is gone; put it back, or correct its path there")
    parser = ConfigParser()
    try:
        parser.read_config(files)
        parser.update({name: value for name, value in {**args, **(overrides or {})}.items() if name and name in parser})
    except Exception as error:  # MONAI takes for granted that these are configs.
        raise InputError(
            f"{args_file}: its config files {', '.join(files)} cannot be read with its settings ({reason(error)}); "
            "put them back as they were"
        ) from error
    if "settings" not in parser:
        raise InputError(
            f"{args_file}: its config files {', '.join(files) or '(none)'} have no settings, expected the inference "
            "config of a bundle; put them back as they were"
        )
    return parser


def epochs_done(run_dir: Path) -> int:
    """How many epochs the run in `run_dir` has finished; 0 without a checkpoint."""
    if not (run_dir / LAST).is_file():
        return 0
    trainer = read_last(run_dir / LAST)["trainer"]
    return int(trainer["iteration"] // trainer["epoch_length"])


def read_last(file: Path, device: str | torch.device = "cpu") -> dict[str, Any]:
    """The state in a `last.pt`: `network`, `optimizer`, `trainer` and `best`.

    Raises:
        InputError: It is damaged or something else.
    """
    state: dict[str, Any] = read_checkpoint(file, device)
    check_json(state, file, "restore it, or train anew without --resume", _Last)
    return state


def evaluation_folder(model: str, dataset_name: str, split: str, part: str, box_displacement: float, head: int) -> str:
    """The folder of an evaluation: beside the model, named by data set, split and all that is not as usual."""
    name = f"{dataset_name}_{split}"
    if part != "test":
        name += f"_{part}"
    if box_displacement:
        name += f"_displaced{100 * box_displacement:g}"
    if head != 4:
        name += f"_head{head}"
    return str(Path(model).resolve().parent / "evaluation" / name)


@once
def open_run(run_dir: str, bundle_root: str, settings: dict[str, Any]) -> None:
    """Create the run folder with its three args files, or make sure that a resumed run goes on as it began.

    `training.json` repeats the run; `evaluating.json` and `inference.json` take its network, filters, sizes and model.
    All paths in them are absolute, so they work from any folder.

    Raises:
        InputError: The run to repeat had another number of processes, another process trains in the folder, a setting
            of a resumed run differs from the run's own, or no epoch is left to train.
    """
    if settings["processes"] != idist.get_world_size():
        raise InputError(
            f"--processes: found {settings['processes']}, expected the number that train, {idist.get_world_size()}; "
            "start as many with torchrun and multi_gpu_train.json, or pass the number that train"
        )
    folder = Path(run_dir)
    kept = {name: str(Path(value).resolve()) if name in _PATHS else value for name, value in settings.items()}
    for name in _OF_ONE_LAUNCH:
        kept.pop(name)
    hold(folder)
    if settings["resume"]:
        _go_on(folder, kept)
        return
    if _has_results(folder):  # since `run_folder` looked
        raise InputError(f"{folder}: another process has trained in it meanwhile; choose another --run_name")
    for file in folder.iterdir():
        if file.name != LOCK:
            file.unlink()

    configs = Path(bundle_root, "configs").resolve()
    command = CommandLine.of_this_process()
    # A workflow built in Python does not say which files it was built from.
    training = [str(Path(file).resolve()) for file in command.config_files] or [str(configs / "train.json")]
    evaluating = [*(file for file in training if Path(file).name != _OF_TRAINING), str(configs / "evaluate.json")]
    inference = [str(configs / "inference.json")]
    other = {name: value for name, value in command.overrides.items() if name not in {*settings, *_NOT_KEPT}}
    network_def = _merged(training, other)["network_def"]
    of_inference = {name: value for name, value in kept.items() if name in _merged(inference, {})}
    # A prediction takes one head, and an export from this file keeps no other.
    of_inference |= {"network_def": network_def, "output_dir": str(folder / "inference"), "deep_supervision": False}

    root = {"bundle_root": str(Path(bundle_root).resolve())}
    model = {"model": str(folder / MODEL)}
    _write_args(folder / "training.json", "training", training, root | kept | other)
    _write_args(folder / "evaluating.json", "evaluating", evaluating, root | kept | other | model)
    _write_args(folder / "inference.json", "inference", inference, root | of_inference | model)


def _merged(config_files: list[str], overrides: dict[str, Any]) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(config_files)
    parser.update(overrides)
    return parser


def _write_args(file: Path, run_id: str, config_files: list[str], values: dict[str, Any]) -> None:
    content = {"run_id": run_id, "config_file": config_files, **values}
    write_if_changed(file, as_json(content))


def _go_on(folder: Path, kept: dict[str, Any]) -> None:
    args_file = folder / "training.json"
    recorded = read_json(args_file, _MEND_ARGS)
    for name in kept:  # in their order, so that the same fault is told in the same words
        if name in recorded.keys() - _FREE_ON_RESUME and recorded[name] != kept[name]:
            raise InputError(
                f"{folder}: was trained with {name} {recorded[name]!r}, found {kept[name]!r}; a run keeps its own "
                f"settings: pass --args_file {args_file} beside --resume"
            )
    done = epochs_done(folder)
    if done >= kept["epochs"]:
        raise InputError(f"{folder}: has its {done} epochs already; pass a larger number by --epochs to train on")
    for file in folder.glob("*.json"):
        content = read_json(file, _MEND_ARGS)
        changed = {name: kept[name] for name in _FREE_ON_RESUME & content.keys()}
        if file.name == "inference.json":
            del changed["output_dir"]  # there it is the folder of the masks
        write_if_changed(file, as_json(content | changed))
