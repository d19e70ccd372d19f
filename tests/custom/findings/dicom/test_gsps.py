from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from custom.errors import InputError
from custom.findings.dicom import read_boxes
from custom.transforms.crop import Box

# From PS3.3 C.10.5: 0\0 is the outer corner of the first pixel, so these four points go around the pixels of columns 2
# to 5 and rows 3 to 8.
AROUND_PIXELS = (2, 3, 6, 3, 6, 9, 2, 9, 2, 3)


def graphic(kind: str, data: Sequence[float], units: str = "PIXEL") -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits, item.GraphicDimensions = units, 2
    item.NumberOfGraphicPoints, item.GraphicData = len(data) // 2, list(data)
    item.GraphicType, item.GraphicFilled = kind, "N"
    return item


def references(*images: str) -> list[Dataset]:
    items = [Dataset() for _ in images]
    for item, image in zip(items, images, strict=True):
        item.ReferencedSOPClassUID = uid.DigitalMammographyXRayImageStorageForPresentation
        item.ReferencedSOPInstanceUID = image
    return items


def annotation(*graphics: Dataset, images: Sequence[str] = ()) -> Dataset:
    item = Dataset()
    item.GraphicLayer = "MASSES"
    if graphics:
        item.GraphicObjectSequence = list(graphics)
    if images:
        item.ReferencedImageSequence = references(*images)
    return item


def write_state(file: Path, *annotations: Dataset, kind: str = uid.GrayscaleSoftcopyPresentationStateStorage) -> Path:
    """A presentation state of the two images 1.2.1 and 1.2.2."""
    state = Dataset()
    state.file_meta = FileMetaDataset()
    state.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    state.SOPClassUID, state.SOPInstanceUID, state.Modality = kind, "1.2.9", "PR"
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = "1.2", references("1.2.1", "1.2.2")
    state.ReferencedSeriesSequence = [series]
    state.GraphicAnnotationSequence = list(annotations)
    # A quarter turn and a displayed area: both come after the coordinates of the graphics.
    state.ImageRotation, state.ImageHorizontalFlip = 90, "Y"
    state.save_as(file, enforce_file_format=True)
    return file


@pytest.mark.parametrize(
    ("kind", "data", "box"),
    [
        ("POLYLINE", AROUND_PIXELS, (2, 3, 6, 9)),
        ("POLYLINE", (2.5, 3, 6, 4.25, 4, 9), (2.5, 3, 6, 9)),
        ("INTERPOLATED", AROUND_PIXELS, (2, 3, 6, 9)),
        # From the centre 3 right and 4 down: radius 5.
        ("CIRCLE", (10, 20, 13, 24), (5, 15, 15, 25)),
        # Axes of 10 and 4 along x and y.
        ("ELLIPSE", (5, 20, 15, 20, 10, 18, 10, 22), (5, 18, 15, 22)),
        # Semi-axes (8, 6) and (-3, 4): sqrt(64 + 9) along x and sqrt(36 + 16) along y.
        ("ELLIPSE", (12, 14, 28, 26, 23, 16, 17, 24), (20 - 73**0.5, 20 - 52**0.5, 20 + 73**0.5, 20 + 52**0.5)),
    ],
)
def test_a_graphic_becomes_the_half_open_box_around_it(
    tmp_path: Path, kind: str, data: Sequence[float], box: Box
) -> None:
    state = write_state(tmp_path / "state.dcm", annotation(graphic(kind, data), images=["1.2.1"]))
    boxes = read_boxes(state)
    assert list(boxes) == ["1.2.1"]
    assert boxes["1.2.1"] == [pytest.approx(box, abs=1e-5)]  # GraphicData is in single precision.


def test_graphics_go_to_the_images_that_they_name_else_to_all(tmp_path: Path) -> None:
    text = Dataset()
    text.GraphicLayer = "MASSES"
    text.TextObjectSequence = [Dataset()]
    state = write_state(
        tmp_path / "state.dcm",
        annotation(graphic("CIRCLE", (10, 20, 13, 24)), graphic("POLYLINE", AROUND_PIXELS), images=["1.2.2"]),
        text,
        annotation(graphic("CIRCLE", (3, 3, 3, 4))),
    )
    assert read_boxes(state) == {"1.2.1": [(2, 2, 4, 4)], "1.2.2": [(5, 15, 15, 25), (2, 3, 6, 9), (2, 2, 4, 4)]}


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (graphic("POINT", (4, 5)), "found POINT, expected one of POLYLINE, INTERPOLATED, CIRCLE, ELLIPSE"),
        (graphic("DOE JANE", (4, 5)), "found an unknown graphic"),
        (graphic("CIRCLE", (0.4, 0.5, 0.6, 0.7), "DISPLAY"), "in units of DISPLAY, expected PIXEL"),
        (graphic("POLYLINE", (1, 2, 3, 4)), "found POLYLINE that bounds no area"),
        (graphic("POLYLINE", (1, 2, 3, 2, 1, 2)), "found POLYLINE that bounds no area"),
        (graphic("CIRCLE", (1, 2, 1, 2)), "found CIRCLE that bounds no area"),
        (graphic("CIRCLE", (1, 2, 3)), "found CIRCLE with data that do not fit it"),
        (graphic("ELLIPSE", (1, 2, 3, 4, 5, 6)), "found ELLIPSE with data that do not fit it"),
    ],
)
def test_a_graphic_that_is_no_box_is_refused_in_one_line(tmp_path: Path, refused: Dataset, told: str) -> None:
    state = write_state(tmp_path / "state.dcm", annotation(graphic("POLYLINE", AROUND_PIXELS), refused))
    with pytest.raises(InputError) as error:
        read_boxes(state)
    assert str(error.value).startswith(f"{state}: found ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert "DOE" not in str(error.value)


def test_another_file_and_one_without_a_graphic_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(InputError, match=r"text\.dcm: cannot be read"):
        read_boxes(tmp_path / "text.dcm")
    with pytest.raises(InputError, match=r"none\.dcm: cannot be read"):
        read_boxes(tmp_path / "none.dcm")
    marked = annotation(graphic("POLYLINE", AROUND_PIXELS))
    other = write_state(tmp_path / "other.dcm", marked, kind=uid.SecondaryCaptureImageStorage)
    with pytest.raises(InputError, match=r"other\.dcm: found Secondary Capture Image Storage, expected Grayscale"):
        read_boxes(other)
    for file, content in (("no.dcm", []), ("empty.dcm", [annotation()])):
        with pytest.raises(InputError, match=rf"{file}: found no graphic annotation"):
            read_boxes(write_state(tmp_path / file, *content))
