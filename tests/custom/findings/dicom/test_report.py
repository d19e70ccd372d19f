from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.sr import srread
from pydicom.dataset import Dataset

from custom.findings.dicom import write_report, write_segmentation
from custom.findings.finding import Finding
from custom.findings.quality import REASONS
from tests.custom.findings.dicom.mammogram import ALGORITHM, COLUMNS, ROWS, finding, mass, write_mammogram
from tests.custom.findings.dicom.validator import errors

IN_MM = {"42798000": (0.25, "mm2"), "103339001": (1.5, "mm"), "131189007": (0.75, "mm")}
IN_PIXELS = {"42798000": (24, "{pixels}"), "103339001": (12.5, "{pixels}"), "131189007": (6.25, "{pixels}")}
WITHOUT_UNIT = {"CIRCULARITY": (0.625, "1"), "MEAN_PROBABILITY": (0.875, "1")}


def written(folder: Path, *found: Finding) -> Dataset:
    """The report of findings in a mammogram of a left breast."""
    source = write_mammogram(folder / "source.dcm", found[0].mask, ImageLaterality="L")
    write_segmentation(source, found, folder / "seg.dcm", ALGORITHM)
    write_report(source, found, folder / "seg.dcm", folder / "sr.dcm", ALGORITHM)
    return srread(folder / "sr.dcm")


def items(group: Dataset, code: str) -> list[Dataset]:
    """The content items of one concept."""
    return [item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == code]


@pytest.mark.parametrize(("spaced", "expected"), [(True, IN_MM), (False, IN_PIXELS)], ids=["mm", "pixels"])
def test_each_finding_has_its_measurements_in_the_unit_that_is_known(
    tmp_path: Path, spaced: bool, expected: dict[str, tuple[float, str]]
) -> None:
    report = written(tmp_path, finding(mass(), spaced=spaced))

    (group,) = report.content.get_planar_roi_measurement_groups()
    measured = {
        item.name.value: (item.value, item.unit.value)
        for measurement in group.get_measurements()
        for item in measurement[:1]
    }
    assert measured == expected | WITHOUT_UNIT
    assert errors(tmp_path / "sr.dcm") == []


def test_a_group_refers_to_its_segment_and_its_image_and_is_tracked_as_in_the_segmentation(tmp_path: Path) -> None:
    empty = np.zeros((COLUMNS, ROWS), dtype=bool)
    flags = ("touches_border", "low_confidence")
    sentences = [REASONS[flag] for flag in flags]
    report = written(tmp_path, finding(mass(), "a", flags=flags), finding(empty, "b"), finding(mass(3, 4), "c"))

    segmentation = pydicom.dcmread(tmp_path / "seg.dcm")
    groups = [group[0] for group in report.content.get_planar_roi_measurement_groups()]
    assert len(groups) == 3
    for group, segment in zip(groups, segmentation.SegmentSequence, strict=True):
        (reference,) = items(group, "121214")[0].ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
        assert reference.ReferencedSegmentNumber == segment.SegmentNumber
        (image,) = items(group, "121233")[0].ReferencedSOPSequence
        assert image.ReferencedSOPInstanceUID == "1.2.3.4.5"
        assert items(group, "112039")[0].TextValue == segment.TrackingID
        assert segment.TrackingUID == items(group, "112040")[0].UID
        assert items(group, "121071")[0].ConceptCodeSequence[0].CodeValue == "4147007"
        (site,) = items(group, "363698007")
        assert site.ConceptCodeSequence[0].CodeValue == "76752008"
        assert site.ContentSequence[0].ConceptCodeSequence[0].CodeValue == "7771000"
        assert items(group, "111001")[0].TextValue == "Mammographic mass segmentation"
        assert items(group, "111003")[0].TextValue == "1.2.3"
    assert [len(items(group, "42798000")) for group in groups] == [1, 0, 1]
    assert [[item.TextValue for item in items(group, "QUALITY")] for group in groups] == [sentences, [], []]
    assert errors(tmp_path / "sr.dcm") == []


def test_the_report_is_one_of_tid_1500_that_nobody_has_verified(tmp_path: Path) -> None:
    report = written(tmp_path, finding(mass()))

    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert report.ConceptNameCodeSequence[0].CodeValue == "126000"
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    content = (tmp_path / "sr.dcm").read_bytes()
    assert written(tmp_path, finding(mass())).SOPInstanceUID == report.SOPInstanceUID
    assert (tmp_path / "sr.dcm").read_bytes() == content
