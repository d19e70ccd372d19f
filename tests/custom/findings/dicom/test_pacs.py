from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.seg import segread
from highdicom.sr import srread
from pydicom import uid
from pynetdicom import AE

from custom.findings.dicom import write_report, write_segmentation
from tests.custom.findings.dicom.mammogram import ALGORITHM, finding, mass, write_mammogram
from tests.custom.findings.dicom.orthanc import Orthanc, start_orthanc

pytestmark = pytest.mark.slow

KINDS = (uid.DigitalMammographyXRayImageStorageForPresentation, uid.SegmentationStorage, uid.ComprehensiveSRStorage)


def store(orthanc: Orthanc, *files: Path) -> list[int]:
    """The status of each C-STORE; 0 is success."""
    entity = AE()
    for kind in KINDS:
        entity.add_requested_context(kind, uid.ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", orthanc.dicom_port)
    assert association.is_established
    statuses = [association.send_c_store(file).Status for file in files]
    association.release()
    return statuses


def test_a_pacs_takes_the_results_with_their_image_and_gives_the_same_pixels_back(tmp_path: Path) -> None:
    masks = [mass(0, 0), mass(20, 40)]
    found = [finding(masks[0], "a"), finding(masks[1], "b")]
    source, segmentation, report = (tmp_path / f"{name}.dcm" for name in ("source", "seg", "sr"))
    write_mammogram(source, masks[0] | masks[1], "MONOCHROME1", bits=14, ImageLaterality="R")
    write_segmentation(source, found, segmentation, ALGORITHM)
    write_report(source, found, segmentation, report, ALGORITHM)
    write_segmentation(source, found, tmp_path / "again.dcm", ALGORITHM)
    (tmp_path / "archive").mkdir()

    with start_orthanc(tmp_path / "archive") as orthanc:
        assert store(orthanc, source, segmentation, report, tmp_path / "again.dcm") == [0, 0, 0, 0]

        # A repetition is no copy, and all belongs to the study of the image.
        counts = json.loads(orthanc.get("/statistics"))
        assert [counts[f"Count{level}"] for level in ("Patients", "Studies", "Series", "Instances")] == [1, 1, 3, 3]
        returned = {}
        for file in (segmentation, report):
            name = orthanc.find(pydicom.dcmread(file).SOPInstanceUID)
            returned[file] = BytesIO(orthanc.get(f"/instances/{name}/file"))

    frames = segread(returned[segmentation]).get_pixels_by_source_instance(["1.2.3.4.5"])
    np.testing.assert_array_equal(frames[0].transpose(2, 1, 0), masks)
    groups = srread(returned[report]).content.get_planar_roi_measurement_groups()
    assert [group[0].ContentSequence[0].TextValue for group in groups] == ["a", "b"]
