"""`demo`: the whole system on synthetic mammograms, from nothing to a picture of its predictions."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from custom.errors import InputError
from scripts.picture import picture_cases, write_picture

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "bundle" / "configs"
SPLIT = "patient"
RUN = "demo"


def demo(output_dir: str = "demo", patients: int = 120, epochs: int = 16, seed: int = 0) -> None:
    """Phantoms, preparation, training, evaluation, inference and a picture, each by the command that a user would run.

    Args:
        output_dir: holds everything that the demo makes. A repetition keeps the phantoms and trains anew.
        patients: how many phantoms; each gives two mammograms.
        epochs: of the training.
        seed: of the phantoms and of the training.
    """
    folder = Path(output_dir).resolve()
    raw, dataset, runs = folder / "phantoms", folder / "dataset", folder / "runs"
    run = runs / f"{RUN}_{time.strftime('%Y%m%d_%H%M%S')}"
    evaluation = run / "evaluation" / f"{dataset.name}_{SPLIT}"
    configs = [str(CONFIGS / name) for name in ("train.json", "demo.json")]
    bundle = ["monai.bundle", "run"]
    where = ["--dataset_dir", dataset, "--bundle_root", ROOT / "bundle"]
    launch = ["--config_file", str(configs), "--output_dir", runs, "--run_name", run.name, *where]
    launch += ["--epochs", epochs, "--seed", seed]
    stages: list[tuple[str, Sequence[object]]] = [
        (
            "Synthetic mammograms",
            ["scripts", "phantoms", "--output_dir", raw, "--patients", patients, "--seed", seed, *PHANTOMS],
        ),
        (
            "Preparing the data set",
            ["scripts", "prepare", "manifest", "--table", raw / "manifest.csv", "--dataset_dir", dataset],
        ),
        ("Training", [*bundle, "training", *launch]),
        ("Evaluating on the patients kept for the test", [*bundle, "--args_file", run / "evaluating.json"]),
        ("Predicting their masks", [*bundle, "--args_file", run / "inference.json"]),
    ]
    begin = time.monotonic()
    for number, (title, command) in enumerate(stages, start=1):
        print(f"\n[{number}/{len(stages) + 1}] {title}", flush=True)
        _run(command)
        print(f"      {time.monotonic() - begin:.0f} s since the start", flush=True)
    print(f"\n[{len(stages) + 1}/{len(stages) + 1}] Picture", flush=True)
    picture = folder / "cases.png"
    write_picture(picture, picture_cases(evaluation, dataset, SPLIT))

    print(compare_with_baselines(evaluation / "lesions.csv", dataset / "datalists" / f"{SPLIT}.json"))
    print(f"\nPhantoms     {raw}\nData set     {dataset}\nRun          {run}\nEvaluation   {evaluation}")
    print(f"Masks        {run / 'inference' / evaluation.name}\nPicture      {picture}")
    print(f"Curves       tensorboard --logdir {runs}")


# Half the pack's resolution is enough to show how it works, and a quarter of the work.
PHANTOMS = ("--image_size", "[400,650]")


def compare_with_baselines(table: Path, datalist: Path) -> str:
    """Mean Dice of network and baselines as text, over all lesions and for each shape and for spiculated margins."""
    entries = {entry["lesion_id"]: entry for entry in json.loads(datalist.read_text())["test"]}
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    groups = {"all lesions": rows}
    for row in rows:
        entry = entries[row["lesion_id"]]
        spiculated = entry["mass_margins"] == "SPICULATED"
        groups.setdefault("spiculated" if spiculated else entry["mass_shape"].lower(), []).append(row)
    lines = [f"\nMean Dice per lesion   {'network':>9}{'ellipse':>9}{'box':>9}{'lesions':>9}"]
    for name in ("all lesions", *sorted(set(groups) - {"all lesions"})):
        means = [
            sum(float(row[column]) for row in groups[name]) / len(groups[name])
            for column in ("dice", "dice_ellipse", "dice_all_foreground")
        ]
        lines.append(f"  {name:<20} " + "".join(f"{mean:9.3f}" for mean in means) + f"{len(groups[name]):9d}")
    return "\n".join(lines)


def _run(arguments: Sequence[object]) -> None:
    done = subprocess.run([sys.executable, "-m", *map(str, arguments)], cwd=ROOT)
    if done.returncode:
        raise InputError(f"the demo ended at `python -m {' '.join(map(str, arguments))}`; its own message stands above")
