"""Findings as a DICOM Segmentation (PS3.3 A.51), which a viewer lays over the mammogram."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from custom.errors import InputError
from custom.findings.dicom import instance
from custom.findings.dicom.instance import DESCRIPTION, MANUFACTURER, NAME, Algorithm
from custom.findings.dicom.source import breast_side, quiet_highdicom, read_source
from custom.findings.finding import Finding


def write_segmentation(source: Path, findings: Sequence[Finding], file: Path, algorithm: Algorithm) -> None:
    """Write the masks of one mammogram as a binary SEG in the frame of that mammogram: one segment for each finding.

    Segment `n` is finding `n`, counted from 1, with its tracking identifier and UID; that of an empty mask is empty.
    Masks may overlap. The file carries over from the source only what `read_source` names; a finding's name is its
    tracking identifier. The UIDs come from the content (see `instance.py`); a file that holds the same result already
    is left as it is.

    Args:
        source: The mammogram, DICOM, one grey frame.
        findings: At least one, with masks in the frame of the source.
        file: File to write.
        algorithm: The software and weights that made the findings.

    Raises:
        InputError: The source cannot be read, has no UIDs or is of another size, or the file cannot be written.
    """
    image = read_source(source)
    columns, rows = findings[0].mask.shape
    if (image.get("Columns"), image.get("Rows")) != (columns, rows):
        raise InputError(
            f"{source}: its header tells another size than {columns} columns x {rows} rows, expected the masks'; "
            "name the mammogram that they were made from"
        )
    mark = instance.fingerprint(image, algorithm, findings)
    # DICOM's pixels are rows of columns, ours are `(X, Y)`.
    masks = np.stack([finding.mask.T for finding in findings], axis=-1)
    with quiet_highdicom():
        segmentation = Segmentation(
            source_images=[image],
            pixel_array=masks[np.newaxis].astype(np.uint8),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[_segment(image, *numbered, algorithm) for numbered in enumerate(findings, start=1)],
            omit_empty_frames=False,
            content_label="MASSES",
            content_description=DESCRIPTION,
            **instance.identification("SEG", mark, algorithm),
        )
        segmentation.PatientOrientation = image.PatientOrientation
        # Highdicom draws this UID at random.
        for item in (*segmentation.DimensionOrganizationSequence, *segmentation.DimensionIndexSequence):
            item.DimensionOrganizationUID = instance.derived_uid("SEG dimensions", mark)
        instance.save(segmentation, file)


def _segment(image: Dataset, number: int, finding: Finding, algorithm: Algorithm) -> SegmentDescription:
    segment = SegmentDescription(
        segment_number=number,
        segment_label=f"Mass {number}",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Mass,
        # A human or another program gives the network the box.
        algorithm_type=SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=NAME,
            family=codes.DCM.ArtificialIntelligence,
            version=algorithm.version,
            source=MANUFACTURER,
            parameters={"model": algorithm.model},
        ),
        tracking_id=finding.name,
        tracking_uid=instance.tracking_uid(image, finding),
        anatomic_regions=[codes.SCT.Breast],
    )
    if side := breast_side(image):
        modifier = Dataset()
        modifier.CodeValue, modifier.CodingSchemeDesignator, modifier.CodeMeaning = side[:3]
        segment.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [modifier]
    return segment
