"""`study denoising`: four filters against their own input, as the paper measures them, and against a clean phantom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from custom.data import Datalist, boxed_items
from custom.readers import read_pixels
from custom.transforms import WienerFilter, mask_box
from scripts.common.drawing import BLUE, GREEN, GREY, ORANGE, PINK, show_detail
from scripts.common.formatting import text_table, times
from scripts.common.phantom.cohort import STANDARD_VIEWS, draw_patient, random_stream
from scripts.common.phantom.generate import generate_phantom
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

# By case and noise.
Details = dict[tuple[str, str], Images]

GAUSSIAN_SIGMA = 1.0
MEDIAN_WINDOW = 3
MEANS_STRENGTH, MEANS_PATCH, MEANS_SEARCH = 3, 7, 21
WIENER_WINDOW = 3

NO_FILTER, NO_NOISE, CLEAN = "no filter", "none", "clean"
FILTERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Gaussian": lambda frame: cv2.GaussianBlur(frame, (0, 0), GAUSSIAN_SIGMA),
    "median": lambda frame: cv2.medianBlur(frame, MEDIAN_WINDOW),
    "non-local means": lambda frame: cv2.fastNlMeansDenoising(frame, None, MEANS_STRENGTH, MEANS_PATCH, MEANS_SEARCH),
    "Wiener": lambda frame: to_8_bit(np.asarray(WienerFilter(WIENER_WINDOW)(frame[None]))[0]),
}
# PSNR and MSE of five CBIS-DDSM mammograms, filtered against input.
PUBLISHED = {
    "Gaussian": {"psnr": (35.8, 42.1), "mse": (4.0, 16.9)},
    "median": {"psnr": (41.3, 48.9), "mse": (0.8, 4.9)},
    "non-local means": {"psnr": (40.3, 46.2), "mse": (1.6, 6.0)},
    "Wiener": {"psnr": (41.6, 49.2), "mse": (0.8, 4.5)},
}

PHANTOM_SIZE = (800, 1300)
DETAIL = 96


@dataclass(frozen=True)
class Noise:
    """Noise of a film scanner: light comes in quanta, more of it through bright film; then read-out adds its own.

    Attributes:
        quanta: Mean number of quanta per grey level of the 8-bit scale, Poisson.
        sd: Standard deviation of the Gaussian read-out noise, in grey levels.
    """

    quanta: float
    sd: float

    def add(self, rng: np.random.Generator, frame: np.ndarray) -> np.ndarray:
        """Return `frame` of grey levels 0 to 255 with noise, neither rounded nor clipped, float64."""
        light = rng.poisson(frame.astype(np.float64) * self.quanta) / self.quanta
        return light + rng.normal(0, self.sd, frame.shape)

    def sd_at(self, grey: float) -> float:
        """Return the standard deviation of both together at a grey level."""
        return math.sqrt(grey / self.quanta + self.sd**2)


# Each has twice the standard deviation of the one before, at every grey level.
NOISES = {"weak": Noise(50, 1), "medium": Noise(12.5, 2), "strong": Noise(3.125, 4)}
SHOWN_NOISE = "medium"


def measure_denoising(datalist: Datalist, part: str, cases: Sequence[str] | None, seed: int) -> Measured:
    """Measure PSNR and MSE of four filters against their input, as published, and against clean phantoms.

    All images are 8 bit: the input of a filter, its output and the reference. Non-local means of OpenCV takes nothing
    else, so its rounding would count against it alone if the others were measured in float. Rounding adds up to 1/12
    to an MSE. See `choose_cases` for the arguments; the seed is also that of the phantoms and their noise.

    Raises:
        InputError: A case or a part that is not there, or a file that cannot be read.
    """
    entries = choose_cases(datalist, part, cases, seed, one_per="image")
    rows: list[Row] = []
    details: Details = {}
    for item in tqdm(boxed_items(entries), desc="mammograms", unit="mammogram", disable=None):
        name = Path(item["image"]).stem
        frame = to_8_bit(scaled(read_pixels(item["image"])))
        images = filter_all(frame)
        rows += [_row(name, method, "input", NO_NOISE, mse(image, frame)) for method, image in images.items()]
        details[name, NO_NOISE] = _cut({NO_FILTER: frame} | images, item["box"])
    names = [name for name, _ in details]
    details = dict(list(details.items())[:NUMBER])
    for number in tqdm(range(1, NUMBER + 1), desc="phantoms", unit="phantom", disable=None):
        name, phantom_rows, detail = measure_phantom(seed, number)
        rows += phantom_rows
        if number == 1:
            details[name, SHOWN_NOISE] = detail
    parameters = [
        ["Gaussian", f"sigma {GAUSSIAN_SIGMA:g}"],
        ["median", f"window {MEDIAN_WINDOW}"],
        ["non-local means", f"h {MEANS_STRENGTH}, patch {MEANS_PATCH}, search window {MEANS_SEARCH}"],
        ["Wiener", f"window {WIENER_WINDOW}, noise power estimated"],
        ["phantoms", f"number 1 to {NUMBER} of the seed, {times(PHANTOM_SIZE)} pixels"],
    ]
    return Measured(rows, names, _blocks(rows), parameters, _draw(rows), _draw_details(rows, details))


def filter_all(frame: np.ndarray) -> Images:
    """Return the 8-bit results of every filter on an 8-bit frame."""
    return {name: apply(frame) for name, apply in FILTERS.items()}


def mse(image: np.ndarray, reference: np.ndarray, inside: np.ndarray | None = None) -> float:
    """Return the mean squared difference of two 8-bit images, of all pixels or of those `inside`."""
    squares = np.square(image.astype(np.float32) - reference)
    return float((squares if inside is None else squares[inside]).mean(dtype=np.float64))


def psnr(error: float) -> float:
    """Return the peak signal-to-noise ratio in dB of a mean squared error on the 8-bit scale; infinite without one."""
    return 10 * math.log10(255**2 / error) if error else math.inf


def measure_phantom(seed: int, number: int) -> tuple[str, list[Row], Images]:
    """Filter a phantom with each of the known noises, and measure inside the breast against the phantom without noise.

    Air is left out, since it is flat: whatever smooths it wins, and half of the frame is air. `number` counts the
    phantoms of the seed from 1; the views take turns.

    Returns:
        Name of the phantom, a row for each noise and filter (none as well), and details to show.
    """
    phantom = generate_phantom(seed, draw_patient(seed, number), STANDARD_VIEWS[number % 2], PHANTOM_SIZE, noise=False)
    clean, inside = to_8_bit(scaled(phantom.image.T)), phantom.inside.T
    rows: list[Row] = []
    detail: Images = {}
    for name, noise in NOISES.items():
        noisy = to_8_bit(noise.add(random_stream(seed, number, "noise", name), clean))
        images = {NO_FILTER: noisy} | filter_all(noisy)
        rows += [
            _row(phantom.mammogram_id, method, "clean", name, mse(image, clean, inside))
            for method, image in images.items()
        ]
        if name == SHOWN_NOISE:
            detail = _cut({**images, CLEAN: clean}, mask_box(phantom.masks[0].T[None]))
    return phantom.mammogram_id, rows, detail


def _row(case: str, method: str, reference: str, noise: str, error: float) -> Row:
    return {"case": case, "filter": method, "reference": reference, "noise": noise, "psnr": psnr(error), "mse": error}


def _values(rows: Sequence[Row], column: str, method: str, noise: str) -> list[float]:
    return [row[column] for row in rows if (row["filter"], row["noise"]) == (method, noise)]


def _blocks(rows: Sequence[Row]) -> list[str]:
    against_input = [
        [
            method,
            mean_and_range(_values(rows, "psnr", method, NO_NOISE), 1),
            mean_and_range(_values(rows, "mse", method, NO_NOISE), 2),
            span(PUBLISHED[method]["psnr"], 1),
            span(PUBLISHED[method]["mse"], 1),
        ]
        for method in FILTERS
    ]
    noises = [[name, f"{n.quanta:g}", f"{n.sd:g}", f"{n.sd_at(128):.2f}"] for name, n in NOISES.items()]
    return [
        "# Denoising",
        "![PSNR against input, PSNR against a clean phantom](figure.png)",
        "![Details before and after each filter](cases.png)",
        "## Filtered against input",
        "As the paper measures it. It tells how much a filter changes, not whether it removes noise: a filter that "
        "does nothing has an infinite PSNR. Mean over the mammograms, range in brackets; the last two columns are "
        "the paper's.",
        text_table(("filter", "PSNR, dB", "MSE", "PSNR, paper", "MSE, paper"), against_input),
        "## Filtered against a clean phantom",
        f"{NUMBER} synthetic mammograms, noise of known strength added, measured inside the breast. Mean over the "
        "phantoms, range in brackets; the gain is that over no filter. The paper has no such measure. The phantoms "
        "have hardly any detail of a pixel's size, which a film has: here smoothing costs less than it does there.",
        text_table(("noise", "filter", "PSNR, dB", "gain, dB", "MSE"), _against_clean(rows)),
        text_table(("noise", "quanta per grey level", "read-out sd", "sd at grey level 128"), noises),
        "All images are 8 bit, before and after a filter; PSNR = 10 log10(255² / MSE).",
    ]


def _against_clean(rows: Sequence[Row]) -> list[list[str]]:
    lines = []
    for noise in NOISES:
        before = _values(rows, "psnr", NO_FILTER, noise)
        for method in (NO_FILTER, *FILTERS):
            after = _values(rows, "psnr", method, noise)
            gain = mean_and_range(np.subtract(after, before), 1, "+") if method != NO_FILTER else ""
            error = mean_and_range(_values(rows, "mse", method, noise), 2)
            lines.append([noise, method, mean_and_range(after, 1), gain, error])
    return lines


def _cut(images: Images, box: Sequence[float] | None) -> Images:
    """Cut the same square out of every image, around the middle of `box` as far as the frame allows."""
    assert box is not None
    frame = images[NO_FILTER].shape
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    x, y = (max(0, min(round(at - DETAIL / 2), size - DETAIL)) for at, size in zip(middle, frame, strict=True))
    return {name: image[x : x + DETAIL, y : y + DETAIL] for name, image in images.items()}


def _draw(rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    values = {method: _values(rows, "psnr", method, NO_NOISE) for method in FILTERS}
    draw_dots(left, values, {method: ends["psnr"] for method, ends in PUBLISHED.items()}, "PSNR, dB")
    left.set_title("Mammograms, filtered against input: less change, higher PSNR", fontsize=10)
    for method, colour, marker in zip((NO_FILTER, *FILTERS), (GREY, ORANGE, GREEN, PINK, BLUE), "xos^D", strict=True):
        means = [float(np.mean(_values(rows, "psnr", method, noise))) for noise in NOISES]
        right.plot(list(NOISES), means, marker=marker, color=colour, label=method)
    right.set_title("Phantoms, filtered against clean: less noise, higher PSNR", fontsize=10)
    right.set(xlabel="noise", ylabel="mean PSNR, dB")
    right.legend(fontsize=8)
    return figure


def _draw_details(rows: Sequence[Row], details: Details) -> Figure:
    labels = [case if noise == NO_NOISE else f"{case}\n{noise} noise" for case, noise in details]
    figure, grid = new_details(labels, (NO_FILTER, *FILTERS, ""), 1.7)
    ratios = {(row["case"], row["noise"], row["filter"]): f"{row['psnr']:.1f} dB" for row in rows}
    for line, ((case, noise), images) in zip(grid, details.items(), strict=True):
        limits = (float(images[NO_FILTER].min()), float(images[NO_FILTER].max()))
        for axes, (method, image) in zip(line, images.items(), strict=False):
            show_detail(axes, image, limits, ratios.get((case, noise, method), ""))
        if CLEAN in images:
            line[-1].set_title(CLEAN, fontsize=9)
        else:
            line[-1].axis("off")
    return figure
