"""The folder layouts that phantoms are written in.

A layout takes the phantoms one by one, so that only one is in memory, and writes a file only where its bytes differ
from what is there: writing the same phantoms again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from custom.files import write_csv, write_if_changed
from scripts.common.phantom.generate import Phantom
from scripts.phantoms.cbis_ddsm import VARIANTS, CbisDdsmWriter, RawLesion, RawMammogram, raw_files
from scripts.phantoms.cbis_ddsm_defects import MAMMOGRAM_DEFECTS, STRAY, SWAPPED, UNTIDY, write_stray_files
from scripts.phantoms.encode import encode_png
from scripts.phantoms.inbreast import DEFECTS as INBREAST_DEFECTS
from scripts.phantoms.inbreast import write_inbreast

# Every so many patients one belongs to the official test set, and one has abnormality ids that do not start at 1.
TEST_EVERY, GAP_EVERY = 5, 7


@dataclass(frozen=True)
class Layout:
    """A folder layout.

    Attributes:
        write: Takes the folder, the phantoms, the variant and the defects; returns the numbers of mammograms and of
            lesions. Raises an InputError if a file cannot be written.
        variants: Forms of the layout, the usual one first.
        mammogram_defects: Defects that strike one mammogram each.
        tree_defects: Defects of the whole.
    """

    write: Callable[[Path, Iterable[Phantom], str, Sequence[str]], tuple[int, int]]
    variants: tuple[str, ...] = ("",)
    mammogram_defects: tuple[str, ...] = ()
    tree_defects: tuple[str, ...] = ()


def write_manifest(
    output_dir: Path, phantoms: Iterable[Phantom], variant: str, defects: Sequence[str]
) -> tuple[int, int]:
    """Write 16-bit PNG images, 8-bit PNG masks and `manifest.csv` with one row per lesion, paths relative to it."""
    rows: list[dict[str, object]] = []
    images = 0
    for phantom in phantoms:
        patient, image = phantom.patient, f"images/{phantom.mammogram_id}.png"
        write_if_changed(output_dir / image, encode_png(phantom.image))
        images += 1
        for number, (lesion, mask) in enumerate(zip(patient.lesions, phantom.masks, strict=True), 1):
            lesion_id = f"{phantom.mammogram_id}_{number}"
            mask_path = f"masks/{lesion_id}.png"
            write_if_changed(output_dir / mask_path, encode_png(mask))
            x0, y0, columns, height = cv2.boundingRect(mask)
            rows.append(
                {
                    "image": image, "mask": mask_path, "lesion_id": lesion_id, "patient_id": patient.patient_id,
                    "laterality": patient.laterality, "view": phantom.view, "birads": lesion.birads,
                    "density": patient.density, "pathology": lesion.pathology, "subtlety": lesion.subtlety,
                    "mass_shape": lesion.shape, "mass_margins": lesion.margins,
                    "x0": x0, "y0": y0, "x1": x0 + columns, "y1": y0 + height,
                }
            )  # fmt: skip
    write_csv(output_dir / "manifest.csv", rows)
    return images, len(rows)


def write_cbis_ddsm(
    output_dir: Path, phantoms: Iterable[Phantom], variant: str, defects: Sequence[str]
) -> tuple[int, int]:
    """Write a raw CBIS-DDSM tree with its tables, and `defects.csv`, which names the mammogram of each defect."""
    writer = CbisDdsmWriter(output_dir, variant, untidy=UNTIDY in defects)
    left = [name for name in MAMMOGRAM_DEFECTS if name in defects]
    struck = []
    first = None
    for phantom in phantoms:
        mammogram = raw_mammogram(phantom)
        first = first or mammogram
        files = raw_files(mammogram)
        defect = left.pop(0) if left else None
        if defect:
            struck.append({"mammogram": mammogram.key, "defect": defect})
            files = MAMMOGRAM_DEFECTS[defect](files)
        writer.write(mammogram, files, defect == SWAPPED)
    mammograms = writer.mammograms
    if first and STRAY in defects:
        write_stray_files(writer, first)
    writer.write_tables()
    if struck:
        write_csv(output_dir / "defects.csv", struck)
    return mammograms, sum(map(len, writer.rows.values()))


def raw_mammogram(phantom: Phantom) -> RawMammogram:
    """Turn a phantom into what the collection would hold. Its patients are called `P`, as the format demands."""
    patient = phantom.patient
    lesions = tuple(
        RawLesion(
            number, lesion.shape, lesion.margins, str(lesion.birads), lesion.pathology, str(lesion.subtlety), mask
        )
        for number, (lesion, mask) in enumerate(
            zip(patient.lesions, phantom.masks, strict=True), start=2 if patient.number % GAP_EVERY == 0 else 1
        )
    )
    return RawMammogram(
        part="Test" if patient.number % TEST_EVERY == 0 else "Training",
        patient_id=f"P_{patient.number:05d}",
        laterality=patient.laterality,
        view=phantom.view,
        density=str(patient.density),
        image=phantom.image,
        lesions=lesions,
    )


LAYOUTS: dict[str, Layout] = {
    "manifest": Layout(write_manifest),
    "cbis_ddsm": Layout(write_cbis_ddsm, VARIANTS, tuple(MAMMOGRAM_DEFECTS), (STRAY, UNTIDY)),
    "inbreast": Layout(write_inbreast, mammogram_defects=INBREAST_DEFECTS),
}
