"""The card of a run: data, network, settings, versions; and the commands that repeat it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from custom.data import PARTS
from scripts.common.cases import Row
from scripts.common.datasets import full_name
from scripts.common.formatting import count_lesions, share, times
from scripts.report.blocks import Block, Table, Text
from scripts.report.curves import kept_epoch
from scripts.report.sources import Evaluation, Run

ROOT = Path(__file__).resolve().parents[2]

Rows = list[tuple[str, str]]

# Settings that say where something was on one machine, which a report that is passed on must not.
_PLACES = {"run_id", "config_file", "bundle_root", "dataset_dir", "output_dir", "cache_dir"}


def run_card(run: Run) -> list[Block]:
    """Make the run's card, and list the commands that repeat its training and its principal evaluations."""
    evaluations: Sequence[Evaluation | None] = run.principal or [None]
    return [
        Table(("", ""), [*_data_rows(run), *_network_rows(run), *_training_rows(run), *_setting_rows(run)]),
        Text("To train again with the same settings, under a new name:"),
        Text(_command(run, "training", {"dataset_dir": _data_place(run.args)}), command=True),
        Text("To evaluate again:"),
        *(Text(evaluating_command(run, evaluation), command=True) for evaluation in evaluations),
    ]


def evaluating_command(run: Run, evaluation: Evaluation | None = None) -> str:
    """Return the command that repeats an evaluation, or that evaluates on the run's own data."""
    settings = evaluation.summary["settings"] if evaluation else run.args
    given = {"dataset_dir": _data_place(settings)}
    if settings["split"] != run.args["split"]:
        given["split"] = settings["split"]
    return _command(run, "evaluating", given | (run.changed_settings(evaluation) if evaluation else {}))


def _command(run: Run, verb: str, given: Row) -> str:
    flags = [f"--{name} {shlex.quote(str(value))}" for name, value in given.items()]
    return " ".join([f"python -m monai.bundle run {verb} --args_file {_place(run)}/{verb}.json", *flags])


def _place(run: Run) -> str:
    """The run's folder; see `_from_root`."""
    parents = run.folder.resolve().parents
    inside_study = (parents[1] / "table.md").is_file()
    place = f"studies/{parents[1].name}/runs/{run.name}" if inside_study else f"runs/{run.name}"
    return shlex.quote(_from_root(run.folder, place))


def _data_place(settings: Row) -> str:
    return _from_root(settings["dataset_dir"], f"data/{PurePath(settings['dataset_dir']).name}")


def _from_root(folder: str | Path, usual: str) -> str:
    """A folder relative to the repository, such as `demo/cbis_ddsm`; `usual` for one elsewhere.

    A report holds no absolute path; for a folder elsewhere it says what the documentation has.
    """
    place = Path(os.path.abspath(ROOT / folder))
    return place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else usual


def _data_rows(run: Run) -> Rows:
    about = run.dataset
    rows = [
        ("run", run.name),
        ("data set", full_name(about)),
        ("source of the data", about.get("source", "")),
        ("split", run.args["split"]),
    ]
    if run.data is not None:
        for part in PARTS:
            lesions = run.data.content.get(part, ())
            patients = len({lesion["patient_id"] for lesion in lesions})
            rows.append((part, count_lesions(len(lesions), patients) if lesions else "none"))
    rows += [(f"evaluated on {run.title(evaluation)}", evaluation.tested) for evaluation in run.evaluations]
    rows += [
        ("SHA-256 of the data set's table", about.get("manifest_sha256") or ""),
        ("SHA-256 of the datalist", about.get("datalist_sha256", "")),
    ]
    return [row for row in rows if row[1]]


def _network_rows(run: Run) -> Rows:
    args = run.args
    filters = [
        "artifacts removed" if args["remove_artifacts"] else "",
        f"Wiener, window {args['wiener_window']}" if args["wiener"] else "",
        f"CLAHE, clip limit {args['clahe_clip_limit']:g}, {times(args['clahe_tiles'])} tiles" if args["clahe"] else "",
    ]
    shape = "square" if args["square"] else "as the box is"
    return [
        ("network", args["network_name"]),
        *(("parameters", f"{evaluation.summary['parameters']:,}") for evaluation in run.evaluations[:1]),
        ("filters", "; ".join(filter(None, filters)) or "none"),
        ("crop", f"{shape}, margin {100 * args['margin']:g} % of the box, {times(args['image_size'])} pixels"),
    ]


def _training_rows(run: Run) -> Rows:
    done = max(run.curves.get("train/loss", ()), default=None)
    epochs = f"{done} of {run.args['epochs']}" if done else str(run.args["epochs"])
    rows = [("seed", str(run.args["seed"])), ("epochs", epochs)]
    best = kept_epoch(run)
    if best is not None:
        dice = share(run.curves["validation/dice"][best])
        rows.append(("epoch whose model was kept", f"{best}, where the Dice of the validation was highest: {dice}"))
    return rows


# Settings that the rows above show.
_SHOWN = {
    *("split", "network_name", "remove_artifacts", "wiener", "wiener_window", "clahe", "clahe_clip_limit"),
    *("clahe_tiles", "square", "margin", "image_size", "seed", "epochs"),
}


def _setting_rows(run: Run) -> Rows:
    """Every other setting by its name, so that the reader has them all; then the versions."""
    rows = [(name, _portable(value)) for name, value in run.args.items() if name not in _PLACES | _SHOWN]
    if run.evaluations:
        versions = [f"{name} {version}" for name, version in run.evaluations[0].summary["versions"].items()]
        rows.append(("versions at the evaluation", ", ".join(versions)))
    return rows


def _portable(value: Any) -> str:
    """A setting as text; of an absolute path its last part."""
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else str(value)
