"""Findings as a structured report of measurements (PS3.16 TID 1500), which refers to the SEG of the same findings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pydicom
from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from custom.findings.dicom import instance
from custom.findings.dicom.instance import MANUFACTURER, NAME, Algorithm
from custom.findings.dicom.source import breast_side, quiet_highdicom, read_source
from custom.findings.finding import Finding
from custom.findings.measurements import Measurements

# Concepts of our own: PS3.16 has "Probability of cancer" and "Certainty of finding", which both say something else.
_SCHEME = "99MAMMOMASS"
_CIRCULARITY = sr.CodedConcept("CIRCULARITY", _SCHEME, "Circularity, 4 pi area / perimeter squared")
_MEAN_PROBABILITY = sr.CodedConcept("MEAN_PROBABILITY", _SCHEME, "Mean probability of the outlined pixels")
_QUALITY = sr.CodedConcept("QUALITY", _SCHEME, "Reason to look at the outline with care")
_PIXELS = sr.CodedConcept("{pixels}", "UCUM", "pixels")
# Significant digits of a measurement: a viewer shows them all.
_DIGITS = 7


def write_report(
    source: Path, findings: Sequence[Finding], segmentation: Path, file: Path, algorithm: Algorithm
) -> None:
    """Write the measurements of the findings of one mammogram as a Comprehensive SR: a group for each finding.

    A group holds the tracking identifier and UID, the segment and the image that it comes from, the algorithm, the
    breast and its side where it is known, area, longest and perpendicular diameter (in mm where the image's spacing is
    known, else in pixels), circularity, mean probability, and a text for each reason to look at the outline with care.
    That of an empty mask holds no measurement. The report is complete, preliminary and not verified by anybody. It
    carries over from the source only what `read_source` names; UIDs as in `write_segmentation`.

    Args:
        source: The mammogram, DICOM, one grey frame.
        findings: The findings of the segmentation, in its order.
        segmentation: The file that `write_segmentation` wrote of them.
        file: File to write.
        algorithm: The software and weights that made the findings.

    Raises:
        InputError: The source cannot be read or has no UIDs, or the file cannot be written.
    """
    image, segments = read_source(source), pydicom.dcmread(segmentation, stop_before_pixels=True)
    own_scheme = CodingSchemeIdentificationItem(_SCHEME, name=NAME, responsible_organization=MANUFACTURER)
    with quiet_highdicom():
        report = sr.ComprehensiveSR(
            evidence=[image, segments],
            content=_content(image, segments, findings, algorithm)[0],
            coding_schemes=[own_scheme],
            is_complete=True,
            **instance.identification("SR", instance.fingerprint(image, algorithm, findings), algorithm),
        )
        instance.save(report, file)


def _content(
    image: Dataset, segments: Dataset, findings: Sequence[Finding], algorithm: Algorithm
) -> sr.MeasurementReport:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=instance.derived_uid("device", algorithm.version, algorithm.model),
        name=NAME,
        manufacturer_name=MANUFACTURER,
        model_name=NAME,
        serial_number=algorithm.model,
    )
    observer = sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.SCT.Mammography,
        imaging_measurements=[
            _group(image, segments, *numbered, algorithm) for numbered in enumerate(findings, start=1)
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )


def _group(
    image: Dataset, segments: Dataset, number: int, finding: Finding, algorithm: Algorithm
) -> sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=instance.tracking_uid(image, finding), identifier=finding.name),
        referenced_segment=sr.ReferencedSegmentationFrame(
            sop_class_uid=segments.SOPClassUID,
            sop_instance_uid=segments.SOPInstanceUID,
            frame_number=None,  # type: ignore[arg-type]  # PS3.3 table 10-3: a reference names frames or segments
            segment_number=number,
            source_image=sr.SourceImageForSegmentation(image.SOPClassUID, image.SOPInstanceUID),
        ),
        finding_category=codes.SCT.MorphologicallyAbnormalStructure,
        finding_type=codes.SCT.Mass,
        finding_sites=[sr.FindingSite(codes.SCT.Breast, laterality=breast_side(image))],
        algorithm_id=sr.AlgorithmIdentification(NAME, algorithm.version, parameters=[f"model: {algorithm.model}"]),
        measurements=_measured(finding.measurements) if finding.measurements else None,
    )
    group[0].ContentSequence.extend(
        sr.TextContentItem(_QUALITY, text, sr.RelationshipTypeValues.CONTAINS) for text in finding.quality.reasons
    )
    return group


def _measured(found: Measurements) -> list[sr.Measurement]:
    in_mm = found.area_mm2 is not None
    area_unit, length_unit = (codes.UCUM.SquareMillimeter, codes.UCUM.Millimeter) if in_mm else (_PIXELS, _PIXELS)
    longest = found.longest_diameter_mm if in_mm else found.longest_diameter
    perpendicular = found.perpendicular_diameter_mm if in_mm else found.perpendicular_diameter
    rows = (
        (codes.SCT.Area, found.area_mm2 if in_mm else found.area, area_unit),
        (codes.SCT.LongAxis, longest, length_unit),
        (codes.SCT.PerpendicularAxis, perpendicular, length_unit),
        (_CIRCULARITY, found.circularity, codes.UCUM.NoUnits),
        (_MEAN_PROBABILITY, found.mean_probability, codes.UCUM.NoUnits),
    )
    # TID 1410 has no room for the ends of the diameters: it has the segment for the place.
    return [sr.Measurement(name=name, value=float(f"{value:.{_DIGITS}g}"), unit=unit) for name, value, unit in rows]
