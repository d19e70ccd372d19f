"""A study of trainings: check it, train and test every arm with every seed, and write the table."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from custom.data import PARTS, datalist_file, read_json
from custom.errors import InputError
from custom.files import write_if_changed
from custom.provenance import dataset_provenance
from custom.settings import CommandLine, Settings, check_names, check_values
from scripts.spread import spread
from scripts.study.arm import Job, run_job
from scripts.study.collect import collect
from scripts.study.definition import CONFIGS, Study, as_record, read_study
from scripts.study.figure import draw_study
from scripts.study.output import write_study
from scripts.study.table import as_csv, markdown, study_rows

RECORD = "study.json"
# Given by the study itself.
OWN = {"dataset_dir", "split", "output_dir", "run_name", "resume", "seed", "model", "network_name", "amp"}


def study_training(
    name: str,
    dataset_dir: str,
    split: str = "patient",
    seeds: int = 1,
    scheduler: str | None = None,
    output_dir: str = "studies",
    document: str | None = None,
    **switches: Any,
) -> None:
    """Train and test every arm of a study with every seed; write `table.csv`, `table.md` and `figure.png`.

    Args:
        name: of a study in `bundle/configs/studies`, or the path of a JSON file of the same form.
        dataset_dir: a prepared data set.
        split: its datalist, where the arms do not name their own.
        seeds: trainings of each arm, with the seeds 0, 1, ...
        scheduler: address of a Dask scheduler whose workers train; None for one arm after the other.
        output_dir: holds a folder for each study.
        document: a Markdown file that takes the table as well.
        switches: of `train.json`, for all arms.

    Raises:
        InputError: an unknown study, arm or switch, a data set without the split, other settings than those that the
            study in this folder began with, or an arm that failed.
    """
    study = read_study(name)
    if seeds < 1:
        raise InputError(f"--seeds: found {seeds}, expected at least 1")
    folder = Path(output_dir, study.name).resolve()
    jobs = plan(study, folder, dataset_dir, split, seeds, switches)
    record = describe(study, jobs, dataset_dir, switches)
    keep_to_record(folder / RECORD, record)

    spread(run_job, jobs, scheduler, f"Study {study.name}", "run", processes=False)

    outcomes = collect(study, jobs)
    rows = study_rows(outcomes, study.reference)
    about = heading(study, jobs, record, command(name, record, split, seeds, switches))
    write_study(folder, as_csv(rows), markdown(rows, about), draw_study(rows, about), document=document)
    print(f"Curves: tensorboard --logdir {folder / 'runs'}")


def plan(study: Study, folder: Path, dataset_dir: str, split: str, seeds: int, switches: dict[str, Any]) -> list[Job]:
    """The jobs of the study, checked before any begins: all arms with the first seed, then with the next."""
    for name in switches:
        if name in OWN:
            raise InputError(f"--{name}: is set by the study for each run; leave it out")
        if name in study.varied():
            raise InputError(f"--{name}: is what the arms of study {study.name} differ in; leave it out")
    settings = {arm: arm_settings(study, arm, dataset_dir, split, switches) for arm in study.arms}
    places = {
        "dataset_dir": str(Path(dataset_dir).resolve()),
        "output_dir": str(folder / "runs"),
        "cache_dir": str(folder.parent / "cache"),
    }
    return [
        Job(
            arm=arm,
            seed=seed,
            study_dir=folder,
            config_files=study.config_files(arm),
            settings={**places, **settings[arm], "seed": seed},
            tests=study.tests_of(arm),
        )
        for seed in range(seeds)
        for arm in study.arms
    ]


def arm_settings(study: Study, arm: str, dataset_dir: str, split: str, switches: dict[str, Any]) -> dict[str, Any]:
    """What all runs of `arm` override, its split and epochs among it.

    Raises:
        InputError: an id that the config does not have, a value of the wrong kind, or a part of the split is empty.
    """
    given = {"split": split, **switches, **study.overrides(arm)}
    files = study.config_files(arm)
    for file in files:
        if not Path(file).is_file():
            raise InputError(f"{study.name}: arm {arm!r}: {file}: no such config file; expected one of bundle/configs")
    try:
        check_names(CommandLine(files, given))
        check_values({name: value for name, value in given.items() if name in Settings.__annotations__})
        for name in OWN - {"split"} & study.overrides(arm).keys():
            raise InputError(f"--{name}: is set by the study for each run; leave it out")
    except InputError as error:
        raise InputError(f"study {study.name}, arm {arm!r}: {error}") from error
    content = read_json(datalist_file(dataset_dir, given["split"]))
    for part in PARTS:
        if not content.get(part):
            reason = f" ({content['note']})" if "note" in content else ""
            raise InputError(
                f"{dataset_dir}: split {given['split']} has no lesions for {part}{reason}; a study trains, validates "
                "and tests: choose another --split"
            )
    parser = ConfigParser()
    parser.read_config(files)
    return {"epochs": parser["epochs"], **given}


def describe(study: Study, jobs: list[Job], dataset_dir: str, switches: dict[str, Any]) -> dict[str, Any]:
    """What makes two calls the same study: arms, switches and data. Another number of seeds continues it."""
    splits = sorted({job.settings["split"] for job in jobs})
    datasets = [dataset_provenance(dataset_dir, split) for split in splits]
    return {**as_record(study), "switches": switches, "datasets": datasets}


def keep_to_record(file: Path, record: dict[str, Any]) -> None:
    """Write down what the study is, or make sure that it is still the one that began in this folder.

    Raises:
        InputError: it differs.
    """
    if file.is_file():
        began = json.loads(file.read_text())
        for name, value in json.loads(json.dumps(record)).items():
            if began.get(name) != value:
                raise InputError(
                    f"{file.parent}: the study there began with {name} {json.dumps(began.get(name))}, found "
                    f"{json.dumps(value)}; repeat it as it was, or choose another --output_dir"
                )
    write_if_changed(file, (json.dumps(record, indent=4) + "\n").encode())


def heading(study: Study, jobs: list[Job], record: dict[str, Any], repeat: str) -> dict[str, Any]:
    """What table and figure say of the study: data, settings, versions, and the command that repeats it."""
    settings = jobs[0].settings
    parser = ConfigParser()
    parser.read_config(jobs[0].config_files)
    datasets = record["datasets"]
    return {
        "name": study.name,
        "description": study.description,
        "test": study.test_heading,
        "dataset": datasets[0]["name"],
        "split": ", ".join(dataset["split"] for dataset in datasets),
        "manifest_sha256": datasets[0]["manifest_sha256"],
        "datalist_sha256": ", ".join(dataset["datalist_sha256"] for dataset in datasets),
        "seeds": len({job.seed for job in jobs}),
        **{name: settings.get(name, parser[name]) for name in ("epochs", "image_size", "features")},
        "version": json.loads((CONFIGS / "metadata.json").read_text())["version"],
        "machine": torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores",
        "command": repeat,
    }


def command(name: str, record: dict[str, Any], split: str, seeds: int, switches: dict[str, Any]) -> str:
    """The command that repeats the study, with a place of the data set that is nobody's own."""
    given = {"dataset_dir": f"data/{record['datasets'][0]['name']}", "split": split, "seeds": seeds, **switches}
    flags = (f"--{flag} {shlex.quote(str(value).replace(' ', ''))}" for flag, value in given.items())
    return " ".join(["python -m scripts study", shlex.quote(name), *flags])
