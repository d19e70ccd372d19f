"""What a SEG and an SR have in common: the software that made them, their UIDs, and how they are saved.

UIDs are derived from what they identify, so that a repetition does not fill a PACS with copies. The instance's UID
comes from all that decides its content but the time of making: the header of the source as far as it is carried over,
the software, the weights and the findings. The same prediction made again has the same UID, and a PACS keeps one of the
two. The tracking UID of a finding comes from the image, the name and the box alone, so that a box keeps it from one
model to the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid

from custom.files import write_if_changed
from custom.findings.finding import Finding
from custom.readers.dicom import read_dicom

NAME = "Mammographic mass segmentation"
MANUFACTURER = "The mammography bundle's maintainers"
# A PACS shows this line beside the series.
DESCRIPTION = f"{NAME}, research only"
# Above the numbers that devices give to the series of a study.
_SERIES_NUMBERS = {"SEG": 9001, "SR": 9002}


@dataclass(frozen=True)
class Algorithm:
    """The software and the weights behind a result.

    Attributes:
        version: Version of the bundle, from its metadata; at most 64 characters.
        model: Name that tells the weights from all others, such as their SHA-256; at most 64 characters.
    """

    version: str
    model: str


def fingerprint(source: Dataset, algorithm: Algorithm, findings: Sequence[Finding]) -> str:
    """A hash of all that decides the content of a SEG or an SR."""
    content = {
        "source": source.to_json_dict(),
        "algorithm": asdict(algorithm),
        "findings": [
            {
                "name": finding.name,
                "box": list(map(float, finding.box)),
                "mask": hashlib.sha256(np.packbits(finding.mask).tobytes()).hexdigest(),
                "measurements": finding.measurements and asdict(finding.measurements),
                "quality": finding.quality.reasons,
            }
            for finding in findings
        ],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def derived_uid(*parts: str) -> str:
    """The UID of these parts, always the same."""
    return str(generate_uid(entropy_srcs=["\0".join(parts)]))


def tracking_uid(source: Dataset, finding: Finding) -> str:
    """The UID by which SEG and SR track the finding."""
    return derived_uid("tracking", source.SOPInstanceUID, finding.name, *(f"{float(edge):.6f}" for edge in finding.box))


def identification(kind: str, mark: str, algorithm: Algorithm) -> dict[str, Any]:
    """The arguments with which highdicom identifies a SEG or an SR and its device; `mark` comes from `fingerprint`."""
    return {
        "series_instance_uid": derived_uid(f"{kind} series", mark),
        "series_number": _SERIES_NUMBERS[kind],
        "sop_instance_uid": derived_uid(kind, mark),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": NAME,
        "software_versions": algorithm.version,
        # A SEG requires one, and software has none: the weights tell one installation from another.
        "device_serial_number": algorithm.model,
        "series_description": DESCRIPTION,
    }


def save(dataset: Dataset, file: Path) -> None:
    """Write a DICOM file in one step, unless it holds that instance already: only the time of making would change.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        present = read_dicom(file, specific_tags=["SOPInstanceUID"]).get("SOPInstanceUID")
    except (OSError, InvalidDicomError):
        present = None
    if present != dataset.SOPInstanceUID:
        content = BytesIO()
        dataset.save_as(content, enforce_file_format=True)
        write_if_changed(file, content.getvalue())
