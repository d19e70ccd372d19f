"""From a study to its jobs, with everything checked that can be checked before the first training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from custom.data import PARTS, Datalist
from custom.errors import InputError
from custom.files import as_json, write_if_changed
from custom.runs.folder import OF_THE_MACHINE
from custom.runs.settings import CommandLine, Settings, check_names, check_values
from scripts.common.bundle import CONFIGS
from scripts.common.formatting import slug
from scripts.common.results import RECORD, TEST, read_record
from scripts.study.definition import Study
from scripts.study.job import Job

EVALUATE = str(CONFIGS / "evaluate.json")
# Ids that the study sets for each run, and for each evaluation.
OWN = {"dataset_dir", "output_dir", "run_name", "resume", "seed", "model", "network_name", "processes", *OF_THE_MACHINE}
OWN_IN_TESTS = OWN - {"dataset_dir"} | {"cache_dir", "evaluation_dir"}


def plan(
    study: Study, folder: Path, dataset_dir: str, split: str | None, seeds: int, switches: Mapping[str, Any]
) -> list[Job]:
    """Return the jobs of a study: all arms with the first seed, then with the next. See `command.study`.

    Raises:
        InputError: An id that the config does not have, a value of the wrong kind, an id that the study itself sets or
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
    """Return the top-level ids in which the arms differ, by their overrides or by their config files."""
    arms = [merged_config(study.config_files(arm)) | study.overrides(arm) for arm in study.arms]
    names = {name for arm in arms for name in arm}
    return {name for name in names if len({json.dumps(arm.get(name)) for arm in arms}) > 1}


def merged_config(config_files: list[str]) -> dict[str, Any]:
    """Return the top-level ids of the merged files.

    Raises:
        InputError: A file is not there.
    """
    for file in config_files:
        if not Path(file).is_file():
            raise InputError(f"{file}: no such config file; expected one of {CONFIGS}, or the path of one")
    return CommandLine(config_files).read_config().get()


def arm_settings(
    study: Study, arm: str, dataset_dir: str, split: str | None, switches: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what all runs of an arm override, its split and epochs among it.

    Raises:
        InputError: See `plan`.
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
            _check([*files, EVALUATE], given | overrides)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    given = {name: config[name] for name in ("epochs", "split")} | given
    content = Datalist(dataset_dir, given["split"]).content
    for part in PARTS:
        if not content.get(part):
            reason = f" ({content['note']})" if "note" in content else ""
            raise InputError(
                f"{dataset_dir}: split {given['split']} has no lesions for {part}{reason}; a study trains, validates "
                "and tests: choose another --split"
            )
    return given


def _refuse(given: Mapping[str, Any], names: set[str], reason: str) -> None:
    for name in given:
        if name in names:
            raise InputError(f"--{name}: {reason}; leave it out")


def _check(config_files: list[str], given: dict[str, Any]) -> None:
    check_names(CommandLine(config_files, given))
    values = merged_config(config_files) | {"dataset_dir": "data", "model": "model.pt"} | given
    known = {name: values[name] for name in Settings.__annotations__ if name in values}
    # An expression has its value only when a run resolves it.
    expressions = {
        name for name, value in known.items() if isinstance(value, dict) or str(value)[:1] in ("$", "@", "%")
    }
    check_values({name: value for name, value in known.items() if name not in expressions})


def describe(study: Study, jobs: list[Job], dataset_dir: str, switches: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study's folder remembers, as JSON reads it back.

    That is arms with their overrides and a hash of their merged configs, tests, switches and data. The number of seeds
    is left out: more of them go on with the same study.
    """

    def config_hash(arm: str) -> str:
        config = merged_config([*study.config_files(arm), EVALUATE])
        return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()

    record = {
        "arms": {arm: study.overrides(arm) | {"config_sha256": config_hash(arm)} for arm in study.arms},
        "tests": study.tests,
        "switches": {name: value for name, value in switches.items() if name != "cache_dir"},
        "datasets": [
            Datalist(dataset_dir, split).provenance for split in sorted({job.settings["split"] for job in jobs})
        ],
    }
    return json.loads(json.dumps(record))


def keep_to_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write a study's record; what has no results yet may differ from the record that is there.

    Raises:
        InputError: An arm, a test, the switches or the data differ from those of results that are there.
    """
    if (folder / RECORD).is_file():
        began = read_record(folder)
        for arm, found in record["arms"].items():
            if any(folder.glob(f"runs/{slug(arm)}_seed*/last.pt")):
                _compare(folder, f"arm {arm!r}", began["arms"].get(arm), found)
        for test, found in record["tests"].items():
            if any(folder.glob(f"runs/*/evaluation/{slug(test) or TEST}/summary.json")):
                _compare(folder, f"test {test!r}", began["tests"].get(test), found)
        for name in ("switches", "datasets"):
            if any(folder.glob("runs/*/last.pt")):
                _compare(folder, name, began.get(name), record[name])
    write_if_changed(folder / RECORD, as_json(record))


def _compare(folder: Path, what: str, began: object, found: object) -> None:
    if began != found:
        raise InputError(
            f"{folder}: has results of {what} {json.dumps(began)}, found {json.dumps(found)}; repeat the study as it "
            "was, or choose another --output_dir"
        )
