"""Training and validation over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from scripts.common.drawing import BLUE, COLOURS, GREY, MARKERS, VERMILLION
from scripts.common.formatting import share
from scripts.report.blocks import Block, Figure, Figures, NotThere
from scripts.report.figures import HEIGHT, finish, new_axes
from scripts.report.sources import Run, StudyResults

Curve = Mapping[int, float]

QUANTITIES = {
    "loss": "loss, mean over the lesions",
    "dice": "Dice in the crop (1 = perfect)",
    "pixel_accuracy": "pixel accuracy (1 = perfect)",
}
PARTS = {"train": "training", "validation": "validation"}
LOOKS: dict[str, dict[str, Any]] = {
    "train": {"color": BLUE, "linestyle": ":", "marker": "o"},
    "validation": {"color": VERMILLION, "linestyle": "-", "marker": "s"},
}
# More, and they hide their line.
MOST_MARKERS = 30


def kept_epoch(run: Run) -> int | None:
    """Return the epoch whose model was kept: the first of those with the highest Dice of the validation."""
    dice = run.curves.get("validation/dice", {})
    return max(dice, key=lambda epoch: (dice[epoch], -epoch), default=None)


def curves(run: Run) -> list[Block]:
    """Draw loss, Dice and pixel accuracy of training and validation."""
    figures = [figure for quantity in QUANTITIES if (figure := _figure(run, quantity))]
    if not figures:
        raise NotThere("The run's folder has no TensorBoard events (events.out.tfevents…); copy them into it.")
    return [Figures(figures)]


def _figure(run: Run, quantity: str) -> Figure | None:
    lines = {part: curve for part in PARTS if (curve := run.curves.get(f"{part}/{quantity}"))}
    if not lines:
        return None
    drawing, axes = new_axes()
    for part, curve in lines.items():
        _draw(axes, curve, label=PARTS[part], **LOOKS[part])
    best = kept_epoch(run)
    kept = ""
    if best is not None:
        axes.axvline(best, color=GREY, linestyle="--", linewidth=1, label=f"kept model: epoch {best}")
        kept = f" The kept model is that of epoch {best}."
    note = "."
    if len(lines) == len(PARTS):
        note += " While an epoch trains, its network changes; the validation follows with the one that results."
    ends = "; ".join(_ends(PARTS[part], curve) for part, curve in lines.items())
    return _finished(drawing, axes, quantity, list(lines), f"over the epochs: {ends}.{kept}", note)


def _draw(axes: Axes, curve: Curve, **look: Any) -> None:
    axes.plot(list(curve), list(curve.values()), markersize=4, markevery=-(-len(curve) // MOST_MARKERS), **look)


def _finished(drawing: Drawing, axes: Axes, quantity: str, parts: Sequence[str], alt: str, note: str) -> Figure:
    """The figure of the curves in `axes`; `alt` follows the quantity's name there, `note` the caption."""
    axes.locator_params(axis="x", integer=True)
    finish(axes, "epoch", QUANTITIES[quantity], legend=True)
    name = quantity.replace("_", " ").capitalize()
    caption = f"{name} of the {' and the '.join(PARTS[part] for part in parts)}, measured in the crop{note}"
    return Figure(f"curve_of_{quantity}", drawing, f"{name} {alt}", caption)


def _ends(name: str, curve: Curve) -> str:
    first, last = min(curve), max(curve)
    if first == last:
        return f"{name} {share(curve[first])} at epoch {first}"
    return f"{name} from {share(curve[first])} at epoch {first} to {share(curve[last])} at epoch {last}"


def study_curves(study: StudyResults) -> list[Block]:
    """Draw the curves of all arms: the mean over the seeds, and the validation of each seed as a thin line."""
    figures = [figure for quantity in QUANTITIES if (figure := _study_figure(study, quantity))]
    return [Figures(figures)] if figures else []


def _study_figure(study: StudyResults, quantity: str) -> Figure | None:
    arms: dict[str, dict[str, list[dict[int, float]]]] = {}
    for arm, runs in study.runs.items():
        seeds = {part: [curve for run in runs if (curve := run.curves.get(f"{part}/{quantity}"))] for part in PARTS}
        if any(seeds.values()):
            arms[arm] = {part: of_part for part, of_part in seeds.items() if of_part}
    if not arms:
        return None
    drawing, axes = new_axes(height=HEIGHT + 0.2 + 0.12 * len(arms))
    ends = []
    several = False
    for number, (arm, lines) in enumerate(arms.items()):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        means = {part: _mean_curve(of_part) for part, of_part in lines.items()}
        for part, mean in means.items():
            # The legend names an arm once.
            label = arm if part == list(lines)[-1] else ""
            thin = {} if part == "validation" else {"linewidth": 1}
            look = {"color": colour, "linestyle": LOOKS[part]["linestyle"], "label": label, **thin}
            _draw(axes, mean, marker=marker if part == "validation" else "", **look)
        if len(validations := lines.get("validation", ())) > 1:
            several = True
            for validation in validations:
                _draw(axes, validation, color=colour, linewidth=0.6, alpha=0.6)
        last = ", ".join(f"{PARTS[part]} {share(mean[max(mean)])}" for part, mean in means.items())
        ends.append(f"{arm} {last}")
    shown = [part for part in PARTS if any(part in lines for lines in arms.values())]
    for part in shown:
        axes.plot([], color=GREY, linestyle=LOOKS[part]["linestyle"], label=PARTS[part])
    note = "; means over the seeds, and the validation of each seed as a thin line." if several else "."
    return _finished(drawing, axes, quantity, shown, f"of the arms at the last epoch: {'; '.join(ends)}.", note)


def _mean_curve(seeds: Sequence[Curve]) -> dict[int, float]:
    """The mean at the epochs that all seeds have."""
    shared = sorted(set.intersection(*(set(curve) for curve in seeds))) or sorted(seeds[0])
    return {epoch: float(np.mean([curve[epoch] for curve in seeds if epoch in curve])) for epoch in shared}
