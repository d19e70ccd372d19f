"""Mammograms and masses as a raw INbreast tree: DICOM, one sheet, one Apple property list for each image with findings.

Arrays are `(rows, columns)`, as in the files.
"""

from __future__ import annotations

import hashlib
import math
import plistlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, generate_uid

from custom.errors import InputError
from custom.files import write_if_changed
from scripts.common.phantom.cohort import SIDES, STANDARD_VIEWS
from scripts.common.phantom.generate import Phantom
from scripts.phantoms import encode

RELEASE = "INbreast Release 1.0"
HEADING = ("Patient ID", "Patient age", "Laterality", "View", "Acquisition date", "File Name", "ACR", "Bi-Rads")
REMOVED = "removed"
PITCH = 0.07
BITS = 14
# Columns and rows of the two detector plates; two patients in five were imaged on the larger one.
SMALL_PLATE, LARGE_PLATE = (2560, 3328), (3328, 4084)
SHORT_VIEWS = {"MLO": "ML"}
NORMAL = "1"
SPICULATED_NAMES = ("Spiculated Region", "Spiculated region", "Espiculated Region")
# Regions beside the masses: their name, if any, and whether they are an area or a single point.
OTHER_REGIONS: tuple[tuple[str | None, bool], ...] = (
    ("Calcification", False), ("Cluster", True), ("Calcifications", False), ("Distortion", True), ("Asymmetry", True),
    ("Assymetry", True), ("Unnamed", False), ("Point 1", False), ("Point 3", False), ("", False), (None, False),
)  # fmt: skip
PENCIL, SINGLE_POINT = 15, 19

Grey = NDArray[np.uint16]
Mask = NDArray[np.uint8]
Point = tuple[float, float]
Region = dict[str, Any]


@dataclass(frozen=True)
class InbreastImage:
    """One image as INbreast holds it.

    Attributes:
        image_id: Digits; names the files.
        patient: Any name; the files show its hash.
        laterality: `LEFT` or `RIGHT`.
        view: `CC`, `MLO` or `FB`.
        birads: Assessment as the sheet writes it, such as `4a`. With `1` and no masks the image has no annotation.
        density: ACR class.
        image: Grey levels of 14 bits, bright = dense.
        masks: One for each mass, background 0.
        spiculated: Whether each mass has a spiculated region around it.
        inverted: Whether to store it as MONOCHROME1.
    """

    image_id: str
    patient: str
    laterality: str
    view: str
    birads: str
    density: str
    image: Grey
    masks: tuple[Mask, ...] = ()
    spiculated: tuple[bool, ...] = ()
    inverted: bool = False

    @property
    def name(self) -> str:
        """Name of the image file."""
        view = SHORT_VIEWS.get(self.view, self.view)
        return f"{self.image_id}_{hash_patient(self.patient)}_MG_{self.laterality[0]}_{view}_ANON.dcm"


def hash_patient(patient: str) -> str:
    """Return the 16 hexadecimal digits that stand for a patient."""
    return hashlib.sha256(patient.encode()).hexdigest()[:16]


def write_inbreast(
    output_dir: Path, phantoms: Iterable[Phantom], variant: str, defects: Sequence[str]
) -> tuple[int, int]:
    """Write phantoms as an INbreast tree; two patients out of three have the other side too, without masses."""
    return write_tree(output_dir, (image for phantom in phantoms for image in _images(phantom)), defects)


def write_tree(output_dir: Path, images: Iterable[InbreastImage], defects: Sequence[str] = ()) -> tuple[int, int]:
    """Write `INbreast Release 1.0` into a folder.

    Args:
        output_dir: Folder around it.
        images: Taken one by one, so that only one is in memory.
        defects: Names out of `DEFECTS`; the first is put on the first image with findings, and so on.

    Returns:
        Number of images and of masses, those of the defects not counted.

    Raises:
        InputError: a file cannot be written, a defect is unknown, or fewer images with findings than defects.
    """
    for defect in defects:
        if defect not in DEFECTS:
            raise InputError(f"defects: {defect!r} is unknown; expected some of {', '.join(DEFECTS)}")
    release, remaining = output_dir / RELEASE, list(defects)
    rows = [";".join(HEADING)]
    written = lesions = 0
    for image in images:
        defect = remaining.pop(0) if remaining and image.masks else ""
        if defect == "view_fb":
            image = replace(image, view="FB")
        _write_image(release, image, written, defect)
        if defect != "no_sheet_row":
            rows.append(_sheet_row(image, written, defect))
        written, lesions = written + 1, lesions + len(image.masks)
    if remaining:
        raise InputError(f"{output_dir}: no mammogram left for {', '.join(remaining)}; expected one with masses each")
    write_if_changed(release / "INbreast.csv", ("\n".join(rows) + "\n").encode())
    write_if_changed(release / "MedicalReports" / "README.txt", b"No reports of phantoms.\n")
    return written, lesions


def _write_image(release: Path, image: InbreastImage, number: int, defect: str) -> None:
    if defect != "xml_without_image":
        content = encode_dicom(image)
        if defect == "truncated_image":
            content = content[: len(content) // 2]
        write_if_changed(release / "AllDICOMs" / image.name, content)
    write_if_changed(release / "MedicalReports" / f"{image.image_id}.txt", b"No report: a phantom.\n")
    if image.birads == NORMAL and not image.masks:
        return
    regions = _regions(image, number)
    if defect in REGION_DEFECTS:
        regions = REGION_DEFECTS[defect](regions, image.image.shape[1])
    content = encode_annotation(regions)
    if defect == "broken_xml":
        content = content[: len(content) // 2]
    write_if_changed(release / "AllXML" / f"{image.image_id}.xml", content)


def _sheet_row(image: InbreastImage, number: int, defect: str) -> str:
    density = " " * 190 if defect == "blank_density" else image.density
    date = f"{2008 + number % 3}{number % 12 + 1:02d}"
    side = image.laterality[0]
    return ";".join((REMOVED, REMOVED, side, image.view, date, image.image_id, density, image.birads))


def encode_dicom(image: InbreastImage) -> bytes:
    """Encode the image file; the same image gives the same bytes."""
    return encode.encode_dicom(
        image.image.astype("<u2"), BITS, image.inverted,
        SOPClassUID=DigitalMammographyXRayImageStorageForPresentation,
        SOPInstanceUID=generate_uid(entropy_srcs=[image.name, "image"]),
        StudyInstanceUID=generate_uid(entropy_srcs=[image.patient, "study"]),
        SeriesInstanceUID=generate_uid(entropy_srcs=[image.name, "series"]),
        PatientName=REMOVED, PatientID=REMOVED, Manufacturer="SIEMENS", ImageLaterality=image.laterality[0],
        ViewPosition=image.view, ImagerPixelSpacing=[PITCH, PITCH],
    )  # fmt: skip


def encode_annotation(regions: Sequence[Region]) -> bytes:
    """Encode the property list of one image."""
    numbered = [{"IndexInImage": number} | region for number, region in enumerate(regions)]
    return plistlib.dumps({"Images": [{"ImageIndex": 0, "NumberOfROIs": len(regions), "ROIs": numbered}]})


def region(name: str | None, points: Sequence[Point] | NDArray[np.float64]) -> Region:
    """Make a region as the annotations hold it, without name where that is None.

    Points are `(x, y)` in pixels, x = column; a whole number is the middle of a pixel.
    """
    corners = np.array(points, np.float32)
    x, y = corners.mean(axis=0)
    content: Region = {
        "Area": cv2.contourArea(corners) * PITCH**2 / 100,
        "Center": f"({x * PITCH:f}, {y * PITCH:f}, 0.000000)",
        "NumberOfPoints": len(points),
        "Point_mm": [f"({x * PITCH:f}, {y * PITCH:f}, 0.000000)" for x, y in points],
        "Point_px": [f"({x:f}, {y:f})" for x, y in points],
        "Type": PENCIL if len(points) > 1 else SINGLE_POINT,
    }
    return content if name is None else {"Name": name} | content


def outline(mask: Mask) -> list[Point]:
    """Trace the pixels of the outer edge of a mask, in order; of its largest piece if it has several."""
    pieces, _ = cv2.findContours((mask > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [(float(x), float(y)) for x, y in max(pieces, key=cv2.contourArea)[:, 0]]


def _regions(image: InbreastImage, number: int) -> list[Region]:
    """Make the masses, the regions around spiculated ones, and two of the other kinds in turn."""
    rows, columns = image.image.shape
    regions = []
    for mask, spiculated in zip(image.masks, image.spiculated or (False,) * len(image.masks), strict=True):
        regions.append(region("Mass", outline(mask)))
        if spiculated:
            distance = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 5)
            around = (distance <= max(1.5, columns / 100)).astype(np.uint8)
            regions.append(region(SPICULATED_NAMES[number % len(SPICULATED_NAMES)], outline(around)))
    for place in range(2):
        name, is_area = OTHER_REGIONS[(2 * number + place) % len(OTHER_REGIONS)]
        x, y = columns * (0.3 + 0.2 * place), rows * (0.4 + 0.1 * place)
        side = columns / 40
        area = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
        regions.append(region(name, area if is_area else area[:1]))
    return regions


def _points(content: Region) -> NDArray[np.float64]:
    return np.array([text.strip("()").split(",") for text in content["Point_px"]], float)


def _moved(content: Region, right: float) -> Region:
    return region("Mass", [(x + right, y) for x, y in _points(content)])


def _odd_names(regions: list[Region], columns: int) -> list[Region]:
    spellings = (" mass", "MASS ", "mAss\t")
    masses = [content for content in regions if content.get("Name") == "Mass"]
    renamed = {id(mass): spellings[i % len(spellings)] for i, mass in enumerate(masses)}
    return [content | {"Name": renamed.get(id(content), content.get("Name", ""))} for content in regions]


# What is wrong with the regions of one annotation; each takes the regions and the columns of the image.
REGION_DEFECTS: dict[str, Callable[[list[Region], int], list[Region]]] = {
    "wrong_count": lambda rois, _: [rois[0] | {"NumberOfPoints": rois[0]["NumberOfPoints"] + 1}, *rois],
    "one_point": lambda rois, _: [region("Mass", _points(rois[0])[:1]), *rois],
    "two_points": lambda rois, _: [region("Mass", _points(rois[0])[:2]), *rois],
    "unreadable_point": lambda rois, _: [
        rois[0] | {"Point_px": [*rois[0]["Point_px"][:-1], "(1e3, print(7))"]}, *rois
    ],
    "half_outside": lambda rois, _: [*rois, _moved(rois[0], -math.floor(_points(rois[0])[:, 0].mean()))],
    "all_outside": lambda rois, columns: [*rois, _moved(rois[0], 2 * columns)],
    "overlapping": lambda rois, _: [*rois, _moved(rois[0], math.ceil(np.ptp(_points(rois[0])[:, 0]) / 4))],
    "odd_names": _odd_names,
}  # fmt: skip
DEFECTS = (
    *REGION_DEFECTS, "xml_without_image", "truncated_image", "broken_xml", "blank_density", "no_sheet_row", "view_fb",
)  # fmt: skip


def _images(phantom: Phantom) -> Iterator[InbreastImage]:
    """Turn a phantom into an image, and the other side without masses for two patients out of three.

    One of these has a normal other side, the other has calcifications there.
    """
    patient = phantom.patient
    pixels, masks = _on_plate(phantom, LARGE_PLATE if patient.number % 5 in (2, 4) else SMALL_PLATE)
    image = InbreastImage(
        image_id=_image_id(phantom, patient.laterality),
        patient=patient.patient_id,
        laterality=patient.laterality,
        view=phantom.view,
        # The sheet has finer classes; which of 4a to 4c it is, is of no meaning.
        birads=max(f"4{'abc'[one.subtlety % 3]}" if one.birads == 4 else str(one.birads) for one in patient.lesions),
        density=str(patient.density),
        image=pixels,
        masks=masks,
        spiculated=tuple(lesion.margins == "SPICULATED" for lesion in patient.lesions),
        inverted=patient.number % 4 == 2,
    )
    yield image
    if patient.number % 3:
        other = "LEFT" if patient.laterality == "RIGHT" else "RIGHT"
        yield replace(
            image,
            image_id=_image_id(phantom, other),
            laterality=other,
            birads=NORMAL if patient.number % 3 == 1 else "2",
            image=np.ascontiguousarray(_without(pixels, masks)[:, ::-1]),
            masks=(),
            spiculated=(),
        )


def _image_id(phantom: Phantom, laterality: str) -> str:
    side, view = SIDES.index(laterality), STANDARD_VIEWS.index(phantom.view)
    return str(20_000_000 + 100 * phantom.patient.number + 10 * side + view)


def _on_plate(phantom: Phantom, plate: tuple[int, int]) -> tuple[Grey, tuple[Mask, ...]]:
    """Add air to image, in 14 bits, and masks until they have the shape of the plate.

    The small plate is as small as the phantom allows, and the large one is larger in the ratio of the real ones.
    """
    rows, columns = phantom.image.shape
    scale = max(columns / SMALL_PLATE[0], rows / SMALL_PLATE[1])
    right, below = (max(0, round(full * scale) - size) for full, size in zip(plate, (columns, rows), strict=True))
    left, right = (0, right) if phantom.patient.laterality == "LEFT" else (right, 0)
    border = (below // 2, below - below // 2, left, right, cv2.BORDER_CONSTANT)
    air = float(np.median(phantom.image[~phantom.inside]))
    image = cv2.copyMakeBorder(phantom.image, *border, value=air)
    masks = tuple(np.asarray(cv2.copyMakeBorder(mask, *border, value=0), np.uint8) for mask in phantom.masks)
    return np.left_shift(image, 2).astype(np.uint16), masks


def _without(image: Grey, masks: Sequence[Mask]) -> Grey:
    """Smear the tissue around each mass over it."""
    coarse = (max(1, image.shape[1] // 8), max(1, image.shape[0] // 8))
    hidden = cv2.dilate(np.maximum.reduce(masks), np.ones((9, 9), np.uint8)) > 0
    width = max(mask.any(axis=0).sum() for mask in masks) / 8
    parts = [(image * ~hidden).astype(np.float32), (~hidden).astype(np.float32)]
    grey, weight = (
        cv2.GaussianBlur(cv2.resize(part, coarse, interpolation=cv2.INTER_AREA), (0, 0), width / 2 + 1)
        for part in parts
    )
    smeared = cv2.resize(grey / np.maximum(weight, 1e-3), image.shape[::-1])
    return np.where(hidden, smeared, image).astype(np.uint16)
