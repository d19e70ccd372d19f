"""`study contrast`: how far CLAHE and plain histogram equalisation make a lesion stand out from its surroundings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from custom.data import Datalist, lesion_items
from custom.errors import InputError
from custom.readers import read_mask, read_pixels
from custom.transforms import CLAHE, CropLesion, mask_box
from custom.transforms.artifacts import breast_mask, brighter_than_background, largest_object
from scripts.common.drawing import BLUE, ORANGE, show_detail
from scripts.common.formatting import text_table, times
from scripts.common.phantom.measure import lesion_ring
from scripts.study.images import (
    NUMBER,
    Images,
    Measured,
    Row,
    choose_cases,
    draw_dots,
    mean_and_range,
    new_details,
    scaled,
    span,
    to_8_bit,
)

CLIP_LIMIT = 2.0
TILES = (8, 8)

NONE, EQUALISATION, LESION, RING = "none", "histogram equalisation", "lesion", "ring"
METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    NONE: lambda frame: frame,
    EQUALISATION: lambda frame: cv2.equalizeHist(to_8_bit(frame)),
    "CLAHE": lambda frame: np.asarray(CLAHE(CLIP_LIMIT, TILES)(frame[None]))[0],
}
# CNR of five CBIS-DDSM mammograms.
PUBLISHED = {EQUALISATION: (0.70, 0.99), "CLAHE": (0.83, 1.21)}

# Surroundings that the figure shows on every side, as a share of the lesion: the ring and a little more.
CONTEXT = 0.4


def measure_contrast(datalist: Datalist, part: str, cases: Sequence[str] | None, seed: int) -> Measured:
    """Measure contrast-to-noise ratios of lesions before and after equalisation of the whole mammogram.

    Neither follows a Wiener filter here, so that only the equalisation is compared. Histogram equalisation is OpenCV's,
    which takes 8 bit only; CLAHE is the one of the training. See `choose_cases` for the arguments.

    Raises:
        InputError: A case or a part that is not there, a lesion without a mask or without tissue around it, or a file
            that cannot be read.
    """
    items = lesion_items(choose_cases(datalist, part, cases, seed))
    rows: list[Row] = []
    details: dict[str, Images] = {}
    for item in tqdm(items, desc="lesions", unit="lesion", disable=None):
        name = item["lesion_id"]
        frame, lesion, ring = _read(item, datalist.masks_by_image[item["image"]])
        images = {method: apply(frame) for method, apply in METHODS.items()}
        rows += [
            {"case": name, "method": method, "cnr": contrast_to_noise(image, lesion, ring)}
            for method, image in images.items()
        ]
        details[name] = _cut({**images, LESION: lesion, RING: ring})
    values = {method: [row["cnr"] for row in rows if row["method"] == method] for method in METHODS}
    parameters = [
        [EQUALISATION, "OpenCV's, of the whole mammogram, 8 bit"],
        ["CLAHE", f"clip limit {CLIP_LIMIT:g}, {times(TILES)} tiles"],
    ]
    blocks = _blocks(list(details), values)
    return Measured(rows, list(details), blocks, parameters, _draw(values), _draw_details(details, values))


def contrast_to_noise(image: np.ndarray, lesion: np.ndarray, ring: np.ndarray) -> float:
    """Return the mean of the lesion minus the mean of the ring, over the standard deviation of the ring.

    All arrays are `(X, Y)`, the masks bool. The ratio is negative if the lesion is darker than its surroundings.
    """
    around = image[ring].astype(np.float64)
    return float((image[lesion].mean(dtype=np.float64) - around.mean()) / around.std())


def tissue_ring(frame: np.ndarray, lesion: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the `lesion_ring` of a lesion without other lesions and without the air outside the breast.

    A lesion near the skin has film-black air in its ring. It would add to contrast and noise alike and say nothing of
    how the lesion stands out from tissue. The breast is found on the untreated mammogram as for the removal of
    artefacts, but without the margin that is kept there; dark tissue inside it counts as tissue. All arrays are
    `(X, Y)`, the masks bool.
    """
    within_skin = largest_object(brighter_than_background(frame)) > 0
    return lesion_ring(lesion) & ~others & breast_mask(frame) & within_skin


def _read(item: dict[str, Any], masks: set[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the frame, the lesion and its ring, all `(X, Y)`."""
    frame = scaled(read_pixels(item["image"]))
    lesion = _read_mask_of(item["label"], frame)
    others = np.zeros_like(lesion)
    for mask in masks - {item["label"]}:
        others |= _read_mask_of(mask, frame)
    if not lesion.any():
        raise InputError(f"{item['label']}: the mask is empty, expected a lesion; name other lesions with --cases")
    ring = tissue_ring(frame, lesion, others)
    if len(np.unique(to_8_bit(frame[ring]))) < 2:
        raise InputError(f"{item['label']}: no tissue but flat grey around the lesion; name other lesions with --cases")
    return frame, lesion, ring


def _read_mask_of(file: str, frame: np.ndarray) -> np.ndarray:
    mask = read_mask(file)
    if mask.shape != frame.shape:
        raise InputError(f"{file}: found a mask of {mask.shape} pixels, expected {frame.shape} as its mammogram has")
    return mask


def _cut(images: Images) -> Images:
    """Cut every image and both masks out around the lesion."""
    box = mask_box(images[LESION][None])
    assert box is not None
    cut = CropLesion(margin=CONTEXT)
    return {name: np.asarray(cut(image[None].astype(np.float32), box))[0] for name, image in images.items()}


def _blocks(cases: Sequence[str], values: dict[str, list[float]]) -> list[str]:
    lines = [
        [
            method,
            mean_and_range(column, 2),
            "" if method == NONE else mean_and_range(np.subtract(column, values[NONE]), 2, "+"),
            span(PUBLISHED[method], 2) if method in PUBLISHED else "",
        ]
        for method, column in values.items()
    ]
    by_case = [
        [case, *(f"{value:.2f}" for value in of_case)] for case, *of_case in zip(cases, *values.values(), strict=True)
    ]
    above = sum(clahe > plain for clahe, plain in zip(values["CLAHE"], values[EQUALISATION], strict=True))
    return [
        "# Contrast",
        "![Contrast-to-noise ratios](figure.png)",
        "![Lesions before and after](cases.png)",
        "Contrast-to-noise ratio: mean of the lesion minus mean of a ring around it, over the standard deviation of "
        "the ring. The ring is as wide as half the radius of a disc of the lesion's area; other lesions and the air "
        "outside the breast are left out. The sign is kept: below 0 the lesion is darker than its surroundings. Mean "
        "over the lesions, range in brackets; the last column is the paper's, which does not tell its ring.",
        text_table(("method", "CNR", "change", "CNR, paper"), lines),
        f"CLAHE is above histogram equalisation in {above} of {len(by_case)} lesions.",
        text_table(("lesion", *METHODS), by_case),
    ]


def _draw(values: dict[str, list[float]]) -> Figure:
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    draw_dots(axes, values, PUBLISHED, "CNR")
    axes.set_title("Lesion against the ring around it", fontsize=10)
    return figure


def _draw_details(details: dict[str, Images], values: dict[str, list[float]]) -> Figure:
    shown = dict(list(details.items())[:NUMBER])
    figure, grid = new_details(list(shown), ("lesion and its ring", *METHODS), 2.3)
    for place, (line, images) in enumerate(zip(grid, shown.values(), strict=True)):
        show_detail(line[0], images[NONE], (float(images[NONE].min()), float(images[NONE].max())))
        for mask, colour in ((RING, ORANGE), (LESION, BLUE)):
            line[0].contour(images[mask].T, [0.5], colors=colour, linewidths=1)
        for axes, method in zip(line[1:], METHODS, strict=True):
            show_detail(axes, images[method], (0, 255), f"CNR {values[method][place]:.2f}")
    return figure
