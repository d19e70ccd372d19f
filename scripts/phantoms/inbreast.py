"""Mammograms and masses as a raw INbreast tree: DICOM, one sheet, one Apple property list for each image with findings.

Arrays are `(rows, columns)`, as in the files.
"""

from __future__ import annotations

import hashlib
import io
import math
import plistlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from custom.errors import InputError
from custom.files import write_if_changed
from scripts.common.phantom.generate import Phantom

RELEASE = "INbreast Release 1.0"
HEADING = ("Patient ID", "Patient age", "Laterality", "View", "Acquisition date", "File Name", "ACR", "Bi-Rads")
REMOVED = "removed"
PITCH = 0.07
MAXIMUM = 2**14 - 1
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
class Mammogram:
    """One image as INbreast holds it.

    Attributes:
        image_id: digits; names the files.
        patient: any name; the files show its hash.
        laterality: `LEFT` or `RIGHT`.
        view: `CC`, `MLO` or `FB`.
        birads: as the sheet writes it, such as `4a`. With `1` and no masks the image has no annotation.
        density: ACR class.
        image: grey levels of 14 bits, bright = dense.
        masks: one for each mass, background 0.
        spiculated: which masses have a spiculated region around them.
        inverted: store as MONOCHROME1.
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
    """The 16 hexadecimal digits that stand for a patient."""
    return hashlib.sha256(patient.encode()).hexdigest()[:16]


def write_inbreast(
    output_dir: Path, phantoms: Iterable[Phantom], variant: str, defects: Sequence[str]
) -> tuple[int, int]:
    """Write phantoms as an INbreast tree; two patients out of three have the other side too, without masses.

    Args:
        output_dir: the folder around it.
        phantoms: taken one by one.
        variant: there is only one.
        defects: as `write_tree` takes them.

    Returns:
        Number of mammograms and of masses.
    """
    return write_tree(output_dir, (mammogram for phantom in phantoms for mammogram in _mammograms(phantom)), defects)


def write_tree(output_dir: Path, mammograms: Iterable[Mammogram], defects: Sequence[str] = ()) -> tuple[int, int]:
    """Write `INbreast Release 1.0` into a folder.

    Args:
        output_dir: the folder around it.
        mammograms: taken one by one, so that only one is in memory.
        defects: names out of `DEFECTS`; the first is put on the first mammogram with findings, and so on.

    Returns:
        Number of mammograms and of masses, those of the defects not counted.

    Raises:
        InputError: a file cannot be written, a defect is unknown, or fewer mammograms with findings than defects.
    """
    for defect in defects:
        if defect not in DEFECTS:
            raise InputError(f"defects: {defect!r} is unknown; expected some of {', '.join(DEFECTS)}")
    release, remaining = output_dir / RELEASE, list(defects)
    rows = [";".join(HEADING)]
    images = lesions = 0
    for number, mammogram in enumerate(mammograms):
        defect = remaining.pop(0) if remaining and mammogram.masks else ""
        if defect == "view_fb":
            mammogram = replace(mammogram, view="FB")
        _write_mammogram(release, mammogram, number, defect)
        if defect != "no_sheet_row":
            rows.append(_sheet_row(mammogram, number, defect))
        images, lesions = images + 1, lesions + len(mammogram.masks)
    if remaining:
        raise InputError(f"{output_dir}: no mammogram left for {', '.join(remaining)}; expected one with masses each")
    write_if_changed(release / "INbreast.csv", ("\n".join(rows) + "\n").encode())
    write_if_changed(release / "MedicalReports" / "README.txt", b"No reports of phantoms.\n")
    return images, lesions


def _write_mammogram(release: Path, mammogram: Mammogram, number: int, defect: str) -> None:
    image_id = mammogram.image_id
    if defect != "xml_without_image":
        content = encode_dicom(mammogram)
        kept = len(content) // 2 if defect == "truncated_image" else len(content)
        write_if_changed(release / "AllDICOMs" / mammogram.name, content[:kept])
    write_if_changed(release / "MedicalReports" / f"{image_id}.txt", b"No report: a phantom.\n")
    if mammogram.birads == NORMAL and not mammogram.masks:
        return
    regions = _regions(mammogram, number)
    if defect in REGION_DEFECTS:
        regions = REGION_DEFECTS[defect](regions, mammogram.image.shape[1])
    content = encode_annotation(regions)
    kept = len(content) // 2 if defect == "broken_xml" else len(content)
    write_if_changed(release / "AllXML" / f"{image_id}.xml", content[:kept])


def _sheet_row(mammogram: Mammogram, number: int, defect: str) -> str:
    density = " " * 190 if defect == "blank_density" else mammogram.density
    date = f"{2008 + number % 3}{number % 12 + 1:02d}"
    side = mammogram.laterality[0]
    cells = (REMOVED, REMOVED, side, mammogram.view, date, mammogram.image_id, density, mammogram.birads)
    return ";".join(cells)


def encode_dicom(mammogram: Mammogram) -> bytes:
    """The image file; the same mammogram gives the same bytes."""
    rows, columns = mammogram.image.shape
    header = Dataset()
    header.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    header.SOPInstanceUID = generate_uid(entropy_srcs=[mammogram.name, "image"])
    header.StudyInstanceUID = generate_uid(entropy_srcs=[mammogram.patient, "study"])
    header.SeriesInstanceUID = generate_uid(entropy_srcs=[mammogram.name, "series"])
    header.PatientName = header.PatientID = REMOVED
    header.PatientBirthDate = ""
    header.Modality = "MG"
    header.Manufacturer = "SIEMENS"
    header.ImageLaterality = mammogram.laterality[0]
    header.ViewPosition = mammogram.view
    header.ImagerPixelSpacing = [PITCH, PITCH]
    header.SamplesPerPixel = 1
    header.Rows, header.Columns = rows, columns
    header.PhotometricInterpretation = "MONOCHROME1" if mammogram.inverted else "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 14, 13, 0
    stored = MAXIMUM - mammogram.image if mammogram.inverted else mammogram.image
    header.PixelData = stored.astype("<u2").tobytes()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = io.BytesIO()
    pydicom.dcmwrite(content, header, enforce_file_format=True)
    return content.getvalue()


def encode_annotation(regions: Sequence[Region]) -> bytes:
    """The property list of one image."""
    numbered = [{"IndexInImage": number} | region for number, region in enumerate(regions)]
    return plistlib.dumps({"Images": [{"ImageIndex": 0, "NumberOfROIs": len(regions), "ROIs": numbered}]})


def region(name: str | None, points: Sequence[Point] | NDArray[np.float64]) -> Region:
    """A region as the annotations hold it.

    Args:
        name: None to leave the name out.
        points: `(x, y)` in pixels, x = column; a whole number is the middle of a pixel.
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
    """The pixels of the outer edge of a mask, in order; of its largest piece if it has several."""
    pieces, _ = cv2.findContours((mask > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [(float(x), float(y)) for x, y in max(pieces, key=cv2.contourArea)[:, 0]]


def _regions(mammogram: Mammogram, number: int) -> list[Region]:
    """The masses, the regions around spiculated ones, and two of the other kinds in turn."""
    rows, columns = mammogram.image.shape
    regions = []
    for mask, spiculated in zip(mammogram.masks, mammogram.spiculated or (False,) * len(mammogram.masks), strict=True):
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


def _moved(content: Region, step: Point) -> Region:
    return region("Mass", [(x, y) for x, y in _points(content) + step])


def _wrong_count(regions: list[Region], columns: int) -> list[Region]:
    return [regions[0] | {"NumberOfPoints": regions[0]["NumberOfPoints"] + 1}, *regions]


def _one_point(regions: list[Region], columns: int) -> list[Region]:
    return [region("Mass", _points(regions[0])[:1]), *regions]


def _two_points(regions: list[Region], columns: int) -> list[Region]:
    return [region("Mass", _points(regions[0])[:2]), *regions]


def _unreadable_point(regions: list[Region], columns: int) -> list[Region]:
    texts = [*regions[0]["Point_px"][:-1], "(1e3, print(7))"]
    return [regions[0] | {"Point_px": texts}, *regions]


def _half_outside(regions: list[Region], columns: int) -> list[Region]:
    return [*regions, _moved(regions[0], (-math.floor(_points(regions[0])[:, 0].mean()), 0.0))]


def _all_outside(regions: list[Region], columns: int) -> list[Region]:
    return [*regions, _moved(regions[0], (2.0 * columns, 0.0))]


def _overlapping(regions: list[Region], columns: int) -> list[Region]:
    return [*regions, _moved(regions[0], (math.ceil(np.ptp(_points(regions[0])[:, 0]) / 4), 0.0))]


def _odd_names(regions: list[Region], columns: int) -> list[Region]:
    spellings = (" mass", "MASS ", "mAss\t")
    masses = [content for content in regions if content.get("Name") == "Mass"]
    renamed = {id(mass): spellings[i % len(spellings)] for i, mass in enumerate(masses)}
    return [content | {"Name": renamed.get(id(content), content.get("Name", ""))} for content in regions]


# What is wrong with the regions of one annotation.
REGION_DEFECTS: dict[str, Callable[[list[Region], int], list[Region]]] = {
    "wrong_count": _wrong_count,
    "one_point": _one_point,
    "two_points": _two_points,
    "unreadable_point": _unreadable_point,
    "half_outside": _half_outside,
    "all_outside": _all_outside,
    "overlapping": _overlapping,
    "odd_names": _odd_names,
}
DEFECTS = (
    *REGION_DEFECTS, "xml_without_image", "truncated_image", "broken_xml", "blank_density", "no_sheet_row", "view_fb",
)  # fmt: skip


def _mammograms(phantom: Phantom) -> Iterator[Mammogram]:
    """A phantom as a mammogram, and the other side without masses for two patients out of three.

    Of these, one patient's other side is normal and the other's has calcifications.
    """
    patient = phantom.patient
    plate = LARGE_PLATE if patient.number % 5 in (2, 4) else SMALL_PLATE
    image, masks = _on_plate(phantom, plate)
    mammogram = Mammogram(
        image_id=_image_id(phantom, patient.laterality),
        patient=patient.patient_id,
        laterality=patient.laterality,
        view=phantom.view,
        birads=max(_raw_birads(lesion.birads, lesion.subtlety) for lesion in patient.lesions),
        density=str(patient.density),
        image=image,
        masks=masks,
        spiculated=tuple(lesion.margins == "SPICULATED" for lesion in patient.lesions),
        inverted=patient.number % 4 == 2,
    )
    yield mammogram
    if patient.number % 3:
        other = "LEFT" if patient.laterality == "RIGHT" else "RIGHT"
        yield replace(
            mammogram,
            image_id=_image_id(phantom, other),
            laterality=other,
            birads=NORMAL if patient.number % 3 == 1 else "2",
            image=np.ascontiguousarray(_without(image, masks)[:, ::-1]),
            masks=(),
            spiculated=(),
        )


def _image_id(phantom: Phantom, laterality: str) -> str:
    side, view = ("LEFT", "RIGHT").index(laterality), ("CC", "MLO").index(phantom.view)
    return str(20_000_000 + 100 * phantom.patient.number + 10 * side + view)


def _raw_birads(birads: int, subtlety: int) -> str:
    """The assessment in the finer classes of the sheet; which of 4a to 4c is of no meaning."""
    return "4" + "abc"[subtlety % 3] if birads == 4 else str(birads)


def _on_plate(phantom: Phantom, plate: tuple[int, int]) -> tuple[Grey, tuple[Mask, ...]]:
    """Image, in 14 bits, and masks with air added until they have the shape of the plate.

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
    """The image with the tissue around each mass smeared over it."""
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
