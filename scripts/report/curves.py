"""Training and validation over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scripts.report.blocks import Block, Figure, Figures, NotThere
from scripts.report.drawing import SMALL, finish, legend, new_axes
from scripts.report.sources import Run, Study
from scripts.study.cells import share
from scripts.study.figure import COLOURS, MARKERS
from scripts.study.palette import BLUE, GREY, VERMILLION

Curve = Mapping[int, float]

QUANTITIES = {
    "loss": "loss, mean over the lesions",
    "dice": "Dice in the crop (1 = perfect)",
    "pixel_accuracy": "pixel accuracy in the crop (1 = perfect)",
}
LOOKS = {"train": ("training", BLUE, "-", "o"), "validation": ("validation", VERMILLION, "--", "s")}
# More epochs than this, and the markers hide their line.
MOST_MARKERS = 30


def kept_epoch(run: Run) -> int | None:
    """The epoch whose model was kept: the first of those with the highest Dice of the validation."""
    dice = run.curves.get("validation/dice", {})
    return max(dice, key=lambda epoch: (dice[epoch], -epoch), default=None)


def curves(run: Run) -> list[Block]:
    """Loss, Dice and pixel accuracy of training and validation.

    Raises:
        NotThere: the run has no events.
    """
    figures = [figure for quantity in QUANTITIES if (figure := _figure(run, quantity))]
    if not figures:
        raise NotThere("The run's folder has no TensorBoard events (events.out.tfevents…); copy them into it.")
    return [Figures(figures)]


def _figure(run: Run, quantity: str) -> Figure | None:
    lines = {part: curve for part in LOOKS if (curve := run.curves.get(f"{part}/{quantity}"))}
    if not lines:
        return None
    drawing, axes = new_axes()
    for part, curve in lines.items():
        name, colour, style, marker = LOOKS[part]
        shown = marker if len(curve) <= MOST_MARKERS else ""
        axes.plot(list(curve), list(curve.values()), style, marker=shown, color=colour, markersize=4, label=name)
    best = kept_epoch(run)
    if best is not None:
        axes.axvline(best, color=GREY, linestyle=":", label=f"kept model: epoch {best}")
    axes.locator_params(axis="x", integer=True)
    finish(axes, "epoch", QUANTITIES[quantity])
    legend(axes)
    what = quantity.replace("_", " ")
    told = "; ".join(_tell(LOOKS[part][0], curve) for part, curve in lines.items())
    kept = f" The kept model is that of epoch {best}." if best is not None else ""
    caption = (
        f"The {what if quantity != 'dice' else 'Dice'} of training and validation, both measured in the crop. While an "
        "epoch trains, its network changes; the validation follows with the one that results."
    )
    alt = f"{what.capitalize()} over the epochs: {told}.{kept}"
    return Figure(f"curve_of_{quantity}", drawing, alt, caption)


def _tell(name: str, curve: Curve) -> str:
    first, last = min(curve), max(curve)
    if first == last:
        return f"{name} {share(curve[first])} at epoch {first}"
    return f"{name} from {share(curve[first])} at epoch {first} to {share(curve[last])} at epoch {last}"


def study_curves(study: Study) -> list[Block]:
    """The validation of all arms: the mean over the seeds, and each seed as a thin line."""
    figures = [figure for quantity in QUANTITIES if (figure := _study_figure(study, quantity))]
    return [Figures(figures)] if figures else []


def _study_figure(study: Study, quantity: str) -> Figure | None:
    seeds = {
        arm: [curve for run in runs if (curve := run.curves.get(f"validation/{quantity}"))]
        for arm, runs in study.runs.items()
    }
    seeds = {arm: of_arm for arm, of_arm in seeds.items() if of_arm}
    if not seeds:
        return None
    drawing, axes = new_axes(height=3.6 + 0.12 * len(seeds))
    ends = []
    for number, (arm, of_arm) in enumerate(seeds.items()):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        mean = _mean_curve(of_arm)
        shown = marker if len(mean) <= MOST_MARKERS else ""
        style = "-" if number < len(COLOURS) else ":"
        axes.plot(list(mean), list(mean.values()), style, marker=shown, markersize=4, color=colour, label=arm)
        for curve in of_arm if len(of_arm) > 1 else ():
            axes.plot(list(curve), list(curve.values()), style, color=colour, linewidth=0.6, alpha=0.6)
        ends.append(f"{arm} {share(mean[max(mean)])}")
    axes.locator_params(axis="x", integer=True)
    finish(axes, "epoch", f"validation: {QUANTITIES[quantity]}")
    drawing.legend(loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    several = max(map(len, seeds.values())) > 1
    caption = "Measured in the crop on the lesions of the validation" + (
        "; thick: mean over the seeds, thin: each seed." if several else "; one seed an arm."
    )
    alt = f"{quantity.replace('_', ' ').capitalize()} of the validation at the last epoch: {', '.join(ends)}."
    return Figure(f"curve_of_{quantity}", drawing, alt, caption)


def _mean_curve(seeds: Sequence[Curve]) -> dict[int, float]:
    """The mean at the epochs that all seeds have."""
    shared = sorted(set.intersection(*(set(curve) for curve in seeds))) or sorted(seeds[0])
    return {epoch: float(np.mean([curve[epoch] for curve in seeds if epoch in curve])) for epoch in shared}
