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
from custom.findings.dicom import codes as coded
from custom.findings.dicom.algorithm import DESCRIPTION, MANUFACTURER, NAME, Algorithm
from custom.findings.dicom.identity import derived_uid, fingerprint, save, tracking_uid
from custom.findings.dicom.source import laterality, quiet_highdicom, read_source
from custom.findings.finding import Finding

# Above the numbers that devices give to the series of a study.
_SERIES_NUMBER = 9001


def write_segmentation(source: Path, findings: Sequence[Finding], file: Path, algorithm: Algorithm) -> None:
    """Write the masks of one mammogram as a binary SEG in the frame of that mammogram: one segment for each finding.

    Segment `n` is finding `n`, counted from 1, with its tracking identifier and UID; that of an empty mask is empty.
    Masks may overlap each other. Of the source it holds what `read_source` names, and no more; a finding's name goes
    in as its tracking identifier. The UIDs come from the content (see `identity.py`); a file that holds the
    same result already is left as it is.

    Args:
        source: the mammogram, DICOM, one grey frame.
        findings: at least one, masks in the frame of the source.
        file: to write.
        algorithm: what made the findings.

    Raises:
        InputError: the source cannot be read, has no UIDs or is of another size, or the file cannot be written.
    """
    image = read_source(source)
    columns, rows = findings[0].mask.shape
    if (image.get("Columns"), image.get("Rows")) != (columns, rows):
        raise InputError(
            f"{source}: its header tells another size than {columns} columns x {rows} rows, expected the masks'; "
            "name the mammogram that they were made from"
        )
    mark = fingerprint(image, algorithm, findings)
    # DICOM's pixels are rows of columns, ours are `(X, Y)`.
    masks = np.stack([finding.mask.T for finding in findings], axis=-1)
    with quiet_highdicom():
        segmentation = Segmentation(
            source_images=[image],
            pixel_array=masks[np.newaxis].astype(np.uint8),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[_segment(image, *numbered, algorithm) for numbered in enumerate(findings, start=1)],
            series_instance_uid=derived_uid("SEG series", mark),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=derived_uid("SEG", mark),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=NAME,
            software_versions=algorithm.version,
            # Required, and software has none: the weights tell one installation from another.
            device_serial_number=algorithm.model,
            omit_empty_frames=False,
            content_label="MASSES",
            content_description=DESCRIPTION,
            series_description=DESCRIPTION,
        )
        segmentation.PatientOrientation = image.PatientOrientation
        _derive_dimension_uid(segmentation, mark)
        save(segmentation, file)


def _segment(image: Dataset, number: int, finding: Finding, algorithm: Algorithm) -> SegmentDescription:
    segment = SegmentDescription(
        segment_number=number,
        segment_label=f"Mass {number}",
        segmented_property_category=coded.CATEGORY,
        segmented_property_type=coded.MASS,
        # The network is given the box, by a human or by another program.
        algorithm_type=SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=NAME,
            family=codes.DCM.ArtificialIntelligence,
            version=algorithm.version,
            source=MANUFACTURER,
            parameters={"model": algorithm.model},
        ),
        tracking_id=finding.name,
        tracking_uid=tracking_uid(image, finding),
        anatomic_regions=[coded.BREAST],
    )
    side = laterality(image)
    if side:
        modifier = Dataset()
        modifier.CodeValue, modifier.CodingSchemeDesignator, modifier.CodeMeaning = coded.SIDES[side][:3]
        segment.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [modifier]
    return segment


def _derive_dimension_uid(segmentation: Segmentation, mark: str) -> None:
    """Highdicom draws this UID at random."""
    uid = derived_uid("SEG dimensions", mark)
    for item in (*segmentation.DimensionOrganizationSequence, *segmentation.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid
