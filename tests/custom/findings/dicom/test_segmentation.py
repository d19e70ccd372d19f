from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from highdicom.seg import segread
from pydicom import uid

from custom.errors import InputError
from custom.findings.dicom import Algorithm, write_report, write_segmentation
from custom.readers import read_pixels
from tests.custom.findings.dicom.mammogram import ALGORITHM, COLUMNS, ROWS, finding, mass, write_mammogram
from tests.custom.findings.dicom.validator import errors
from tests.planted import find_planted, plant

FILM = {"SOPClassUID": uid.SecondaryCaptureImageStorage, "PatientOrientation": "MLO", "ConversionType": "WSD"}
# Place of the mass, and what the mammogram is: each border, both conventions of brightness, 8 to 16 bit, each spacing.
SOURCES: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "inside, left": ((11, 23), {"ImageLaterality": "L", "ImagerPixelSpacing": [0.07, 0.08]}),
    "left border, right": ((0, 23), {"bits": 14, "ImageLaterality": "R", "PixelSpacing": [0.07, 0.08]}),
    "right border": ((COLUMNS - 5, 23), {"photometric": "MONOCHROME1", "PatientOrientation": ["P", "F"]}),
    "upper border": ((11, 0), {"photometric": "MONOCHROME1", "bits": 16, "Laterality": "L"}),
    "lower border": ((11, ROWS - 9), {"bits": 10, "FrameOfReferenceUID": "1.2.9"}),
    "corner of a film": ((COLUMNS - 5, ROWS - 9), {"bits": 8, **FILM}),
    "dark film": ((0, 0), {"photometric": "MONOCHROME1", "bits": 8, **FILM}),
    "unusable header": ((1, 1), {"StudyDate": "2016-10-04", "StudyTime": "noon", "PatientSex": "X"}),
    "empty header": ((1, 1), {"PatientName": None, "PatientID": None, "Modality": None}),
    "lossy": (
        (1, 1),
        {
            "LossyImageCompression": "01",
            "LossyImageCompressionRatio": [2.5, 4],
            "LossyImageCompressionMethod": ["ISO_10918_1", "ISO_15444_1"],
        },
    ),
    "partly lossy": ((1, 1), {"LossyImageCompression": "01"}),
    "umlaut": ((1, 1), {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Zoë"}),
}
# What PS3.3 requires of a patient and a study, and what tells how the pixels are to be looked at.
CARRIED = {
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyInstanceUID",
    "SeriesInstanceUID",
}


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize(("place", "elements"), SOURCES.values(), ids=SOURCES)
def test_mask_segmentation_and_source_overlay_each_other_to_the_pixel(
    tmp_path: Path, place: tuple[int, int], elements: dict[str, Any]
) -> None:
    mask = mass(*place)
    source = write_mammogram(tmp_path / "source.dcm", mask, **elements)
    found = [finding(mask, "größe_1", "PixelSpacing" in elements, ("low_confidence",))]

    write_segmentation(source, found, tmp_path / "seg.dcm", ALGORITHM)
    write_report(source, found, tmp_path / "seg.dcm", tmp_path / "sr.dcm", ALGORITHM)

    frames = segread(tmp_path / "seg.dcm").get_pixels_by_source_instance(["1.2.3.4.5"])
    assert frames.shape == (1, ROWS, COLUMNS, 1)
    stored = pydicom.dcmread(source).pixel_array
    is_mass = stored > stored.mean() if elements.get("photometric") != "MONOCHROME1" else stored < stored.mean()
    np.testing.assert_array_equal(frames[0, :, :, 0], is_mass)
    pixels = read_pixels(source)
    np.testing.assert_array_equal(frames[0, :, :, 0].T, pixels > pixels.mean())
    assert errors(tmp_path / "seg.dcm") == []
    assert errors(tmp_path / "sr.dcm") == []


def test_every_finding_is_a_segment_though_it_is_empty_or_overlaps_another(tmp_path: Path) -> None:
    masks = [mass(10, 20), np.zeros((COLUMNS, ROWS), dtype=bool), mass(11, 21)]
    source = write_mammogram(tmp_path / "source.dcm", masks[0])

    write_segmentation(source, list(map(finding, masks, ("a", "b", "c"))), tmp_path / "seg.dcm", ALGORITHM)

    segmentation = segread(tmp_path / "seg.dcm")
    frames = segmentation.get_pixels_by_source_instance(["1.2.3.4.5"])
    np.testing.assert_array_equal(frames[0].transpose(2, 1, 0), masks)
    assert [segment.TrackingID for segment in segmentation.SegmentSequence] == ["a", "b", "c"]
    assert len({segment.TrackingUID for segment in segmentation.SegmentSequence}) == 3
    assert segmentation.SegmentsOverlap == "YES"
    assert errors(tmp_path / "seg.dcm") == []


@pytest.mark.parametrize(("side", "modifier"), [("L", "7771000"), ("R", "24028007"), ("B", None), (None, None)])
def test_the_segment_says_what_it_is_where_and_who_made_it(
    tmp_path: Path, side: str | None, modifier: str | None
) -> None:
    elements = {"ImageLaterality": side} if side else {}
    source = write_mammogram(tmp_path / "source.dcm", mass(), **elements)

    write_segmentation(source, [finding(mass())], tmp_path / "seg.dcm", ALGORITHM)

    segmentation = segread(tmp_path / "seg.dcm")
    (segment,) = segmentation.SegmentSequence
    (region,) = segment.AnatomicRegionSequence
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert segmentation.SegmentationType == "BINARY"
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "4147007"
    assert region.CodeValue == "76752008"
    assert [item.CodeValue for item in region.get("AnatomicRegionModifierSequence", [])] == [modifier] * bool(modifier)
    assert algorithm.AlgorithmName == segment.SegmentAlgorithmName == "Mammographic mass segmentation"
    assert (algorithm.AlgorithmVersion, algorithm.AlgorithmParameters) == ("1.2.3", f"model={'f' * 64}")
    assert segment.TrackingID == "case_1"


def test_a_repetition_keeps_the_uids_and_leaves_the_file_alone(tmp_path: Path) -> None:
    source = write_mammogram(tmp_path / "source.dcm", mass())
    one, other = [finding(mass())], [finding(mass(12, 23))]

    def uids(found: list, algorithm: Algorithm = ALGORITHM, name: str = "seg.dcm") -> list[str]:
        write_segmentation(source, found, tmp_path / name, algorithm)
        written = pydicom.dcmread(tmp_path / name)
        (segment,), (dimensions,) = written.SegmentSequence, written.DimensionOrganizationSequence
        own = (written.SOPInstanceUID, written.SeriesInstanceUID, dimensions.DimensionOrganizationUID)
        return [*own, segment.TrackingUID]

    first = uids(one)
    content = (tmp_path / "seg.dcm").read_bytes()
    assert uids(one) == first
    assert (tmp_path / "seg.dcm").read_bytes() == content
    assert uids(one, name="copy.dcm") == first
    for *changed, tracking in (
        uids(other),
        uids(one, Algorithm("1.2.4", "f" * 64)),
        uids(one, Algorithm("1.2.3", "e")),
    ):
        assert not set(changed) & set(first)
        assert tracking == first[-1]
    assert uids([replace(one[0], box=(10.0, 20.0, 30.0, 41.0))])[-1] != first[-1]


@pytest.mark.promise(
    "SEG and SR hold of the planted attributes those that DICOM requires, listed in predict.md, and the "
    "reference to the image, and no others"
)
def test_of_a_patient_only_what_the_standard_requires_is_carried_over(tmp_path: Path) -> None:
    source = write_mammogram(tmp_path / "source.dcm", mass(), PatientBirthDate="19501224", StudyID="17")
    plant(source, kept=CARRIED)
    carried = {element.keyword: element.value for element in pydicom.dcmread(source) if element.keyword in CARRIED}

    write_segmentation(source, [finding(mass())], tmp_path / "seg.dcm", ALGORITHM)
    write_report(source, [finding(mass())], tmp_path / "seg.dcm", tmp_path / "sr.dcm", ALGORITHM)

    image = pydicom.dcmread(source).SOPInstanceUID
    for name in ("seg.dcm", "sr.dcm"):
        assert find_planted((tmp_path / name).read_bytes()) == {image}
        written = pydicom.dcmread(tmp_path / name)
        assert {keyword: written[keyword].value for keyword in carried if keyword != "SeriesInstanceUID"} == {
            keyword: value for keyword, value in carried.items() if keyword != "SeriesInstanceUID"
        }


@pytest.mark.parametrize("name", ["VQZPLANT", "VQZPLANT^a^b^c^d^e^f", "VQZPLANT" * 20, "VQZPLANT=b=c=d"])
def test_nothing_is_said_about_an_unusual_name(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    source = write_mammogram(tmp_path / "source.dcm", mass())
    source.write_bytes(source.read_bytes().replace(b"\x08\0Doe^Jane", struct.pack("<H", len(name)) + name.encode()))
    caplog.clear()
    recwarn.clear()

    write_segmentation(source, [finding(mass())], tmp_path / "seg.dcm", ALGORITHM)
    write_report(source, [finding(mass())], tmp_path / "seg.dcm", tmp_path / "sr.dcm", ALGORITHM)

    assert pydicom.dcmread(tmp_path / "seg.dcm").PatientName == name
    assert not find_planted("".join([caplog.text, *(str(warning.message) for warning in recwarn)]).encode())


def test_a_source_that_nothing_can_refer_to_is_refused(tmp_path: Path) -> None:
    source = write_mammogram(tmp_path / "source.dcm", mass(), StudyInstanceUID=None)
    with pytest.raises(InputError, match=r"source\.dcm: found no proper StudyInstanceUID"):
        write_segmentation(source, [finding(mass())], tmp_path / "seg.dcm", ALGORITHM)
    (tmp_path / "text.dcm").write_text("no image at all, only some text")
    with pytest.raises(InputError, match=r"text\.dcm"):
        write_segmentation(tmp_path / "text.dcm", [finding(mass())], tmp_path / "seg.dcm", ALGORITHM)
    source = write_mammogram(tmp_path / "ct.dcm", mass(), SOPClassUID=uid.CTImageStorage)
    with pytest.raises(InputError, match=r"ct\.dcm: found CT Image Storage, expected"):
        write_segmentation(source, [finding(mass())], tmp_path / "seg.dcm", ALGORITHM)
    source = write_mammogram(tmp_path / "other.dcm", mass(), Rows=ROWS - 1)
    with pytest.raises(InputError, match=r"other\.dcm: its header tells another size than 40 columns x 60 rows"):
        write_segmentation(source, [finding(mass())], tmp_path / "seg.dcm", ALGORITHM)
    assert not (tmp_path / "seg.dcm").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    source = write_mammogram(tmp_path / "source.dcm", mass())
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_segmentation(source, [finding(mass())], tmp_path / "file" / "seg.dcm", ALGORITHM)
