"""Hold phantoms against real mammograms: `python -m scripts.phantoms.compare --real DIR --output DIR`.

Both are measured with the same code (`measure`). Written are a figure of curves (power spectra, grey-level histograms,
distributions of lesion size and contrast), two contact sheets of phantoms only, and the figures as a Markdown table on
the standard output. No pixel of a real mammogram is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import fire
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from custom.errors import InputError, report_input_errors
from scripts.common.phantom import measure
from scripts.common.phantom.cohort import DENSITIES, DIAMETER_MEDIAN, STANDARD_VIEWS, draw_patient
from scripts.common.phantom.generate import generate_phantom
from scripts.common.tables import read_content, read_table

GreyMammogram = tuple[measure.GreyImage, list[NDArray[np.bool_]], int]

IMAGE_SIZE = (800, 1300)
LEVELS = np.arange(0, 257, 4)
SHEET_SEED = 14
LESION_NAMES = {
    "size": "longer side / image width",
    "contrast": "lesion minus ring, grey levels",
    "cnr": "over ring sd",
}


@dataclass
class Sample:
    """What was measured on one set of mammograms; lists run over mammograms, by density class, or over lesions."""

    spectra: dict[int, list[NDArray[np.float64]]] = field(default_factory=lambda: defaultdict(list))
    histograms: dict[int, list[NDArray[np.float64]]] = field(default_factory=lambda: defaultdict(list))
    lesions: list[dict[str, float]] = field(default_factory=list)
    mammograms: int = 0


def compare(real: str, output: str, patients: int = 100, seed: int = 0, mammograms: int = 300) -> None:
    """Measure both sets and write `phantoms_comparison.png`, `phantoms_sheet.png` and `phantoms_masses.png`.

    Args:
        real: prepared folder of real mammograms with a `manifest.csv`.
        output: folder for the pictures.
        patients: number of phantom patients to measure.
        seed: seed of the phantoms, and of the choice among the real mammograms.
        mammograms: number of real mammograms to measure.

    Raises:
        InputError: if the real folder has no manifest, an image cannot be read, or there are too few to measure.
    """
    samples = {
        "CBIS-DDSM": _measure_all(_read_real(Path(str(real)), mammograms, seed)),
        "phantoms": _measure_all(_draw_phantoms(patients, seed)),
    }
    for name, sample in samples.items():
        for density in DENSITIES:
            if not sample.spectra[density]:
                raise InputError(f"{name}: no breast of density {density} is large enough to measure; ask for more")
    folder = Path(str(output))
    folder.mkdir(parents=True, exist_ok=True)
    _plot(samples, folder / "phantoms_comparison.png")
    for name, picture in (("sheet", contact_sheet(SHEET_SEED)), ("masses", mass_sheet(SHEET_SEED))):
        cv2.imwrite(str(folder / f"phantoms_{name}.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(_table(samples))


def contact_sheet(seed: int, columns: int = 6, width: int = 190, gap: int = 4) -> NDArray[np.uint8]:
    """Phantoms in CC (first row) and MLO (second), the right half with artefacts, `(rows, columns)`, 8 bit."""
    tiles = []
    for number in range(1, 2 * columns + 1):
        patient = draw_patient(seed, number)
        view = STANDARD_VIEWS[(number - 1) // columns % 2]
        image = generate_phantom(
            seed, patient, view, IMAGE_SIZE, artifacts=(number - 1) % columns >= columns // 2
        ).image
        size = (width, round(width * IMAGE_SIZE[1] / IMAGE_SIZE[0]))
        small = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) >> 4).astype(np.uint8)
        tiles.append(cv2.copyMakeBorder(small, 0, gap, 0, gap, cv2.BORDER_CONSTANT, value=96))
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def mass_sheet(seed: int, side: int = 200) -> NDArray[np.uint8]:
    """The first mass of each kind of margins, plain (first row) and with its true outline (second), 8 bit."""
    tiles: dict[str, NDArray[np.uint8]] = {}
    number = 0
    while len(tiles) < len(DIAMETER_MEDIAN):
        number += 1
        patient = draw_patient(seed, number)
        margins = patient.lesions[0].margins
        if margins in tiles:
            continue
        phantom = generate_phantom(seed, patient, "CC", IMAGE_SIZE)
        y, x = np.nonzero(phantom.masks[0])
        scale = side / (2 * max(np.ptp(x), np.ptp(y)))
        move = np.array([[scale, 0, side / 2 - scale * x.mean()], [0, scale, side / 2 - scale * y.mean()]])
        plain = cv2.warpAffine((phantom.image >> 4).astype(np.uint8), move, (side, side), flags=cv2.INTER_CUBIC)
        mask = cv2.warpAffine(phantom.masks[0], move, (side, side), flags=cv2.INTER_LINEAR)
        outline, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        tiles[margins] = np.vstack([plain, cv2.drawContours(plain.copy(), outline, -1, 255, 1)])
    return np.hstack([tiles[margins] for margins in DIAMETER_MEDIAN])


def _read_real(folder: Path, count: int, seed: int) -> Iterator[GreyMammogram]:
    path = folder / "manifest.csv"
    if not path.is_file():
        raise InputError(f"{path}: not found; --real must name a folder with images/, masks/ and manifest.csv")
    lesions = defaultdict(list)
    for row in read_table(read_content(path), path, ("image", "mask", "density")):
        lesions[row["image"]].append(row)
    names = sorted(lesions)
    for i in np.random.default_rng(seed).permutation(len(names))[:count]:
        rows = lesions[names[i]]
        masks = [_read_grey(folder / row["mask"]) > 127 for row in rows]
        yield _read_grey(folder / names[i]).astype(np.float32), masks, int(rows[0]["density"])


def _read_grey(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise InputError(f"{path}: not a readable image; restore the file that the manifest names")
    return np.asarray(image, np.uint8)


def _draw_phantoms(patients: int, seed: int) -> Iterator[GreyMammogram]:
    for number in range(1, patients + 1):
        patient = draw_patient(seed, number)
        for view in STANDARD_VIEWS:
            phantom = generate_phantom(seed, patient, view, IMAGE_SIZE)
            yield (
                phantom.image.astype(np.float32) / np.float32(16),
                [mask > 0 for mask in phantom.masks],
                patient.density,
            )


def _measure_all(mammograms: Iterable[GreyMammogram]) -> Sample:
    sample = Sample()
    for grey, masks, density in mammograms:
        inside = measure.breast_interior(grey)
        spectrum = measure.power_spectrum(grey, inside)
        if spectrum is not None:
            sample.spectra[density].append(spectrum)
        if inside.any():
            sample.histograms[density].append(np.histogram(grey[inside], LEVELS, density=True)[0])
        sample.lesions += [measure.lesion_statistics(grey, mask) for mask in masks]
        sample.mammograms += 1
    return sample


def _plot(samples: dict[str, Sample], path: Path) -> None:
    figure = Figure(figsize=(12, 8.2), layout="constrained")
    axes = figure.subplots(3, 4)
    frequency = np.arange(1, measure.PATCH // 2) / measure.PATCH
    for name, sample in samples.items():
        colour = "black" if name == "CBIS-DDSM" else "tab:orange"
        for top, middle, density in zip(axes[0], axes[1], DENSITIES, strict=True):
            spectra = np.array(sample.spectra[density])[:, 1:]
            top.loglog(frequency, np.median(spectra, axis=0), color=colour, label=name)
            low, high = np.percentile(spectra, [10, 90], axis=0)
            top.fill_between(frequency, low, high, color=colour, alpha=0.15, linewidth=0)
            top.set(title=f"density {density}", xlabel="cycles / pixel")
            middle.plot(LEVELS[:-1] + 2, np.mean(sample.histograms[density], axis=0), color=colour)
            middle.set(xlabel="grey level in the breast", yticks=[])
        for axis, (key, label) in zip(axes[2], LESION_NAMES.items(), strict=False):
            values = np.sort([lesion[key] for lesion in sample.lesions])
            axis.plot(values, np.linspace(0, 1, len(values)), color=colour)
            axis.set(xlabel=label, xlim=np.percentile(values, [0, 98]) * (1, 1.1))
    axes[0, 0].set_ylabel("power")
    axes[1, 0].set_ylabel("frequency")
    axes[2, 0].set_ylabel("share of lesions")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    axes[2, 3].legend(handles, labels, loc="center", frameon=False)
    axes[2, 3].axis("off")
    figure.savefig(path, dpi=80)


def _table(samples: dict[str, Sample]) -> str:
    lines = [f"| | {' | '.join(samples)} |", "| --- |" + " --- |" * len(samples)]

    def row(title: str, cells: Iterable[str]) -> None:
        lines.append(f"| {title} | {' | '.join(cells)} |")

    def spread(values: list[float], form: str) -> str:
        return " ".join(format(value, form) for value in np.percentile(values, [5, 50, 95]))

    row("mammograms, lesions", (f"{sample.mammograms}, {len(sample.lesions)}" for sample in samples.values()))
    for density in DENSITIES:
        exponents = ([measure.fit_exponent(s) for s in sample.spectra[density]] for sample in samples.values())
        row(f"spectral exponent, density {density}", (spread(values, ".2f") for values in exponents))
    for key, form in (("size", ".3f"), ("fill", ".2f"), ("contrast", ".1f"), ("ring_sd", ".1f"), ("cnr", ".2f")):
        row(f"lesion {key}", (spread([lesion[key] for lesion in s.lesions], form) for s in samples.values()))
    return "\n".join(lines)


if __name__ == "__main__":
    report_input_errors()
    fire.Fire(compare)
