"""Reliability diagrams: whether a probability of 70 % means that 70 of 100 such pixels are lesion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from custom.metrics.summary import clustered_interval
from scripts.common.cases import Row
from scripts.common.drawing import BLUE, COLOURS, GREY, MARKERS
from scripts.common.formatting import count_lesions, share
from scripts.report.blocks import Block, Figure, Figures, NotThere
from scripts.report.figures import WIDTH, finish, new_axes
from scripts.report.run_card import evaluating_command
from scripts.report.sources import Run, StudyResults


@dataclass(frozen=True)
class Bin:
    """The pixels of all lesions whose probability is from `low` to `high`.

    Attributes:
        probability: Mean probability of the pixels.
        lesion: Share of the pixels that is lesion.
        interval: Interval of `lesion`; None with one patient.
    """

    low: float
    high: float
    pixels: float
    probability: float
    lesion: float
    interval: list[float] | None


def calibration(run: Run) -> list[Block]:
    """Draw the reliability diagram of each principal evaluation that has a `calibration.csv`."""
    figures, missing = [], []
    for evaluation in run.principal:
        if not evaluation.calibration:
            missing.append(evaluating_command(run, evaluation))
            continue
        bins = pool(evaluation.calibration, *evaluation.bootstrap)
        about = f"{run.title(evaluation)}: {_count_pixels(evaluation.calibration)}"
        figures.append(_figure(f"calibration{run.suffix(evaluation)}", bins, about, evaluation.confidence))
    if missing and not figures:
        raise NotThere(f"An evaluation has no calibration.csv, as older ones have none. Evaluate again: {missing[0]}")
    return [Figures(figures)] if figures else []


def study_calibration(study: StudyResults) -> list[Block]:
    """Draw one line for each arm that has the probabilities, all its seeds pooled."""
    rows = {
        arm: of_arm
        for arm, evaluations in study.first_tests().items()
        if (of_arm := [row for evaluation in evaluations for row in evaluation.calibration])
    }
    if not rows:
        return []
    drawing, axes = new_axes(height=WIDTH)
    errors = []
    for number, (arm, of_arm) in enumerate(rows.items()):
        bins = pool(of_arm)
        style = "-" if number < len(COLOURS) else ":"
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        error = f"{arm} {share(calibration_error(bins))}"
        points = [part.probability for part in bins], [part.lesion for part in bins]
        axes.plot(*points, style, marker=marker, markersize=4, color=colour, label=error)
        errors.append(error)
    _diagonal(axes)
    finish(axes, "predicted probability", "share of pixels that are lesion", grid="both", legend=True)
    caption = "Behind each arm its expected calibration error: the mean distance to the diagonal, weighted by pixels."
    alt = f"Reliability diagram of the arms; expected calibration error: {', '.join(errors)}."
    return [Figures([Figure("calibration", drawing, alt, caption)])]


def pool(rows: Sequence[Row], samples: int = 0, confidence: float = 0.95, seed: int = 0) -> list[Bin]:
    """Pool the pixels of all lesions in rows of `calibration.csv`, bin by bin.

    The bootstrap of the intervals draws whole patients among those with pixels in the bin; without samples, there are
    no intervals.
    """
    by_range: dict[tuple[float, float], list[Row]] = defaultdict(list)
    for row in rows:
        if row["pixels"]:
            by_range[row["probability_low"], row["probability_high"]].append(row)
    bins = []
    for (low, high), inside in sorted(by_range.items()):
        pixels = np.array([row["pixels"] for row in inside], float)
        lesion = pixels * [row["lesion_share"] for row in inside]
        probability = float(pixels @ [row["mean_probability"] for row in inside] / pixels.sum())
        patients = [row["patient_id"] for row in inside]
        interval = clustered_interval(lesion, patients, samples, confidence, seed, pixels) if samples else None
        bins.append(Bin(low, high, float(pixels.sum()), probability, float(lesion.sum() / pixels.sum()), interval))
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: the mean distance of probability and share of lesion, weighted by pixels."""
    pixels = sum(part.pixels for part in bins)
    return sum(part.pixels * abs(part.probability - part.lesion) for part in bins) / pixels


def _figure(name: str, bins: Sequence[Bin], about: str, confidence: str) -> Figure:
    drawing = Drawing(figsize=(WIDTH, 4.8))
    above, below = drawing.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    ends = {part.probability: part.interval for part in bins if part.interval}
    if ends:
        lows, highs = zip(*ends.values(), strict=True)
        above.vlines(list(ends), lows, highs, color=BLUE, linewidth=4, alpha=0.35, label=f"{confidence} interval")
    x, y = [part.probability for part in bins], [part.lesion for part in bins]
    above.plot(x, y, "-o", color=BLUE, markersize=4, label="network")
    _diagonal(above)
    finish(above, "", "share of pixels that are lesion", grid="both")
    above.legend()
    pixels = sum(part.pixels for part in bins)
    places = [(part.low + part.high) / 2 for part in bins]
    widths = [0.92 * (part.high - part.low) for part in bins]
    below.bar(places, [100 * part.pixels / pixels for part in bins], widths, color=GREY)
    finish(below, "predicted probability", "pixels, %")
    error = share(calibration_error(bins))
    # Where it is worst among the bins that hold enough pixels to matter.
    worst = max((part for part in bins if part.pixels >= pixels / 100), key=lambda b: abs(b.probability - b.lesion))
    caption = (
        f"{about}. On the diagonal, a probability is what it says; below it, the network is too sure that a pixel is "
        f"lesion. Expected calibration error, the mean distance to the diagonal weighted by pixels: {error}. Bars: the "
        "share of the pixels with such a probability."
    )
    if ends:
        caption += " The interval draws whole patients."
    alt = (
        f"Reliability diagram: expected calibration error {error}; farthest off, among bins with a hundredth of the "
        f"pixels, at a probability of {share(worst.probability)}, where {share(worst.lesion)} of the pixels are lesion."
    )
    return Figure(name, drawing, alt, caption)


def _diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], ":", color=GREY, label="perfect")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def _count_pixels(rows: Sequence[Row]) -> str:
    pixels = sum(row["pixels"] for row in rows)
    lesions, patients = (len({row[key] for row in rows}) for key in ("lesion_id", "patient_id"))
    return f"{pixels:,.0f} pixels in the crops of {count_lesions(lesions, patients)}"
