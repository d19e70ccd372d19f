"""`demo`: the whole system on synthetic mammograms, from two raw trees to a report of its predictions."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from custom.data import Datalist
from custom.errors import InputError
from custom.files import write_whole
from custom.handlers import read_lesions
from scripts.common.cases import draw_case, read_case, spanning
from scripts.common.drawing import BLUE, ORANGE, drawn_as

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "bundle"
SPLIT = "patient"
# Half the usual resolution is enough to show how it works, and a quarter of the work.
IMAGE_SIZE = "[400,650]"
# Pixels of a case in the picture.
TILE = 220


def demo(
    output_dir: str = "demo", patients: int = 120, unseen_patients: int = 16, epochs: int = 11, seed: int = 0
) -> None:
    """Run each step by the command that a user would give, from two raw trees to a report.

    One tree has the form of CBIS-DDSM, with what its download gets wrong: the network is trained on it and tested on
    patients kept apart. The other has the form of INbreast and is never trained on.

    Args:
        output_dir: Folder that holds everything that the demo makes. A repetition keeps the mammograms and trains anew.
        patients: Patients of the CBIS-DDSM-like set; each gives two mammograms.
        unseen_patients: Patients of the INbreast-like set.
        epochs: Epochs of the training.
        seed: Seed of the mammograms and of the training.
    """
    folder = Path(output_dir).resolve()
    raw, dataset = folder / "raw_cbis_ddsm", folder / "cbis_ddsm"
    raw_unseen, unseen = folder / "raw_inbreast", folder / "inbreast"
    runs = folder / "runs"
    run = runs / time.strftime("demo_%Y%m%d_%H%M%S")
    tested, tested_unseen = run / "evaluation" / f"cbis_ddsm_mass_{SPLIT}", run / "evaluation" / "inbreast_mass_test"
    page = folder / "report.html"

    draw = ["scripts", "phantoms", "--image_size", IMAGE_SIZE, "--layout"]
    bundle = ["monai.bundle", "run"]
    configs = str([str(BUNDLE / "configs" / name) for name in ("train.json", "demo.json")])
    data = ["--dataset_dir", dataset, "--split", SPLIT, "--bundle_root", BUNDLE]
    training = ["--config_file", configs, *data, "--output_dir", runs, "--run_name", run.name]
    other = ["--dataset_dir", unseen, "--split", "test"]
    cbis = [*draw, "cbis_ddsm", "--output_dir", raw, "--patients", patients, "--seed", seed]
    inbreast = [*draw, "inbreast", "--output_dir", raw_unseen, "--patients", unseen_patients, "--seed", seed + 1]
    _stages(
        [
            ("Synthetic mammograms in the form of CBIS-DDSM", cbis),
            ("Preparing them", ["scripts", "prepare", "cbis_ddsm", "--source", raw, "--dataset_dir", dataset]),
            ("Synthetic mammograms in the form of INbreast", inbreast),
            ("Preparing them", ["scripts", "prepare", "inbreast", "--source", raw_unseen, "--dataset_dir", unseen]),
            ("Training", [*bundle, "training", *training, "--epochs", epochs, "--seed", seed]),
            ("Evaluating on the patients kept for the test", [*bundle, "--args_file", run / "evaluating.json"]),
            ("Evaluating on the unseen set", [*bundle, "--args_file", run / "evaluating.json", *other]),
            ("Predicting the masks of the test patients", [*bundle, "--args_file", run / "inference.json"]),
            ("Writing a report", ["scripts", "report", "--source", run, "--output", page]),
        ]
    )
    picture = folder / "cases.png"
    datalist, rows = Datalist(dataset, SPLIT), read_lesions(tested / "lesions.csv")
    write_whole(picture, drawn_as(draw_cases(rows, tested / "predictions", datalist), "png", dpi=240))

    print(compare_with_baselines(rows, datalist))
    print(_line("unseen set", read_lesions(tested_unseen / "lesions.csv")))
    print(f"\nData sets    {dataset}\n             {unseen}\nRun          {run}")
    print(f"Evaluations  {tested}\n             {tested_unseen}\nMasks        {run / 'inference' / tested.name}")
    print(f"Picture      {picture}\nReport       {page}\nCurves       tensorboard --logdir {runs}")


def draw_cases(rows: Sequence[dict[str, Any]], predictions: Path, datalist: Datalist) -> Figure:
    """Draw twelve lesions, or all where there are fewer, at equal steps from the worst Dice to the best."""
    figure = Figure(figsize=(6, 2.5), layout="constrained")
    tiles = figure.subplots(2, 6).ravel()
    for tile in tiles:
        tile.axis("off")
    for tile, row in zip(tiles, spanning(rows, len(tiles)), strict=False):
        case = read_case(datalist.entries[row["lesion_id"]], row, [predictions / f"{row['lesion_id']}.png"])
        tile.imshow(draw_case(case, TILE))
        tile.set_title(f"Dice {row['dice']:.2f}  ellipse {row['dice_ellipse']:.2f}", fontsize=5, y=-0.18)
    lines = [Line2D([], [], color=colour) for colour in (BLUE, ORANGE)]
    figure.legend(lines, ["truth", "prediction"], loc="outside lower left", ncols=2, fontsize=5, frameon=False)
    return figure


def compare_with_baselines(rows: Sequence[dict[str, Any]], datalist: Datalist) -> str:
    """Format mean Dice of network and baselines, over all lesions, for each shape and for spiculated margins."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        entry = datalist.entries[row["lesion_id"]]
        group = "spiculated" if entry["mass_margins"] == "SPICULATED" else entry["mass_shape"].lower()
        groups.setdefault(group, []).append(row)
    heading = f"\nMean Dice per lesion   {'network':>9}{'ellipse':>9}{'box':>9}{'lesions':>9}"
    return "\n".join([heading, _line("all lesions", rows), *(_line(name, groups[name]) for name in sorted(groups))])


def _line(name: str, rows: Sequence[dict[str, Any]]) -> str:
    columns = ("dice", "dice_ellipse", "dice_all_foreground")
    means = [sum(row[column] for row in rows) / len(rows) for column in columns]
    return f"  {name:<20} " + "".join(f"{mean:9.3f}" for mean in means) + f"{len(rows):9d}"


def _stages(stages: Sequence[tuple[str, Sequence[object]]]) -> None:
    begin = time.monotonic()
    for number, (title, command) in enumerate(stages, start=1):
        print(f"\n[{number}/{len(stages)}] {title}", flush=True)
        arguments = [str(part) for part in command]
        if subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT).returncode:
            raise InputError(f"the demo ended at `python -m {' '.join(arguments)}`; its own message stands above")
        print(f"      {time.monotonic() - begin:.0f} s since the start", flush=True)
