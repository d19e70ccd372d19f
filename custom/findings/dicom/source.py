"""The mammogram that a result refers to: only as much of its header as the result has to carry."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monai.utils import ensure_tuple
from pydicom import uid
from pydicom.config import RAISE
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.valuerep import DA, TM, validate_value

from custom.errors import InputError, reason
from custom.readers.dicom import quiet_pydicom, read_dicom

_REFERENCE = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# Type 2 in the Patient and the General Study module (PS3.3 C.7.1.1 and C.7.2.1): present, though perhaps empty.
_PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
_IMAGE = ("SpecificCharacterSet", "Rows", "Columns", "ImageLaterality", "Laterality")
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
# Kinds of files that hold one projection, without a frame of reference.
_KINDS = (
    uid.DigitalMammographyXRayImageStorageForPresentation,
    uid.DigitalMammographyXRayImageStorageForProcessing,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
    uid.ComputedRadiographyImageStorage,
    uid.SecondaryCaptureImageStorage,
)
_DATES = {"PatientBirthDate": DA, "StudyDate": DA, "StudyTime": TM}
_SEXES = ("M", "F", "O")
_UID = re.compile(r"[0-9.]{1,64}")
_DIRECTIONS = re.compile(r"[APRLHF]{1,3}")


def read_source(file: Path) -> Dataset:
    """Read the part of a mammogram's header that a SEG or an SR of it has to hold.

    Of what may identify a patient, that is the four UIDs of a reference; the name, ID, birth date and sex of the
    patient; and the date, time, ID, accession number and referring physician of the study. The standard requires these,
    so that a PACS files the result with its image. They are empty where the source does not have them or holds what the
    standard forbids. The rest is the number of rows and columns, the lossy compression and the side of the breast.
    Spacing is left to the image: a SEG without a frame of reference, which a projection does not have, may not give it
    (PS3.3 table A.51-2), and corresponds to its image pixel by pixel (A.51.5.1).

    Raises:
        InputError: The file is not DICOM, not of a kind that a mammogram can have, or without one of the UIDs.
    """
    try:
        with quiet_pydicom():
            found = read_dicom(file, stop_before_pixels=True, force=True)
            source = Dataset()
            lossy = _LOSSY if _is_lossy(found) else ()
            for keyword in (*_REFERENCE, *_IMAGE, *lossy):
                if found.get(keyword):
                    source[keyword] = found[keyword]
            for keyword in _PATIENT_AND_STUDY:
                setattr(source, keyword, _allowed(keyword, found.get(keyword)))
            source.decode()
            # The names of findings may hold any letter.
            source.SpecificCharacterSet = "ISO_IR 192"
            source.PatientOrientation = _orientation(found.get("PatientOrientation"))
    except Exception as error:  # A broken header makes pydicom raise anything.
        raise InputError(
            f"{file}: its header cannot be read ({reason(error)}); expected an intact DICOM image; export it again"
        ) from error
    for keyword in _REFERENCE:
        if not _UID.fullmatch(str(source.get(keyword))):
            raise InputError(
                f"{file}: found no proper {keyword}, expected what tells this image from all others, since a SEG "
                "and SR refer to it; export the image from the PACS again, or as PNG to do without them"
            )
    if source.SOPClassUID not in _KINDS:
        raise InputError(
            f"{file}: found {kind_name(source.SOPClassUID)}, expected a kind that a mammogram can have, such as "
            f"{_KINDS[0].name}; export the mammogram itself"
        )
    return source


def kind_name(sop_class: str) -> str:
    """The standard's name of a kind of file; an unknown one is not repeated, since a damaged header may hold a name."""
    return uid.UID_dictionary[sop_class][0] if sop_class in uid.UID_dictionary else "an unknown kind of file"


def breast_side(source: Dataset) -> Code | None:
    """The coded side of the breast; None where the source gives none, or both."""
    side = source.get("ImageLaterality") or source.get("Laterality")
    return {"L": codes.SCT.Left, "R": codes.SCT.Right}.get(str(side))


def _is_lossy(found: Dataset) -> bool:
    """True if the image was compressed with losses and says by how much and how: a result has to repeat it."""
    try:
        for keyword in _LOSSY:
            for value in ensure_tuple(found[keyword].value):
                validate_value(found[keyword].VR, str(value), RAISE)
    except (KeyError, ValueError):
        return False
    return found.LossyImageCompression == "01"


def _allowed(keyword: str, value: object) -> object:
    if keyword == "PatientSex":
        return value if value in _SEXES else ""
    if keyword in _DATES:
        try:
            _DATES[keyword](value)
        except ValueError:
            return ""
    return "" if value is None else value


def _orientation(value: object) -> list[str]:
    """The directions of rows and columns (PS3.3 C.7.6.1.1.1); converted films hold a view here, such as MLO."""
    directions = [] if value is None or isinstance(value, str) else [str(part) for part in value]  # type: ignore[attr-defined]
    return directions if len(directions) == 2 and all(map(_DIRECTIONS.fullmatch, directions)) else []


@contextmanager
def quiet_highdicom() -> Iterator[None]:
    """Suppress warnings about the source's own values, such as a patient's name of one part: they quote them."""
    with quiet_pydicom(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="highdicom")
        yield
