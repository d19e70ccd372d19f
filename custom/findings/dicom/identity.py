"""UIDs that come from what they stand for, so that a repetition does not fill a PACS with copies.

The instance's UID comes from all that decides its content but the time of making: the header of the source as far as
it is carried over, the software, the weights, and the findings. The same prediction made again has the same UID, and a
PACS keeps one of the two; any other one has a UID of its own. What a finding is tracked by comes from the image, the
name and the box alone, so that a box keeps it from one model to the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import generate_uid

from custom.files import write_if_changed
from custom.findings.dicom.algorithm import Algorithm
from custom.findings.finding import Finding
from custom.readers.dicom import read_dicom


def fingerprint(source: Dataset, algorithm: Algorithm, findings: Sequence[Finding]) -> str:
    """A hash of all that decides what a SEG or an SR holds."""
    content = {
        "source": source.to_json_dict(),
        "algorithm": asdict(algorithm),
        "findings": [
            {
                "name": finding.name,
                "box": list(map(float, finding.box)),
                "mask": hashlib.sha256(np.packbits(finding.mask).tobytes()).hexdigest(),
                "measurements": finding.measurements and asdict(finding.measurements),
                "quality": finding.quality,
            }
            for finding in findings
        ],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def derived_uid(*parts: str) -> str:
    """The same UID for the same parts."""
    return str(generate_uid(entropy_srcs=["\0".join(parts)]))


def tracking_uid(source: Dataset, finding: Finding) -> str:
    """What the finding is tracked by, in the SEG and in the SR."""
    return derived_uid("tracking", source.SOPInstanceUID, finding.name, *(f"{float(edge):.6f}" for edge in finding.box))


def save(dataset: Dataset, file: Path) -> None:
    """Write a DICOM file in one step, unless it holds that instance already: only the time of making would change.

    Raises:
        InputError: the file cannot be written.
    """
    if _instance(file) == dataset.SOPInstanceUID:
        return
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    write_if_changed(file, content.getvalue())


def _instance(file: Path) -> str | None:
    try:
        return read_dicom(file, specific_tags=["SOPInstanceUID"]).get("SOPInstanceUID")
    except (OSError, InvalidDicomError):
        return None
