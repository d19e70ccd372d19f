"""`study`: every comparison of the paper, and any of one's own, as one command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from custom.data import Datalist
from custom.errors import InputError
from custom.files import held
from scripts.common.bundle import bundle_version
from scripts.common.command_line import checked
from scripts.common.datasets import full_name
from scripts.common.documents import check_place
from scripts.common.formatting import text_table
from scripts.common.parallel import parallel_map
from scripts.study.collect import collect
from scripts.study.contrast import measure_contrast
from scripts.study.definition import read_study
from scripts.study.denoising import measure_denoising
from scripts.study.figure import draw_study
from scripts.study.job import Job, run_job
from scripts.study.output import write_study
from scripts.study.page import markdown
from scripts.study.plan import describe, keep_to_record, merged_config, plan
from scripts.study.table import as_csv, study_rows

# What is no comparison of trainings.
OF_IMAGES = {"contrast": measure_contrast, "denoising": measure_denoising}


def study(name: str, *arguments: Any, **flags: Any) -> None:
    """Run a study and write its table and figure to `studies/NAME`; a study that was stopped goes on where it was.

    python -m scripts study NAME|FILE.json --dataset_dir DIR [--split patient] [--seeds 1] [--scheduler ADDRESS]
        [--output_dir studies] [--document FILE.md] [--<any switch of train.json> VALUE ...]
    python -m scripts study denoising|contrast --dataset_dir DIR [--split patient] [--part training]
        [--cases "[LESION,...]"] [--seed 0] [--output_dir studies] [--document FILE.md]

    The studies are the files of bundle/configs/studies; a study of your own is a JSON file of the same form. Each arm
    is an ordinary training and evaluation with each seed, in `studies/NAME/runs`.

    Args:
        name: Name of a study, or path of a JSON file.
        dataset_dir: Prepared data set.
        split: Datalist of arms that do not name their own; by default that of the config.
        seeds: Trainings of each arm, with the seeds 0, 1, ...; a larger number later adds to those that are there.
        scheduler: Address of a Dask scheduler whose workers train; without it one arm after the other.
        part: Part of the split in a study of images: training, validation or test.
        cases: Lesion ids in a study of images, "[id,id]"; by default five drawn by the seed.
        seed: Seed of the draw, and of the phantoms and their noise.
        output_dir: Folder that holds a folder for each study.
        document: Markdown file with the lines `<!-- study NAME -->` and `<!-- end NAME -->`; the table goes between.
    """
    verb = study_images if isinstance(name, str) and name in OF_IMAGES else study_training
    checked(verb)(name, *arguments, **flags)


def study_images(
    name: str,
    dataset_dir: str,
    split: str = "patient",
    part: str = "training",
    cases: list[str] | None = None,
    seed: int = 0,
    output_dir: str = "studies",
    document: str | None = None,
) -> None:
    """Measure what filters do to mammograms; see `study` for the arguments.

    Raises:
        InputError: A case, a part or a data set that is not there, a mask that cannot be measured, or a file that
            cannot be read or written.
    """
    datalist = Datalist(dataset_dir, split)
    measured = OF_IMAGES[name](datalist, part, cases, seed)
    dataset, drawn = datalist.provenance, "drawn by the seed" if cases is None else "given"
    lines = [
        ["data set", f"{dataset['name']} ({dataset['source']}), split {split}, part {part}"],
        ["manifest_sha256", str(dataset["manifest_sha256"] or "none")],
        ["datalist_sha256", dataset["datalist_sha256"]],
        ["cases", f"{', '.join(measured.cases)} ({drawn})"],
        ["seed", str(seed)],
        ["bundle version", bundle_version()],
        *measured.parameters,
    ]
    page = "\n\n".join([*measured.blocks, "## Where it comes from", text_table(("", ""), lines)]) + "\n"
    write_study(Path(output_dir) / name, measured.rows, page, measured.figure, measured.details, document)


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
    """Train and test every arm of a study with every seed; see `study` for the arguments.

    Raises:
        InputError: An unknown study, arm or switch, a data set without the split, results of other settings in the
            study's folder, or an arm that failed.
    """
    study = read_study(name)
    if seeds < 1:
        raise InputError(f"--seeds: found {seeds}, expected at least 1")
    if document:
        check_place(Path(document), "study", study.name)
    folder = Path(output_dir, study.name).resolve()
    jobs = plan(study, folder, dataset_dir, split, seeds, switches)
    record = describe(study, jobs, dataset_dir, switches)
    with held(folder):
        keep_to_record(folder, record)

        parallel_map(run_job, jobs, scheduler, f"Study {study.name}", "run", processes=False)

        rows = study_rows(collect(study, jobs), study.reference)
        given = {**({"split": split} if split else {}), "seeds": seeds, **record["switches"]}
        about = {
            "name": study.name,
            "description": study.description,
            "test": study.test_heading,
            "command": _command(name, record["datasets"][0]["name"], given),
            "origin": _origin(jobs, record["datasets"]),
        }
        write_study(folder, as_csv(rows), markdown(rows, about), draw_study(rows, about), document=document)
        print(f"Curves: tensorboard --logdir {folder / 'runs'}")


def _origin(jobs: Sequence[Job], datasets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Data, settings and versions of a study by their labels."""
    settings = [merged_config(job.config_files) | job.settings for job in jobs]
    shared = {
        name: settings[0][name] if all(other[name] == settings[0][name] for other in settings) else "as the arm says"
        for name in ("epochs", "image_size", "features")
    }
    return {
        "data set": full_name(datasets[0]),
        "split": ", ".join(dataset["split"] for dataset in datasets),
        "SHA-256 of its table": datasets[0]["manifest_sha256"],
        "SHA-256 of the datalist": ", ".join(dataset["datalist_sha256"] for dataset in datasets),
        "seeds": len({job.seed for job in jobs}),
        **{name.replace("_", " "): value for name, value in shared.items()},
        "version of the bundle": bundle_version(),
        "machine of the milliseconds": (
            torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
        ),
    }


def _command(name: str, dataset: str, given: dict[str, Any]) -> str:
    """The command that repeats the study, with a place of the data set that is nobody's own."""
    texts = {flag: value if isinstance(value, str) else str(value).replace(" ", "") for flag, value in given.items()}
    flags = [f"--{flag} {shlex.quote(text)}" for flag, text in {"dataset_dir": f"data/{dataset}", **texts}.items()]
    return " ".join(["python -m scripts study", shlex.quote(name), *flags])
