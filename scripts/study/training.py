"""A study of trainings: check it, train and test every arm with every seed, and write the table."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import torch

from custom.errors import InputError
from custom.locks import held
from scripts.common.bundle import bundle_version
from scripts.common.datasets import full_name
from scripts.common.documents import check_place
from scripts.common.parallel import spread
from scripts.study.arm import Job, run_job
from scripts.study.collect import collect
from scripts.study.definition import Study, read_study
from scripts.study.figure import draw_study
from scripts.study.output import write_study
from scripts.study.plan import merged_config, plan
from scripts.study.record import describe, keep_to_record
from scripts.study.table import as_csv, check_published, markdown, study_rows


def study_training(
    name: str,
    dataset_dir: str,
    split: str | None = None,
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
        split: its datalist, where the arms do not name their own; None for the config's.
        seeds: trainings of each arm, with the seeds 0, 1, ...
        scheduler: address of a Dask scheduler whose workers train; None for one arm after the other.
        output_dir: holds a folder for each study.
        document: a Markdown file that takes the table as well.
        switches: of `train.json`, for all arms.

    Raises:
        InputError: an unknown study, arm or switch, a data set without the split, results of other settings in the
            study's folder, or an arm that failed.
    """
    study = read_study(name)
    for arm, figures in study.paper.items():
        check_published(arm, figures)
    if seeds < 1:
        raise InputError(f"--seeds: found {seeds}, expected at least 1")
    if document:
        check_place(Path(document), "study", study.name)
    folder = Path(output_dir, study.name).resolve()
    jobs = plan(study, folder, dataset_dir, split, seeds, switches)
    record = describe(study, jobs, dataset_dir, switches)
    with held(folder):
        keep_to_record(folder, record)

        spread(run_job, jobs, scheduler, f"Study {study.name}", "run", processes=False)

        rows = study_rows(collect(study, jobs), study.reference)
        given = {**({"split": split} if split else {}), "seeds": seeds, **record["switches"]}
        about = heading(study, jobs, record["datasets"]) | {
            "command": command(name, record["datasets"][0]["name"], given)
        }
        write_study(folder, as_csv(rows), markdown(rows, about), draw_study(rows, about), document=document)
        print(f"Curves: tensorboard --logdir {folder / 'runs'}")


def heading(study: Study, jobs: list[Job], datasets: list[dict[str, Any]]) -> dict[str, Any]:
    """What table and figure say of the study: data, settings and versions."""
    settings = [merged_config(job.config_files) | job.settings for job in jobs]
    shared = {
        name: settings[0][name] if all(other[name] == settings[0][name] for other in settings) else "as the arm says"
        for name in ("epochs", "image_size", "features")
    }
    return {
        "name": study.name,
        "description": study.description,
        "test": study.test_heading,
        "dataset": full_name(datasets[0]),
        "split": ", ".join(dataset["split"] for dataset in datasets),
        "manifest_sha256": datasets[0]["manifest_sha256"],
        "datalist_sha256": ", ".join(dataset["datalist_sha256"] for dataset in datasets),
        "seeds": len({job.seed for job in jobs}),
        **shared,
        "version": bundle_version(),
        "machine": torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores",
    }


def command(name: str, dataset: str, given: dict[str, Any]) -> str:
    """The command that repeats the study, with a place of the data set that is nobody's own."""
    texts = {flag: value if isinstance(value, str) else str(value).replace(" ", "") for flag, value in given.items()}
    flags = [f"--{flag} {shlex.quote(text)}" for flag, text in {"dataset_dir": f"data/{dataset}", **texts}.items()]
    return " ".join(["python -m scripts study", shlex.quote(name), *flags])
