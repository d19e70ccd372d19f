"""The switches of the configs: which kind of value each takes, and what the command line said."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt
from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from custom.errors import InputError, expectation, reason, report_input_errors
from custom.files import read_json

Count = Annotated[int, Gt(0)]
Share = Annotated[float, Ge(0), Lt(1)]
Pair = Annotated[list[Count], Len(2, 2)]
# Sixteen times smaller at its deepest, the network still needs more than one pixel there.
ImageSize = Annotated[list[Annotated[int, Ge(32)]], Len(2, 2)]

# `python -m monai.bundle run` takes these itself; every other name is an id of the config.
_RUN_ARGUMENTS = {"run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file"}


class Settings(TypedDict, total=False):
    """The kind of every switch. A config lists under `settings` those that it has."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    dataset_dir: str
    split: Annotated[str, Len(1)]
    output_dir: Annotated[str, Len(1)]
    run_name: str
    resume: str
    cache_dir: str
    model: Annotated[str, Len(1)]
    seed: Annotated[int, Ge(0)]
    epochs: Count
    batch_size: Count
    processes: Count
    learning_rate: Annotated[float, Gt(0)]
    schedule: Literal["constant", "cosine"]
    ema_decay: Share
    num_workers: Annotated[int, Ge(0)]
    val_interval: Count
    remove_artifacts: bool
    wiener: bool
    wiener_window: Count
    clahe: bool
    clahe_clip_limit: Annotated[float, Gt(0)]
    clahe_tiles: Pair
    margin: Annotated[float, Ge(0)]
    square: bool
    box_jitter: Share
    box_displacement: Share
    box_channel: bool
    strong_augmentation: bool
    image_size: ImageSize
    network_name: Annotated[str, Len(1)]
    features: Annotated[list[Count], Len(6, 6)]
    norm: Literal["instance", "batch"]
    deep_supervision: bool
    head: Annotated[int, Ge(1), Le(4)]
    cross_entropy: Annotated[float, Ge(0)]
    threshold: Annotated[float, Gt(0), Lt(1)]
    part: Literal["training", "validation", "test"]
    test_time_augmentation: bool
    bootstrap_samples: Count
    confidence: Annotated[float, Gt(0), Le(0.999)]
    amp: bool
    channels_last: bool
    compile: bool
    threads: Count


@dataclass
class CommandLine:
    """What a `python -m monai.bundle run` command says: its config files, and the ids that it overrides."""

    config_files: list[str] = field(default_factory=list)
    overrides: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_this_process(cls) -> CommandLine:
        """The command that started this process; empty when that was not `python -m monai.bundle`."""
        started_by_monai = Path(sys.argv[0]).parts[-3:] == ("monai", "bundle", "__main__.py")
        return cls.parse(sys.argv[1:]) if started_by_monai else cls()

    @classmethod
    def parse(cls, arguments: list[str]) -> CommandLine:
        """Read `arguments` (without the program's name) as Fire does, the args file first and the rest over it."""
        given: dict[str, Any] = {}
        for index, argument in enumerate(arguments):
            if not argument.startswith("--"):
                continue
            name, equals, text = argument[2:].partition("=")
            follower = arguments[index + 1] if index + 1 < len(arguments) else "--"
            if not equals:
                text = "True" if follower.startswith("--") else follower
            given[name.replace("-", "_").replace("::", "#")] = DefaultParseValue(text)
        if "args_file" in given:
            given = {**_read_args_file(str(given["args_file"])), **given}
        files = given.get("config_file", [])
        return cls(
            config_files=[str(file) for file in (files if isinstance(files, (list, tuple)) else [files])],
            overrides={name: value for name, value in given.items() if name not in _RUN_ARGUMENTS},
        )

    def read_config(self) -> ConfigParser:
        """The config files merged, without the overrides."""
        parser = ConfigParser()
        try:
            parser.read_config(self.config_files)
        except Exception as error:  # MONAI takes for granted that these are configs.
            raise InputError(
                f"--config_file {', '.join(self.config_files)}: cannot be read as configs ({reason(error)}); expected "
                "the JSON files of bundle/configs"
            ) from error
        return parser

    @property
    def file_names(self) -> str:
        """The names of the config files, for a message."""
        return ", ".join(Path(file).name for file in self.config_files)


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse a switch of the wrong kind and a name on the command line that the config does not have.

    MONAI accepts both silently. Stands second in every `initialize`, right after the root has been put on `sys.path`,
    and makes input errors of the process end in one line from there on.

    Args:
        settings: the values of the config's switches by name.

    Raises:
        InputError: names the switch, what was found and what it takes.
    """
    report_input_errors()
    check_names(CommandLine.of_this_process())
    check_values(settings)


def check_values(settings: dict[str, Any]) -> None:
    """Refuse a switch of the wrong kind, and switches that do not go together.

    Args:
        settings: the values of some or all switches by name.

    Raises:
        InputError: names the switch, what was found and what it takes.
    """
    try:
        TypeAdapter(Settings).validate_python(settings)
    except ValidationError as error:
        fault = error.errors()[0]
        name, found = fault["loc"][0], fault["input"]
        if found == "" and name == "model":
            raise InputError("--model is missing: give it on the command line, such as --model FILE") from error
        expected = expectation(fault["msg"])
        hint = "; on the command line write True or False" if "boolean" in expected else ""
        raise InputError(f"--{name}: found {found!r}, expected {expected}{hint}") from error
    if settings.get("val_interval", 1) > settings.get("epochs", 1):
        raise InputError(
            f"--val_interval: found {settings['val_interval']}, expected at most the {settings['epochs']} epochs, "
            "or no model is ever the best"
        )
    _check_network_switches(settings)


def check_names(command: CommandLine) -> None:
    """Refuse an override of an id that the config files of `command` do not have, and a network that they lack.

    Raises:
        InputError: names the id and one like it, or the network and its file.
    """
    if not command.config_files:
        return
    ids = command.read_config().get()
    # MONAI itself refuses a nested id whose parent is not there.
    for name in (name for name in command.overrides if "#" not in name and name not in ids):
        near = difflib.get_close_matches(name, ids, n=1)
        hint = (
            f"did you mean --{near[0]}?"
            if near
            else f"its switches are listed under `settings` in {command.file_names}"
        )
        raise InputError(f"--{name}: {command.file_names} has no such setting; {hint}")
    _check_network_name(command, ids)


def _check_network_name(command: CommandLine, ids: dict[str, Any]) -> None:
    name = command.overrides.get("network_name", ids.get("network_name"))
    # The args file of an inference names the network that it defines.
    if name == ids.get("network_name") or "network_def" in command.overrides:
        return
    file = Path(command.config_files[0]).with_name(f"network_{name}.json")
    hint = f"add {file} to --config_file" if file.is_file() else "leave it out, or add the file that defines it"
    raise InputError(
        f"--network_name: found {name!r}, but {command.file_names} defines {ids['network_name']!r}, and the name alone "
        f"changes no network; {hint}"
    )


def _check_network_switches(settings: dict[str, Any]) -> None:
    name = settings.get("network_name", "unetpp")
    if name in ("pspnet", "linknet") and settings.get("norm", "instance") != "instance":
        raise InputError(
            f"--norm: found {settings['norm']!r}, but the network is {name}, which has batch normalisation of its own; "
            "leave --norm out"
        )
    for switch, usual in (("deep_supervision", False), ("head", 4)):
        if name != "unetpp" and settings.get(switch, usual) != usual:
            raise InputError(
                f"--{switch}: found {settings[switch]!r}, but the network is {name}; only unetpp has several heads: "
                f"leave --{switch} out"
            )


def _read_args_file(path: str) -> dict[str, Any]:
    args: dict[str, Any] = read_json(Path(path), "give the args file of a run")
    return args
