"""Findings as a structured report of measurements (PS3.16 TID 1500), which refers to the SEG of the same findings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pydicom
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    ReferencedSegmentationFrame,
    RelationshipTypeValues,
    SourceImageForSegmentation,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from custom.findings.dicom import codes as coded
from custom.findings.dicom.algorithm import DESCRIPTION, MANUFACTURER, NAME, Algorithm
from custom.findings.dicom.identity import derived_uid, fingerprint, save, tracking_uid
from custom.findings.dicom.source import laterality, quiet_highdicom, read_source
from custom.findings.finding import Finding, Measurements

_SERIES_NUMBER = 9002
# Significant ones of a measurement: a viewer shows them all.
_DIGITS = 7


def write_report(
    source: Path, findings: Sequence[Finding], segmentation: Path, file: Path, algorithm: Algorithm
) -> None:
    """Write what is measured of the findings of one mammogram as a Comprehensive SR: a group for each finding.

    A group holds the tracking identifier and UID, the segment and the image that it comes from, the algorithm, the
    breast and its side where it is known, area, longest and perpendicular diameter (in mm where the image's spacing is
    known, else in pixels), circularity, mean probability, and a text for each reason to look at the outline with care.
    That of an empty mask holds no measurement. The report is complete, preliminary and not verified by anybody. Of the
    source it holds what `read_source` names, and no more; UIDs as in `write_segmentation`.

    Args:
        source: the mammogram, DICOM, one grey frame.
        findings: those of the segmentation, in its order.
        segmentation: the file that `write_segmentation` wrote of them.
        file: to write.
        algorithm: what made the findings.

    Raises:
        InputError: the source cannot be read or has no UIDs, or the file cannot be written.
    """
    image, segments = read_source(source), pydicom.dcmread(segmentation, stop_before_pixels=True)
    mark = fingerprint(image, algorithm, findings)
    with quiet_highdicom():
        report = ComprehensiveSR(
            evidence=[image, segments],
            content=_content(image, segments, findings, algorithm)[0],
            series_instance_uid=derived_uid("SR series", mark),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=derived_uid("SR", mark),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=NAME,
            software_versions=algorithm.version,
            device_serial_number=algorithm.model,
            series_description=DESCRIPTION,
            coding_schemes=[
                CodingSchemeIdentificationItem(coded.OWN_SCHEME, name=NAME, responsible_organization=MANUFACTURER)
            ],
            is_complete=True,
        )
        save(report, file)


def _content(image: Dataset, segments: Dataset, findings: Sequence[Finding], algorithm: Algorithm) -> MeasurementReport:
    device = DeviceObserverIdentifyingAttributes(
        uid=derived_uid("device", algorithm.version, algorithm.model),
        name=NAME,
        manufacturer_name=MANUFACTURER,
        model_name=NAME,
        serial_number=algorithm.model,
    )
    return MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(
                observer_type=codes.DCM.Device, observer_identifying_attributes=device
            )
        ),
        procedure_reported=coded.MAMMOGRAPHY,
        imaging_measurements=[
            _group(image, segments, *numbered, algorithm) for numbered in enumerate(findings, start=1)
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )


def _group(
    image: Dataset, segments: Dataset, number: int, finding: Finding, algorithm: Algorithm
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    side = laterality(image)
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=tracking_uid(image, finding), identifier=finding.name),
        referenced_segment=ReferencedSegmentationFrame(
            sop_class_uid=segments.SOPClassUID,
            sop_instance_uid=segments.SOPInstanceUID,
            frame_number=None,  # type: ignore[arg-type]  # PS3.3 table 10-3: a reference names frames or segments
            segment_number=number,
            source_image=SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID),
        ),
        finding_category=coded.CATEGORY,
        finding_type=coded.MASS,
        finding_sites=[FindingSite(coded.BREAST, laterality=coded.SIDES.get(side))],
        algorithm_id=AlgorithmIdentification(NAME, algorithm.version, parameters=[f"model: {algorithm.model}"]),
        measurements=_measured(finding.measurements) if finding.measurements else None,
    )
    group[0].ContentSequence.extend(
        TextContentItem(coded.QUALITY, text, RelationshipTypeValues.CONTAINS) for text in finding.quality
    )
    return group


def _measured(found: Measurements) -> list[Measurement]:
    lengths = (found.longest_diameter, found.perpendicular_diameter)
    if found.area_mm2 is None or found.longest_diameter_mm is None or found.perpendicular_diameter_mm is None:
        area, area_unit, length_unit = float(found.area), coded.PIXELS, coded.PIXELS
    else:
        area, area_unit, length_unit = found.area_mm2, coded.SQUARE_MILLIMETRE, coded.MILLIMETRE
        lengths = (found.longest_diameter_mm, found.perpendicular_diameter_mm)
    rows = (
        (coded.AREA, area, area_unit),
        (coded.LONGEST_DIAMETER, lengths[0], length_unit),
        (coded.PERPENDICULAR_DIAMETER, lengths[1], length_unit),
        (coded.CIRCULARITY, found.circularity, coded.NO_UNITS),
        (coded.MEAN_PROBABILITY, found.mean_probability, coded.NO_UNITS),
    )
    # TID 1410 has no room for the ends of the diameters: it has the segment for the place.
    return [Measurement(name=name, value=float(f"{value:.{_DIGITS}g}"), unit=unit) for name, value, unit in rows]
