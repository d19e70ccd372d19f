"""One mammogram on its way through the run's own chain of transforms, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing
from monai.bundle import ConfigParser
from monai.transforms import RandFlipd, Randomizable, RandRotate90d, Resized, ScaleIntensityd, Transform

from custom.data import lesion_items, parts_of
from custom.transforms import (
    CLAHEd,
    CropLesiond,
    RandCropLesiond,
    RemoveArtifactsd,
    ScaleFramed,
    WienerFilterd,
    lesion_window,
)
from scripts.common.cases import CONTEXT, Row, by_dice
from scripts.common.drawing import BLUE, ORANGE, show_detail
from scripts.common.formatting import share, times
from scripts.report.blocks import Block, Figure, Figures, NotThere
from scripts.report.figures import WIDTH, new_tiles, show_box, shrunk
from scripts.report.lesions import box_of
from scripts.report.sources import Run

# Side of the detail in pixels of the mammogram: few enough to see each, as a filter of 3 pixels changes each.
DETAIL = 160
AUGMENTED = 3
GREY_LEVELS = (0.0, 255.0)
RANDOM = {RandRotate90d: "rotated by 90 degrees", RandFlipd: "mirrored", RandCropLesiond: "cut around a shifted box"}


@dataclass(frozen=True)
class Step:
    """A mammogram `(X, Y)` after a transform, and its change by it; None where it was not there or of another size."""

    transform: Transform
    image: np.ndarray
    change: np.ndarray | None


def preprocessing_stages(run: Run) -> list[Block]:
    """Draw the stages of a lesion of median Dice: of the whole mammogram, and of the crop."""
    evaluations = run.principal
    if not evaluations:
        return []
    rows = by_dice(evaluations[0].lesions)
    row = rows[len(rows) // 2]
    item = lesion_items([evaluations[0].entry(row)])[0]
    parser = read_chain(run)
    of_frame, of_crop = (parser.get_parsed_content(f"{name}_transforms") for name in ("frame", "crop"))
    steps = through(item, [*of_frame, *of_crop])
    # A frame is large: what is shown of it is taken before the next step is done.
    frames = [_of_frame(step, row) for step in islice(steps, len(of_frame)) if _shown(step)]
    crops = [step for step in steps if _shown(step)]
    samples, random = augmented(parser, item)
    boxed = bool(run.args.get("box_channel"))
    return [Figures([_frame_figure(row, frames), _crop_figure(row, crops, samples, random, boxed)])]


def read_chain(run: Run) -> ConfigParser:
    """Read the run's config, with its settings, for its transforms; it has no data set.

    Raises:
        NotThere: A config file is gone.
    """
    files = [Path(file) for file in run.args["config_file"]]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise NotThere(
            f"The config files of the run ({', '.join(missing)}) are not where it found them. Put them back, or "
            "correct their paths in its training.json."
        )
    parser = ConfigParser()
    parser.read_config(run.args["config_file"])
    parser.update({name: value for name, value in run.args.items() if name in parser})
    parser.update({"cache_dir": None, "train#items": []})
    return parser


def augmented(parser: ConfigParser, item: Mapping[str, Any]) -> tuple[list[np.ndarray], list[Transform]]:
    """Make the lesion's crops `(X, Y)` as the first epochs of the training would see it.

    Returns:
        The crops, and the random transforms that made them; none where nothing is random.
    """
    parser.update({"train#items": [dict(item)]})
    datasets = parts_of(parser.get_parsed_content("train#dataset"))
    random = [step for dataset in datasets for step in dataset.transform.transforms if isinstance(step, Randomizable)]
    if not random:
        return [], []
    samples = []
    for epoch, dataset in islice(((epoch, dataset) for epoch in count(1) for dataset in datasets), AUGMENTED):
        dataset.epoch = epoch
        samples.append(np.asarray(dataset[0]["image"])[0])
    return samples, random


def through(item: Mapping[str, Any], transforms: Sequence[Any]) -> Iterator[Step]:
    """Take an item through transforms, one at a time."""
    for transform in transforms:
        before = item["image"]
        item = transform(item)
        image = np.asarray(item["image"])[0]
        comparable = not isinstance(before, str) and before.shape[1:] == image.shape
        yield Step(transform, image, image - np.asarray(before)[0] if comparable else None)


def _shown(step: Step) -> bool:
    """Tell whether there is a change to see: a frame whose levels are scaled is shown just like the one before."""
    if step.change is None:
        return True
    if isinstance(step.transform, ScaleFramed):
        return False
    return bool(step.change.any())


@dataclass(frozen=True)
class _Stage:
    title: str
    frame: np.ndarray
    scale: float
    limits: tuple[float, float]
    window: Sequence[float]
    detail: np.ndarray
    change: np.ndarray | None


def _of_frame(step: Step, row: Row) -> _Stage:
    # The lesion with its surroundings; of a large one the middle.
    x0, y0, x1, y1 = lesion_window(box_of(row), CONTEXT, square=True)
    excess = max(x1 - x0 - DETAIL, 0) // 2
    columns, rows = step.image.shape
    x0, y0, x1, y1 = max(x0 + excess, 0), max(y0 + excess, 0), min(x1 - excess, columns), min(y1 - excess, rows)
    frame = shrunk(step.image)
    limits = GREY_LEVELS
    if step.change is None or isinstance(step.transform, RemoveArtifactsd):
        limits = float(step.image.min()), float(step.image.max())
    return _Stage(
        _title(step),
        frame,
        frame.shape[0] / columns,
        limits,
        (x0, y0, x1, y1),
        step.image[x0:x1, y0:y1].copy(),
        None if step.change is None else step.change[x0:x1, y0:y1].copy(),
    )


def _title(step: Step) -> str:
    transform: Any = step.transform
    match transform:
        case RemoveArtifactsd():
            return "artifacts\nremoved"
        case WienerFilterd():
            return f"Wiener filter,\n{times(transform.converter.window)} pixels"
        case CLAHEd():
            return f"CLAHE, clip {transform.converter.clip_limit:g},\n{times(transform.converter.tiles)} tiles"
        case CropLesiond():
            return f"crop, margin {share(transform.cropper.margin, 2)},\n{times(step.image.shape)} pixels"
        case Resized():
            return f"resized to\n{times(step.image.shape)} pixels"
        case ScaleIntensityd():
            return f"normalised to\n{step.image.min():g} to {step.image.max():g}"
    return "as stored\n" if step.change is None else f"{type(transform).__name__}\n"


def _frame_figure(row: Row, stages: Sequence[_Stage]) -> Figure:
    changed = any(stage.change is not None for stage in stages)
    heights = [stages[0].frame.shape[1] / stages[0].frame.shape[0], 1, *([1] if changed else [])]
    width = WIDTH / max(len(stages), 3)
    drawing = Drawing(figsize=(WIDTH, width * sum(heights) + 0.45 + 0.3 * changed))
    grid = drawing.subplots(len(heights), len(stages), squeeze=False, height_ratios=heights)
    for column, stage in zip(grid.T, stages, strict=True):
        show_detail(column[0], stage.frame, stage.limits)
        column[0].set_title(stage.title, fontsize=8)
        show_box(column[0], box_of(row), stage.scale, BLUE)
        show_box(column[0], stage.window, stage.scale, ORANGE)
        dark, bright = np.quantile(stage.detail, (0.005, 0.995))
        show_detail(column[1], stage.detail, (float(dark), float(bright)))
        if stage.change is not None:
            level = max(float(np.quantile(np.abs(stage.change), 0.995)), 1e-6)
            show_detail(column[2], stage.change, (-level, level))
            column[2].set_xlabel(f"± {level:.0f}" if level >= 1 else f"± {level:.1g}", fontsize=8)
        elif changed:
            column[2].axis("off")
    steps = " ".join(stage.title.replace("\n", " ").strip() + "." for stage in stages)
    change = (
        " Third row: what the step changed there, grey where nothing, bright where it added and dark where it took "
        "away; the number under it is the grey levels, of 255, that are shown as white and, below 0, as black."
    )
    return Figure(
        "preprocessing_stages",
        drawing,
        f"The mammogram of lesion {row['lesion_id']} and a detail of it after each step on the whole frame, from left "
        f"to right: {steps}",
        f"Lesion {row['lesion_id']}, of median Dice, with the filters of this run. First row: the mammogram; blue: the "
        f"lesion's box, orange: the detail. Second row: the detail, pixel by pixel, in the range of its own "
        f"grey levels.{change if changed else ''}",
        photographic=True,
    )


def _crop_figure(
    row: Row, steps: Sequence[Step], samples: Sequence[np.ndarray], random: Sequence[Transform], boxed: bool
) -> Figure:
    tiles = [(_title(step), step.image, GREY_LEVELS if step.image.max() > 1 else (0.0, 1.0)) for step in steps]
    made = " ".join(title.replace("\n", " ") + "." for title, _, _ in tiles)
    tiles += [(f"augmented,\nsample {number}", sample, (0.0, 1.0)) for number, sample in enumerate(samples, start=1)]
    drawing, places = new_tiles(len(tiles), 3, 1.95)
    for axes, (title, image, limits) in zip(places, tiles, strict=True):
        show_detail(axes, shrunk(image), limits)
        axes.set_title(title)
    how = ", ".join(dict.fromkeys(RANDOM.get(type(step), type(step).__name__) for step in random))
    augmentation = f" {len(samples)} samples as the training would see them, at random {how}." if samples else ""
    return Figure(
        "preprocessing_crop",
        drawing,
        f"The crop of lesion {row['lesion_id']} on its way into the network: {made}{augmentation}",
        f"Lesion {row['lesion_id']} after the steps above: what the network takes in"
        f"{', beside the box as a second channel' if boxed else ''}.{augmentation}",
        photographic=True,
    )
