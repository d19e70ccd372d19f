"""The switches of the configs: which kind of value each takes, and what the command line said."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt
from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import Doc, TypedDict

from custom.errors import InputError, expectation, reason, report_input_errors
from custom.files import read_json

Count = Annotated[int, Gt(0)]
Pair = Annotated[list[Count], Len(2, 2)]
# Sixteen times smaller at its deepest, the network still needs more than one pixel there.
ImageSize = Annotated[list[Annotated[int, Ge(32)]], Len(2, 2)]

# `python -m monai.bundle run` takes these itself; every other name is an id of the config.
_RUN_ARGUMENTS = {"run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file"}


class Settings(TypedDict, total=False):
    """Every switch of the configs: the kind of its value and what it does."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    dataset_dir: Annotated[str, Doc("Folder of the prepared data set")]
    split: Annotated[str, Len(1), Doc("Datalist of the data set, such as `patient`")]
    output_dir: Annotated[str, Len(1), Doc("Folder of the run folders, or of the predicted masks")]
    run_name: Annotated[str, Doc("Name of the run folder; empty for time and network")]
    resume: Annotated[str, Doc("Run folder whose training goes on; empty to start anew")]
    cache_dir: Annotated[str, Doc("Folder for the results of the deterministic transforms")]
    model: Annotated[str, Len(1), Doc("File of the weights")]
    seed: Annotated[int, Ge(0), Doc("Seed of every random number")]
    epochs: Annotated[Count, Doc("Passes over the training lesions")]
    batch_size: Annotated[Count, Doc("Lesions in a batch, of each process")]
    processes: Annotated[Count, Doc("Processes that train together; set by `torchrun`")]
    learning_rate: Annotated[float, Gt(0), Doc("Learning rate, the highest where there is a schedule")]
    ema_decay: Annotated[float, Gt(0), Lt(1), Doc("Decay of the moving average of the weights")]
    num_workers: Annotated[int, Ge(0), Doc("Processes that load lesions")]
    val_interval: Annotated[Count, Doc("Epochs from one validation to the next")]
    remove_artifacts: Annotated[bool, Doc("Set all that is not breast to the background")]
    wiener: Annotated[bool, Doc("Filter the mammogram with an adaptive Wiener filter")]
    wiener_window: Annotated[Count, Doc("Side of the Wiener filter's window in pixels")]
    clahe: Annotated[bool, Doc("Equalise the mammogram with CLAHE")]
    clahe_clip_limit: Annotated[float, Gt(0), Doc("Clip limit of CLAHE")]
    clahe_tiles: Annotated[Pair, Doc("Tiles of CLAHE in x and y")]
    margin: Annotated[float, Ge(0), Doc("Margin around the box, as a part of its longer side")]
    square: Annotated[bool, Doc("Cut a square around the longer side of the box")]
    box_jitter: Annotated[float, Ge(0), Lt(1), Doc("Largest displacement and scaling of a box in training")]
    box_displacement: Annotated[float, Ge(0), Lt(1), Doc("Largest displacement and scaling of a box in evaluation")]
    box_channel: Annotated[bool, Doc("Give the box to the network as a second channel")]
    image_size: Annotated[ImageSize, Doc("Size of the crop for the network, pixels in x and y")]
    network_name: Annotated[str, Len(1), Doc("Name of the network that the config defines")]
    features: Annotated[list[Count], Len(6, 6), Doc("Channels of the network's stages")]
    deep_supervision: Annotated[bool, Doc("Train the four heads of UNet++ together")]
    head: Annotated[int, Ge(1), Le(4), Doc("Head of UNet++ in use, 4 is the deepest")]
    threshold: Annotated[float, Gt(0), Lt(1), Doc("Probability from which a pixel is in the outline")]
    part: Annotated[Literal["training", "validation", "test"], Doc("Part of the datalist that is evaluated")]
    test_time_augmentation: Annotated[bool, Doc("Average over the eight rotations and reflections of the crop")]
    bootstrap_samples: Annotated[Count, Doc("Samples of the bootstrap")]
    confidence: Annotated[float, Gt(0), Le(0.999), Doc("Confidence level of the intervals")]
    amp: Annotated[bool, Doc("Compute in bfloat16")]
    channels_last: Annotated[bool, Doc("Keep the channels of a pixel side by side in memory")]
    compile: Annotated[bool, Doc("Compile the network")]
    threads: Annotated[Count, Doc("Threads of the CPU's operations")]


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
            given = {**read_json(Path(str(given["args_file"])), "give the args file of a run"), **given}
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


def read_settings() -> dict[str, Any]:
    """Return the values of the switches that the config has, and refuse wrong ones before any work.

    Stands under `settings` in a config, and early in its `initialize`. MONAI accepts a switch of the wrong kind and a
    name on the command line that no config has. It hands its parser to no expression either, so the parser is found
    among the callers. From here on, input errors end the process with one line.

    Raises:
        InputError: Names the switch, what was found and what it takes.
    """
    report_input_errors()
    check_names(CommandLine.of_this_process())
    parser = _calling_parser()
    settings = {name: parser.ref_resolver.get_resolved_content(name) for name in switches(parser)}
    check_values(settings)
    return settings


def switches(config: ConfigParser | Mapping[str, Any]) -> list[str]:
    """The names of the switches that a config has."""
    return [name for name in Settings.__annotations__ if name in config]


def _calling_parser() -> ConfigParser:
    frame: FrameType | None = sys._getframe()
    while frame:
        if isinstance(parser := frame.f_locals.get("self"), ConfigParser):
            return parser
        frame = frame.f_back
    raise RuntimeError("settings are read by a config alone")


def check_values(settings: dict[str, Any]) -> None:
    """Refuse a value of the wrong kind among some or all switches, and values that do not go together.

    Raises:
        InputError: Names the switch, what was found and what it takes.
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
        InputError: Names the id and one like it, or the network and its file.
    """
    if not command.config_files:
        return
    ids = command.read_config().get()
    # MONAI itself refuses a nested id whose parent is not there.
    for name in (name for name in command.overrides if "#" not in name and name not in ids):
        near = difflib.get_close_matches(name, ids, n=1)
        hint = f"did you mean --{near[0]}?" if near else f"the switches of {command.file_names} stand at its top"
        raise InputError(f"--{name}: {command.file_names} has no such setting; {hint}")
    _check_network_name(command, ids)


def _check_network_name(command: CommandLine, ids: dict[str, Any]) -> None:
    name = command.overrides.get("network_name", ids.get("network_name"))
    # The args file of an inference names the network that it defines.
    if name == ids.get("network_name") or "network_def" in command.overrides:
        return
    file = Path(command.config_files[0]).with_name("networks") / f"{name}.json"
    hint = f"add {file} to --config_file" if file.is_file() else "leave it out, or add the file that defines it"
    raise InputError(
        f"--network_name: found {name!r}, but {command.file_names} defines {ids['network_name']!r}, and the name alone "
        f"changes no network; {hint}"
    )


def _check_network_switches(settings: dict[str, Any]) -> None:
    name = settings.get("network_name", "unetpp")
    for switch, usual in (("deep_supervision", False), ("head", 4)):
        if name != "unetpp" and settings.get(switch, usual) != usual:
            raise InputError(
                f"--{switch}: found {settings[switch]!r}, but the network is {name}; only unetpp has several heads: "
                f"leave --{switch} out"
            )
