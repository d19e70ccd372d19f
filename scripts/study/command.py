"""`study`: every comparison of the paper, and any of one's own, as one command."""

from __future__ import annotations

from typing import Any

from scripts.common.command_line import checked
from scripts.study.contrast import study_contrast
from scripts.study.denoising import study_denoising
from scripts.study.training import study_training

# What is not a comparison of trainings.
OF_IMAGES = {"contrast": study_contrast, "denoising": study_denoising}


def study(name: str, *arguments: Any, **flags: Any) -> None:
    """Run a study and write its table and figure to `studies/NAME`; a study that was stopped goes on where it was.

    python -m scripts study NAME|FILE.json --dataset_dir DIR [--split patient] [--seeds 1] [--scheduler ADDRESS]
        [--output_dir studies] [--document FILE.md] [--<any switch of train.json> VALUE ...]
    python -m scripts study denoising|contrast --dataset_dir DIR [--split patient] [--part training]
        [--cases "[LESION,...]"] [--seed 0] [--output_dir studies] [--document FILE.md]

    The studies are the files of bundle/configs/studies; a study of your own is a JSON file of the same form. Each arm
    is an ordinary training and evaluation with each seed, in `studies/NAME/runs`.

    Args:
        name: of a study, or the path of a JSON file.
        dataset_dir: a prepared data set.
        split: its datalist, where the arms do not name their own.
        seeds: trainings of each arm, with the seeds 0, 1, ...; a larger number later adds to those that are there.
        scheduler: address of a Dask scheduler whose workers train; without it one arm after the other.
        output_dir: holds a folder for each study.
        document: a Markdown file with the lines `<!-- study NAME -->` and `<!-- end NAME -->`; the table goes between.
    """
    if isinstance(name, str) and name in OF_IMAGES:
        checked(OF_IMAGES[name])(*arguments, **flags)
    else:
        checked(study_training)(name, *arguments, **flags)
