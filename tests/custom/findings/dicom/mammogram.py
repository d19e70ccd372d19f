"""Mammograms in DICOM with a mass of known pixels, and findings of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from custom.findings.dicom import Algorithm
from custom.findings.finding import Finding
from custom.findings.measurements import Measurements
from custom.findings.quality import Quality

COLUMNS, ROWS = 40, 60
ALGORITHM = Algorithm("1.2.3", "f" * 64)


def mass(x: int = 11, y: int = 23) -> np.ndarray:
    """A mask `(X, Y)` that no flip, turn or exchange of axes leaves alone: an L of 5 columns and 9 rows."""
    mask = np.zeros((COLUMNS, ROWS), dtype=bool)
    mask[x : x + 2, y : y + 9] = True
    mask[x : x + 5, y + 7 : y + 9] = True
    return mask


def finding(mask: np.ndarray, name: str = "case_1", spaced: bool = False, flags: tuple[str, ...] = ()) -> Finding:
    """A finding with measurements that tell each other apart; none where the mask is empty."""
    in_mm = (0.25, 1.5, 0.75) if spaced else (None, None, None)
    ends = ((0.0, 0.0), (3.0, 4.0))
    measured = Measurements(24, 12.5, ends, 6.25, ends, 0.625, 0.875, 0.5, *in_mm) if mask.any() else None
    quality = Quality(flags, 0, int(mask.any()), 0.875 if mask.any() else None, 1.0, 1.0, 0.1)
    return Finding(name, (10.0, 20.0, 30.0, 40.5), mask, mask.astype(np.float32), measured, quality)


def write_mammogram(
    file: Path, mask: np.ndarray, photometric: str = "MONOCHROME2", bits: int = 12, **elements: Any
) -> Path:
    """A digital mammogram that is bright in the mask and dark elsewhere; `elements` are added or, if None, removed."""
    bright = np.where(mask.T, 2**bits - 2, 3)
    stored = bright if photometric == "MONOCHROME2" else 2**bits - 1 - bright
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = uid.DigitalMammographyXRayImageStorageForPresentation
    dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID = "1.2.3.4.5", "1.2.3.4", "1.2.3"
    dataset.Modality = "MG"
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "p1"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = ROWS, COLUMNS, 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = photometric, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 if bits == 8 else 16, bits, bits - 1
    dataset.PixelData = stored.astype(np.uint8 if bits == 8 else "<u2").tobytes()
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(file, enforce_file_format=True)
    return file
