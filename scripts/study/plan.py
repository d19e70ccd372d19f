"""From a study to the jobs of its workers, with everything checked that can be checked before the first training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from custom.data import PARTS, Datalist
from custom.errors import InputError
from custom.runs.folder import OF_THE_MACHINE
from custom.runs.settings import CommandLine, Settings, check_names, check_values
from scripts.common.bundle import CONFIGS
from scripts.study.arm import Job
from scripts.study.definition import Study

# Set by the study for each run and each evaluation.
OWN = {"dataset_dir", "output_dir", "run_name", "resume", "seed", "model", "network_name", "processes", *OF_THE_MACHINE}
OWN_IN_TESTS = OWN - {"dataset_dir"} | {"cache_dir", "evaluation_dir"}


def plan(
    study: Study, folder: Path, dataset_dir: str, split: str | None, seeds: int, switches: Mapping[str, Any]
) -> list[Job]:
    """The jobs of the study: all arms with the first seed, then with the next.

    Args:
        study: its arms and tests.
        folder: of the study.
        dataset_dir: a prepared data set.
        split: its datalist, where the arms do not name their own; None for the config's.
        seeds: trainings of each arm.
        switches: for all arms.

    Raises:
        InputError: an id that the config does not have, a value of the wrong kind, an id that the study itself sets or
            varies, or a split without lesions for training, validation or test.
    """
    _refuse(switches, OWN | {"split"}, "is set by the study for each run")
    _refuse(switches, varied_ids(study), f"is what the arms of study {study.name} differ in")
    tested = {name for overrides in study.tests.values() for name in overrides}
    _refuse(switches, tested, f"is what the tests of study {study.name} differ in")
    places = {
        "dataset_dir": str(Path(dataset_dir).resolve()),
        "output_dir": str(folder / "runs"),
        "cache_dir": str(Path(switches.get("cache_dir", folder.parent / "cache")).resolve()),
    }
    settings = {arm: arm_settings(study, arm, dataset_dir, split, switches) | places for arm in study.arms}
    return [
        Job(
            arm=arm,
            seed=seed,
            study_dir=folder,
            config_files=study.config_files(arm),
            settings=settings[arm] | {"seed": seed},
            tests=study.tests_of(arm),
        )
        for seed in range(seeds)
        for arm in study.arms
    ]


def varied_ids(study: Study) -> set[str]:
    """The top-level ids in which the arms differ, by their overrides or by their config files."""
    arms = [merged_config(study.config_files(arm)) | study.overrides(arm) for arm in study.arms]
    names = {name for arm in arms for name in arm}
    return {name for name in names if len({json.dumps(arm.get(name)) for arm in arms}) > 1}


def merged_config(config_files: list[str]) -> dict[str, Any]:
    """The top-level ids of the merged files.

    Raises:
        InputError: a file is not there.
    """
    for file in config_files:
        if not Path(file).is_file():
            raise InputError(f"{file}: no such config file; expected one of {CONFIGS}, or the path of one")
    return CommandLine(config_files).read_config().get()


def arm_settings(
    study: Study, arm: str, dataset_dir: str, split: str | None, switches: Mapping[str, Any]
) -> dict[str, Any]:
    """What all runs of `arm` override, its split and epochs among it.

    Raises:
        InputError: see `plan`.
    """
    files = study.config_files(arm)
    where = f"study {study.name}, arm {arm!r}"
    try:
        given = {**({"split": split} if split else {}), **switches, **study.overrides(arm)}
        config = merged_config(files)
        _refuse(study.overrides(arm), OWN, "is set by the study for each run")
        _check(files, given)
        for test, overrides in study.tests_of(arm).items():
            where = f"study {study.name}, arm {arm!r}, test {test!r}"
            _refuse(overrides, OWN_IN_TESTS, "is set by the study for each evaluation")
            _check([*files, str(CONFIGS / "evaluate.json")], given | overrides)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    given = {name: config[name] for name in ("epochs", "split")} | given
    _check_parts(dataset_dir, given["split"])
    return given


def _refuse(given: Mapping[str, Any], names: set[str], reason: str) -> None:
    for name in given:
        if name in names:
            raise InputError(f"--{name}: {reason}; leave it out")


def _check(config_files: list[str], given: dict[str, Any]) -> None:
    check_names(CommandLine(config_files, given))
    values = merged_config(config_files) | {"dataset_dir": "data", "model": "model.pt"} | given
    known = {name: values[name] for name in Settings.__annotations__ if name in values}
    check_values({name: value for name, value in known.items() if not _is_expression(value)})


def _is_expression(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, str) and value.startswith(("$", "@", "%")))


def _check_parts(dataset_dir: str, split: str) -> None:
    content = Datalist(dataset_dir, split).content
    for part in PARTS:
        if not content.get(part):
            reason = f" ({content['note']})" if "note" in content else ""
            raise InputError(
                f"{dataset_dir}: split {split} has no lesions for {part}{reason}; a study trains, validates and tests: "
                "choose another --split"
            )
