"""Writing of phantoms to disk: one function per folder layout.

A layout takes the phantoms one by one, so that only one is in memory, and writes a file only where its bytes differ
from what is there: writing the same phantoms again changes nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from custom.files import write_if_changed
from scripts.common.phantom.generate import Phantom
from scripts.phantoms import cbis_ddsm_defects
from scripts.phantoms.cbis_ddsm import VARIANTS, CbisDdsmWriter, RawLesion, RawMammogram
from scripts.phantoms.inbreast import DEFECTS as INBREAST_DEFECTS
from scripts.phantoms.inbreast import write_inbreast

MANIFEST_COLUMNS = (
    "image", "mask", "lesion_id", "patient_id", "laterality", "view", "birads", "density", "pathology", "subtlety",
    "mass_shape", "mass_margins", "x0", "y0", "x1", "y1",
)  # fmt: skip


# Every so many patients one belongs to the official test set, and one has abnormality ids that do not start at 1.
TEST_EVERY, GAP_EVERY = 5, 7


@dataclass(frozen=True)
class Layout:
    """A folder layout.

    Attributes:
        write: takes the folder, the phantoms, the variant and the defects; returns the numbers of mammograms and of
            lesions.
        variants: forms that the layout is found in, the usual one first.
        mammogram_defects: what may be wrong with a mammogram; each strikes one.
        tree_defects: what may be wrong with the whole.
    """

    write: Callable[[Path, Iterable[Phantom], str, Sequence[str]], tuple[int, int]]
    variants: tuple[str, ...] = ("",)
    mammogram_defects: tuple[str, ...] = ()
    tree_defects: tuple[str, ...] = ()


def write_manifest(
    output_dir: Path, phantoms: Iterable[Phantom], variant: str, defects: Sequence[str]
) -> tuple[int, int]:
    """Write 16-bit PNG images, 8-bit PNG masks and `manifest.csv` with one row per lesion, paths relative to it.

    Returns:
        Number of mammograms and of lesions.

    Raises:
        InputError: if a file cannot be written.
    """
    content = io.StringIO()
    table = csv.writer(content, lineterminator="\n")
    table.writerow(MANIFEST_COLUMNS)
    images = lesions = 0
    for phantom in phantoms:
        patient, name = phantom.patient, phantom.mammogram_id
        image_path = f"images/{name}.png"
        write_if_changed(output_dir / image_path, encode_png(phantom.image))
        images += 1
        for number, (lesion, mask) in enumerate(zip(patient.lesions, phantom.masks, strict=True), 1):
            lesion_id = f"{name}_{number}"
            mask_path = f"masks/{lesion_id}.png"
            write_if_changed(output_dir / mask_path, encode_png(mask))
            x0, y0, columns, rows = cv2.boundingRect(mask)
            table.writerow(
                (
                    image_path, mask_path, lesion_id, patient.patient_id, patient.laterality, phantom.view,
                    lesion.birads, patient.density, lesion.pathology, lesion.subtlety, lesion.shape, lesion.margins,
                    x0, y0, x0 + columns, y0 + rows,
                )
            )  # fmt: skip
            lesions += 1
    write_if_changed(output_dir / "manifest.csv", content.getvalue().encode())
    return images, lesions


def write_cbis_ddsm(
    output_dir: Path, phantoms: Iterable[Phantom], variant: str, defects: Sequence[str]
) -> tuple[int, int]:
    """Write a raw CBIS-DDSM tree with its tables, and `defects.csv`, which names the mammogram of each defect.

    Returns:
        Number of mammograms and of lesions in the tables.

    Raises:
        InputError: if a file cannot be written.
    """
    writer = CbisDdsmWriter(output_dir, variant, untidy=cbis_ddsm_defects.UNTIDY in defects)
    left = cbis_ddsm_defects.assign(defects)
    struck = []
    first = None
    for phantom in phantoms:
        mammogram = raw_mammogram(phantom)
        first = first or mammogram
        defect = left.pop(0) if left else None
        if defect:
            struck.append((mammogram.key, defect))
        writer.write(mammogram, cbis_ddsm_defects.spoil(mammogram, defect), defect == cbis_ddsm_defects.SWAPPED)
    mammograms = writer.mammograms
    if first and cbis_ddsm_defects.STRAY in defects:
        cbis_ddsm_defects.write_stray_files(writer, first)
    writer.write_tables()
    if struck:
        record = "".join(f"{key},{defect}\n" for key, defect in struck)
        write_if_changed(output_dir / "defects.csv", f"mammogram,defect\n{record}".encode())
    return mammograms, sum(map(len, writer.rows.values()))


def raw_mammogram(phantom: Phantom) -> RawMammogram:
    """A phantom as the collection would hold it. Its patients are called `P`, as the format demands."""
    patient = phantom.patient
    first = 2 if patient.number % GAP_EVERY == 0 else 1
    lesions = tuple(
        RawLesion(
            number, lesion.shape, lesion.margins, str(lesion.birads), lesion.pathology, str(lesion.subtlety), mask
        )
        for number, (lesion, mask) in enumerate(zip(patient.lesions, phantom.masks, strict=True), first)
    )
    part = "Test" if patient.number % TEST_EVERY == 0 else "Training"
    patient_id = f"P_{patient.number:05d}"
    return RawMammogram(
        part, patient_id, patient.laterality, phantom.view, str(patient.density), phantom.image, lesions
    )


LAYOUTS: dict[str, Layout] = {
    "manifest": Layout(write_manifest),
    "cbis_ddsm": Layout(
        write_cbis_ddsm,
        VARIANTS,
        tuple(cbis_ddsm_defects.MAMMOGRAM_DEFECTS),
        (cbis_ddsm_defects.STRAY, cbis_ddsm_defects.UNTIDY),
    ),
    "inbreast": Layout(write_inbreast, mammogram_defects=INBREAST_DEFECTS),
}


def encode_png(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """PNG of a grey image `(rows, columns)`; weak compression takes a quarter of the time, 3 % more space."""
    return bytes(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])
