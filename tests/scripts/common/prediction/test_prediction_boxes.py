from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from custom.errors import InputError
from scripts.common.prediction.boxes import Request, read_requests
from scripts.common.prediction.images import Images
from tests.custom.findings.dicom.test_gsps import annotation, graphic, write_state
from tests.helpers import refused
from tests.scripts.common.prediction.phantom import COLUMNS, ROWS, mass, write_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one/a.png", "one/b.png", "two/a.png"):
        write_image(tmp_path / "images" / name, mass(30, 60))
    return tmp_path / "images"


def requests(image: Path, boxes: Any = None, file: Path | None = None) -> list[Request]:
    return read_requests(Images(image), boxes, file)


def table(folder: Path, *lines: str) -> Path:
    file = folder.parent / "boxes.csv"
    file.write_text("\n".join(lines))
    return file


@pytest.mark.parametrize("boxes", [[1, 2, 3, 4.5], (1, 2, 3, 4.5), [[1, 2, 3, 4.5]], [(1, 2, 3, 4.5)]])
def test_one_box_on_the_command_line(folder: Path, boxes: Sequence[Any]):
    file = folder / "one" / "a.png"
    assert requests(file, boxes) == [Request("a.png", "a_1", file, (1, 2, 3, 4.5))]


def test_several_boxes_are_numbered_and_a_wrong_one_is_a_fault_of_its_own(folder: Path):
    made = requests(folder / "one" / "a.png", [[1, 2, 3, 4], [1, 2, 3], "left", [5, 6, 7, "x"], [5, 6, 7, 8]])
    assert [request.lesion for request in made] == ["a_1", "a_2", "a_3", "a_4", "a_5"]
    assert [bool(request.fault) for request in made] == [False, True, True, True, False]
    assert made[1].fault == (
        "--boxes, number 2: the box is [1, 2, 3], expected four numbers x0, y0, x1, y1 in pixels; correct it"
    )


def test_a_table_names_images_by_path_or_name(folder: Path):
    file = table(
        folder,
        "image, x0, y0, x1, y1, lesion_id",
        "one/a.png,1,2,3,4,left",
        "b.png,5,6,7,8,",
        "one/a.png,9,8,19,18,",
        "a.png,1,2,3,4,",
        "c.png,1,2,3,4,",
        "two/a.png,1,2,three,4,",
    )
    made = requests(folder, file=file)
    assert [(request.image, request.lesion, request.box) for request in made[:3]] == [
        ("one/a.png", "left", (1, 2, 3, 4)),
        ("one/a.png", "a_2", (9, 8, 19, 18)),
        ("one/b.png", "b_1", (5, 6, 7, 8)),
    ]
    assert [request.fault for request in made[:3]] == ["", "", ""]
    assert "row 7: the box is ['1', '2', 'three', '4'], expected four numbers" in made[3].fault
    assert made[4].fault == (
        f"{file}, row 5: 2 images are called 'a.png' (one/a.png, two/a.png); give the path below {folder}"
    )
    assert f"row 6: no image 'c.png' in {folder}" in made[5].fault
    assert len(made) == 6


def test_of_one_image_only_its_own_rows_count(folder: Path):
    file = table(folder, "image,x0,y0,x1,y1", "one/a.png,1,2,3,4", "two/a.png,5,6,7,8", "b.png,1,1,2,2")
    assert [request.box for request in requests(folder / "two" / "a.png", file=file)] == [(5, 6, 7, 8)]
    file = table(folder, "image,x0,y0,x1,y1", "b.png,1,1,2,2")
    (none,) = requests(folder / "two" / "a.png", file=file)
    assert none.fault == f"{folder / 'two' / 'a.png'}: no box in {file}, expected one around each mass; add it"


def test_names_of_lesions_that_cannot_be_names_of_files(folder: Path):
    file = table(
        folder,
        "image,x0,y0,x1,y1,lesion_id",
        "b.png,1,2,3,4,../x",
        "b.png,1,2,3,4,m",
        "b.png,5,6,7,8,m",
        "b.png,1,2,3,4,",
    )
    made = requests(folder / "one" / "b.png", file=file)
    assert "row 2: lesion_id is '../x', expected letters" in made[0].fault
    assert "2 boxes of b.png are called m; rename them" in made[1].fault
    assert made[1].fault.partition(":")[2] == made[2].fault.partition(":")[2]
    assert (made[3].lesion, made[3].fault) == ("b_4", "")


def test_coco(folder: Path):
    file = folder.parent / "coco.json"
    content = {
        "images": [{"id": 7, "file_name": "b.png"}, {"id": 8, "file_name": "two/a.png"}],
        "annotations": [
            {"id": 1, "image_id": 8, "bbox": [10, 20, 5.5, 6]},
            {"id": 2, "image_id": 9, "bbox": [1, 2, 3, 4]},
            {"id": 3, "image_id": 7, "bbox": [1, 2, 3]},
            {"id": 4, "image_id": 7, "bbox": [0, 0, 30, 40]},
        ],
    }
    file.write_text(json.dumps(content))
    made = [request for request in requests(folder, file=file) if "no box" not in request.fault]
    assert [(request.image, request.box) for request in made if not request.fault] == [
        ("one/b.png", (0, 0, 30, 40)),
        ("two/a.png", (10, 20, 15.5, 26)),
    ]
    assert "annotation 3: the box is [1, 2, 3]" in made[0].fault
    assert "annotation 2: its image_id is not among the images" in made[-1].fault
    file.write_text(json.dumps({"images": []}))
    assert "not a COCO file, expected" in refused(requests, folder, file=file)
    file.write_text("[")
    assert "coco.json: not a readable JSON file" in refused(requests, folder, file=file)


def test_a_rough_mask_has_a_box_for_each_piece(folder: Path):
    rough = np.zeros((ROWS, COLUMNS), np.uint8)
    rough[10:20, 30:35] = rough[20:22, 35:40] = 255
    rough[100:101, 50:52] = 255
    file = folder.parent / "rough.png"
    cv2.imwrite(str(file), rough)
    image = folder / "one" / "a.png"
    assert [request.box for request in requests(image, file=file)] == [(30, 10, 40, 22), (50, 100, 52, 101)]
    cv2.imwrite(str(file), rough * 0)
    assert "no box in" in requests(image, file=file)[0].fault
    cv2.imwrite(str(file), rough[:50])
    assert f"{COLUMNS} columns x 50 rows, expected {COLUMNS} columns x {ROWS} rows as in {image}" in refused(
        requests, image, file=file
    )
    assert "a rough mask belongs to one mammogram" in refused(requests, folder, file=file)


def test_a_presentation_state_marks_the_images_that_it_refers_to(tmp_path: Path):
    folder = tmp_path / "images"
    for name, instance in (("a", "1.2.1"), ("b", "1.2.3")):
        write_image(folder / f"{name}.dcm", mass(30, 60), SOPInstanceUID=instance)
    file = write_state(tmp_path / "marks.dcm", annotation(graphic("POLYLINE", (2, 3, 6, 3, 6, 9, 2, 9, 2, 3))))
    made = requests(folder, file=file)
    assert (made[0].image, made[0].lesion, made[0].box) == ("a.dcm", "a_1", (2, 3, 6, 9))
    assert "b.dcm: no box in" in made[1].fault
    assert "image 2: none of the images in" in made[2].fault
    assert not any("1.2.2" in request.fault for request in made)
    assert [request.box for request in requests(folder / "a.dcm", file=file)] == [(2, 3, 6, 9)]


@pytest.mark.parametrize(
    ("centre", "box"),
    [((1, 60), (0, 55, 6, 65)), ((40, 2), (35, 0, 45, 7)), ((COLUMNS, ROWS), (COLUMNS - 5, ROWS - 5, COLUMNS, ROWS))],
)
def test_a_mark_that_reaches_out_of_the_mammogram_is_cut_at_its_edge(
    centre: tuple[int, int], box: tuple[float, ...], tmp_path: Path
):
    image = write_image(tmp_path / "a.dcm", mass(30, 60), SOPInstanceUID="1.2.1")
    circle = graphic("CIRCLE", (*centre, centre[0] + 3, centre[1] + 4))
    (request,) = requests(image, file=write_state(tmp_path / "marks.dcm", annotation(circle)))
    assert request.box == box


def test_files_that_hold_no_boxes(folder: Path):
    image = folder / "one" / "a.png"
    assert "found both, expected one" in refused(requests, image, [1, 2, 3, 4], table(folder, "image"))
    assert "column x0, y0, x1, y1 is missing" in refused(requests, image, file=table(folder, "image"))
    assert "found semicolons between the columns" in refused(requests, image, file=table(folder, "image;x0;y0;x1;y1"))
    assert "no such file; expected boxes" in refused(requests, image, file=folder / "gone.csv")
    (folder / "notes.txt").write_text("left breast")
    assert "found .txt, expected boxes as .csv" in refused(requests, image, file=folder / "notes.txt")


def test_images_of_one_name_get_folders_of_their_own(folder: Path):
    write_image(folder / "one" / "a.dcm", mass(30, 60))
    images = Images(folder, (folder / "two",))
    assert [images.name(file) for file in images.files] == ["one/a.dcm", "one/a.png", "one/b.png"]
    assert [images.folder(file).as_posix() for file in images.files] == ["one/a.dcm", "one/a.png", "one/b"]
    with pytest.raises(InputError, match="no image found below it"):
        Images(folder, (folder,))
