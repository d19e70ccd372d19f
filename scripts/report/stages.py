"""What the run's own chain of transforms makes of one mammogram, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from monai.bundle import ConfigParser
from monai.transforms import (
    Compose,
    RandFlipd,
    Randomizable,
    RandRotate90d,
    Resized,
    ScaleIntensityd,
    Transform,
)

from custom.data import LesionDataset, lesion_items, parts_of
from custom.handlers.lesion_results import BOX
from custom.reader import quiet_monai
from custom.transforms import (
    CLAHEd,
    CropLesiond,
    RandCropLesiond,
    RemoveArtifactsd,
    ScaleFramed,
    WienerFilterd,
    lesion_window,
)
from scripts.case import CONTEXT, Row, by_dice
from scripts.report.blocks import Block, Figure, Figures, NotThere
from scripts.report.evaluations import principal
from scripts.report.figures import WIDTH
from scripts.report.lesions import entry_of
from scripts.report.outlined import show_box, shrunk
from scripts.report.sources import Run
from scripts.study.case_figure import show_detail
from scripts.study.cells import share
from scripts.study.palette import BLUE, ORANGE

# Of the detail, in pixels of the mammogram: few enough to see each of them, which is what a filter of 3 pixels changes.
DETAIL = 160
AUGMENTED = 3
GREY_LEVELS = (0.0, 255.0)
RANDOM = {
    RandRotate90d: "turned by quarter turns",
    RandFlipd: "mirrored",
    RandCropLesiond: "cut around a displaced box",
}

Item = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A mammogram after a transform.

    Attributes:
        transform: that was done last.
        image: `(X, Y)`.
        change: `image` less what it was before; None where it was not there or of another size.
    """

    transform: Transform
    image: np.ndarray
    change: np.ndarray | None


def preprocessing_stages(run: Run) -> list[Block]:
    """The stages of a lesion of median Dice: of the whole mammogram, and of the crop.

    Raises:
        NotThere: the config files of the run or the mammogram are gone.
    """
    evaluations = principal(run)
    if not evaluations:
        return []
    rows = by_dice(evaluations[0].lesions)
    row = rows[len(rows) // 2]
    item = lesion_items([entry_of(evaluations[0], row)])[0]
    parser = read_chain(run)
    with quiet_monai():
        of_frame, of_crop = (parser.get_parsed_content(f"{name}_transforms") for name in ("frame", "crop"))
    steps = Steps(item)
    # A frame is large: what is shown of it is taken before the next step is done.
    frames = [_of_frame(step, row) for step in steps.through(of_frame) if _shown(step)]
    crops = [step for step in steps.through(of_crop) if _shown(step)]
    samples, random = augmented(parser, item)
    boxed = bool(run.args.get("box_channel"))
    return [Figures([_frame_figure(row, frames), _crop_figure(row, crops, samples, random, boxed)])]


def read_chain(run: Run) -> ConfigParser:
    """The run's config, with its settings, for the sake of its transforms; no data set belongs to it.

    Raises:
        NotThere: a config file is gone.
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
    """The lesion as the first epochs of the training would see it, and the random transforms that made it so.

    Returns:
        Crops `(X, Y)`, as many as are shown; none where nothing is random.
    """
    with quiet_monai():
        datasets = parts_of(parser.get_parsed_content("train#dataset"))
    random = [step for dataset in datasets for step in dataset.transform.transforms if isinstance(step, Randomizable)]
    if not random:
        return [], []
    fixed = {id(dataset): dict(item) for dataset in datasets}
    for dataset in datasets:
        fixed[id(dataset)] = Compose(_before_random(dataset))(fixed[id(dataset)])
    samples = []
    draws = ((epoch, dataset) for epoch in count(1) for dataset in datasets)
    for epoch, dataset in islice(draws, AUGMENTED):
        state = np.random.SeedSequence([dataset.seed, epoch, 0]).generate_state(1)
        chain = Compose(dataset.transform.transforms[len(_before_random(dataset)) :])
        samples.append(np.asarray(chain.set_random_state(seed=int(state[0]))(fixed[id(dataset)])["image"])[0])
    return samples, random


def _before_random(dataset: LesionDataset) -> list[Transform]:
    return list(takewhile(lambda step: not isinstance(step, Randomizable), dataset.transform.transforms))


class Steps:
    """Takes an item through transforms; `item` is what they have made of it so far."""

    def __init__(self, item: Item) -> None:
        self.item = item

    def through(self, transforms: Sequence[Callable[[Item], Item]]) -> Iterator[Step]:
        for transform in transforms:
            before = self.item["image"]
            self.item = transform(self.item)
            image = np.asarray(self.item["image"])[0]
            comparable = not isinstance(before, str) and before.shape[1:] == image.shape
            yield Step(transform, image, image - np.asarray(before)[0] if comparable else None)


def _shown(step: Step) -> bool:
    """Whether there is a change to see: a frame whose levels are scaled is shown just like the one before."""
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
    window = _detail_window(row, step.image.shape)
    x0, y0, x1, y1 = window
    frame = shrunk(step.image)
    limits = GREY_LEVELS if step.change is not None else (float(step.image.min()), float(step.image.max()))
    if isinstance(step.transform, RemoveArtifactsd):
        limits = (float(step.image.min()), float(step.image.max()))
    return _Stage(
        _title(step),
        frame,
        frame.shape[0] / step.image.shape[0],
        limits,
        window,
        step.image[x0:x1, y0:y1].copy(),
        None if step.change is None else step.change[x0:x1, y0:y1].copy(),
    )


def _detail_window(row: Row, shape: Sequence[int]) -> tuple[int, int, int, int]:
    """The lesion with its surroundings; of a large one the middle."""
    x0, y0, x1, y1 = lesion_window([row[edge] for edge in BOX], CONTEXT, square=True)
    excess = max(x1 - x0 - DETAIL, 0) // 2
    return (
        max(x0 + excess, 0),
        max(y0 + excess, 0),
        min(x1 - excess, shape[0]),
        min(y1 - excess, shape[1]),
    )


def _title(step: Step) -> str:
    transform: Any = step.transform
    match transform:
        case RemoveArtifactsd():
            return "artifacts\nremoved"
        case WienerFilterd():
            return f"Wiener filter,\n{_times(transform.converter.window)} pixels"
        case CLAHEd():
            return f"CLAHE, clip {transform.converter.clip_limit:g},\n{_times(transform.converter.tiles)} tiles"
        case CropLesiond():
            return f"crop, margin {share(transform.cropper.margin, 2)},\n{_times(step.image.shape)} pixels"
        case Resized():
            return f"resized to\n{_times(step.image.shape)} pixels"
        case ScaleIntensityd():
            return f"normalised to\n{step.image.min():g} to {step.image.max():g}"
    return "as stored\n" if step.change is None else f"{type(transform).__name__}\n"


def _times(sides: Sequence[int]) -> str:
    return " x ".join(map(str, sides))


def _frame_figure(row: Row, stages: Sequence[_Stage]) -> Figure:
    changed = any(stage.change is not None for stage in stages)
    heights = [stages[0].frame.shape[1] / stages[0].frame.shape[0], 1, *([1] if changed else [])]
    width = WIDTH / max(len(stages), 3)
    drawing = Drawing(figsize=(WIDTH, width * sum(heights) + 0.45 + 0.3 * changed))
    grid = drawing.subplots(len(heights), len(stages), squeeze=False, height_ratios=heights)
    for column, stage in zip(grid.T, stages, strict=True):
        show_detail(column[0], stage.frame, stage.limits)
        column[0].set_title(stage.title, fontsize=8)
        show_box(column[0], [row[edge] for edge in BOX], stage.scale, BLUE)
        show_box(column[0], stage.window, stage.scale, ORANGE)
        dark, bright = np.quantile(stage.detail, (0.005, 0.995))
        show_detail(column[1], stage.detail, (float(dark), float(bright)))
        if stage.change is not None:
            _show_change(column[2], stage.change)
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


def _show_change(axes: Axes, change: np.ndarray) -> None:
    level = max(float(np.quantile(np.abs(change), 0.995)), 1e-6)
    show_detail(axes, change, (-level, level))
    axes.set_xlabel(f"± {level:.0f}" if level >= 1 else f"± {level:.1g}", fontsize=8)


def _crop_figure(
    row: Row, steps: Sequence[Step], samples: Sequence[np.ndarray], random: Sequence[Transform], boxed: bool
) -> Figure:
    tiles = [(_title(step), step.image, GREY_LEVELS if step.image.max() > 1 else (0.0, 1.0)) for step in steps]
    first_row = len(tiles)
    tiles += [(f"augmented,\nsample {number}", sample, (0.0, 1.0)) for number, sample in enumerate(samples, start=1)]
    rows = -(-len(tiles) // 3)
    drawing = Drawing(figsize=(WIDTH, 1.95 * rows))
    places: list[Axes] = drawing.subplots(rows, 3, squeeze=False).ravel().tolist()
    for axes, (title, image, limits) in zip(places, tiles, strict=False):
        show_detail(axes, shrunk(image), limits)
        axes.set_title(title)
    for axes in places[len(tiles) :]:
        axes.axis("off")
    told = ", ".join(dict.fromkeys(RANDOM.get(type(step), type(step).__name__) for step in random))
    made = " ".join(title.replace("\n", " ") + "." for title, _, _ in tiles[:first_row])
    augmentation = f" {len(samples)} samples as the training would see them, at random {told}." if samples else ""
    return Figure(
        "preprocessing_crop",
        drawing,
        f"The crop of lesion {row['lesion_id']} on its way into the network: {made}{augmentation}",
        f"Lesion {row['lesion_id']} after the steps above: what the network takes in"
        f"{', beside the box as a second channel' if boxed else ''}.{augmentation}",
        photographic=True,
    )
