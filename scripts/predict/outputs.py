"""What a prediction writes of each lesion: mask, probability map, picture and JSON; of a DICOM image SEG and SR too.

All files of a mammogram are written into a hidden folder beside theirs and then moved, the JSON of a lesion last: where
it is, the others are, and what cannot be finished leaves the earlier ones as they were.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import cv2
import itk
import nibabel
import numpy as np

from custom.errors import InputError
from custom.files import as_json, held, read_json, write_if_changed, write_mask, writing
from custom.findings.dicom.algorithm import Algorithm
from custom.findings.dicom.report import write_report
from custom.findings.dicom.segmentation import write_segmentation
from custom.findings.finding import Finding
from custom.findings.overlay import BOX_COLOUR, draw_in_frame, draw_outlines, scaled
from custom.readers import is_dicom
from custom.transforms import CropLesion, lesion_window
from scripts.common.cases import CONTEXT
from scripts.predict.predictor import Mammogram
from scripts.predict.quality import Quality

Format = Literal["png", "nii.gz", "nrrd"]

SEGMENTATION, REPORT = "segmentation.dcm", "report.dcm"
HEIGHT = 640
# A first axis to the patient's left and a second one to the back, as ITK takes every picture without a position.
_PICTURE_AXES = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Written:
    """What was written of a lesion: names of files in its mammogram's folder, and its quality flags."""

    files: tuple[str, ...]
    flags: tuple[str, ...]


def write_findings(
    folder: Path,
    mammogram: Mammogram,
    findings: Sequence[tuple[Finding, Quality]],
    made_from: Mapping[str, Mapping[str, Any]],
    about: Mapping[str, Any],
    form: Format,
    probability: bool,
    algorithm: Algorithm,
) -> dict[str, Written]:
    """Write all about the findings of one mammogram; if one file fails, all stays as it was.

    Args:
        folder: of the mammogram's results.
        mammogram: that the findings were made of.
        findings: at least one.
        made_from: by the finding's name, what `read_written` is asked for later.
        about: what the JSON of each lesion says of versions and model.
        form: of the masks and probability maps.
        probability: whether to write probability maps.
        algorithm: what SEG and SR say of it.

    Returns:
        By the finding's name.

    Raises:
        InputError: a file cannot be written, or the DICOM source does not allow a SEG or an SR.
    """
    names = {finding.name: _file_names(finding.name, form, probability, mammogram.file) for finding, _ in findings}
    with _beside(folder) as unfinished:
        if is_dicom(mammogram.file):
            found = [finding for finding, _ in findings]
            for name in (SEGMENTATION, REPORT):
                if (folder / name).is_file():
                    shutil.copyfile(folder / name, unfinished / name)  # stays where nothing but its time would change
            write_segmentation(mammogram.file, found, unfinished / SEGMENTATION, algorithm)
            write_report(mammogram.file, found, unfinished / SEGMENTATION, unfinished / REPORT, algorithm)
        for finding, quality in findings:
            _write_pictures(unfinished, mammogram, finding, form, probability)
            content = {
                **about,
                **_told(mammogram, finding, quality),
                "made_from": made_from[finding.name],
                "files": names[finding.name],
            }
            write_if_changed(_json(unfinished, finding.name), as_json(content))
        _clear(folder, names)
        last = {f"{name}.json" for name in names}
        for name in sorted({*chain(*names.values())}, key=lambda name: (name in last, name)):
            (unfinished / name).replace(folder / name)
    return {finding.name: Written(tuple(names[finding.name]), quality.flags) for finding, quality in findings}


def is_begun(folder: Path, name: str) -> bool:
    """Whether a lesion has files at all, of whatever they were made."""
    return _json(folder, name).is_file()


def read_written(folder: Path, name: str, made_from: Mapping[str, Any]) -> Written | None:
    """What was written of a lesion that was made from the same; None if one of its files is not there."""
    content = _read(_json(folder, name))
    files, quality = _texts(content.get("files")), content.get("quality")
    whole = files and content.get("made_from") == json.loads(json.dumps(made_from))
    if not whole or not isinstance(quality, dict) or not all((folder / file).is_file() for file in files):
        return None
    return Written(files, _texts(quality.get("flags")))


def draw_overlay(mammogram: Mammogram, finding: Finding) -> np.ndarray:
    """The whole mammogram with box and outline beside the enlarged surroundings of the box; RGB, rows first."""
    frame = draw_in_frame(mammogram.pixels, None, finding.mask, finding.box, HEIGHT)
    window = lesion_window(finding.box, CONTEXT, square=True)
    cut = CropLesion(CONTEXT)
    image, mask = (cut(pixels[None], finding.box)[0].numpy() for pixels in (mammogram.pixels, finding.mask))
    size = (HEIGHT, HEIGHT)
    crop = draw_outlines(scaled(image, size), None, scaled(mask, size) >= 0.5, 2)
    edges = [
        round((edge - window[number % 2]) * HEIGHT / image.shape[number % 2]) for number, edge in enumerate(finding.box)
    ]
    cv2.rectangle(crop, (edges[0], edges[1]), (edges[2], edges[3]), BOX_COLOUR, 1)
    return np.hstack([frame, crop])


def volume_bytes(pixels: np.ndarray, mammogram: Mammogram, form: Format) -> bytes:
    """`pixels`, `(X, Y)`, as NIfTI or NRRD of one slice that lies where the mammogram lies.

    The first axis is x, the columns, and the second y, the rows. A mammogram with an affine of its own hands it on. For
    all others x goes to the patient's left and y to the back, which is where ITK and what is built on it (ITK-SNAP, 3D
    Slicer) put a PNG, a JPEG or a DICOM mammogram, none of which says where it lies. Without a spacing it is 1.
    """
    affine = mammogram.affine
    if affine is None:
        spacing = mammogram.spacing
        affine = _PICTURE_AXES @ np.diag([spacing.column, spacing.row, 1.0, 1.0] if spacing else np.ones(4))
    if form == "nii.gz":
        image = nibabel.Nifti1Image(pixels[..., None], affine)
        image.header.set_xyzt_units("mm")
        return gzip.compress(image.to_bytes(), mtime=0)
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    to_lps = np.diag([-1.0, -1.0, 1.0])
    volume = itk.image_from_array(np.ascontiguousarray(pixels.T[None]))
    volume.SetSpacing(steps.tolist())
    volume.SetOrigin((to_lps @ affine[:3, 3]).tolist())
    volume.SetDirection(itk.matrix_from_array(to_lps @ affine[:3, :3] / steps))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"volume.{form}")
        itk.imwrite(volume, str(file), compression=True)
        return file.read_bytes()


def _write_pictures(folder: Path, mammogram: Mammogram, finding: Finding, form: Format, probability: bool) -> None:
    mask, map_file = folder / f"{finding.name}_mask.{form}", folder / f"{finding.name}_probability.{form}"
    if form == "png":
        write_mask(mask, finding.mask)
    else:
        write_if_changed(mask, volume_bytes(finding.mask.astype(np.uint8), mammogram, form))
    if probability and form == "png":
        rows_first = cv2.transpose(np.rint(finding.probability * 65535).astype(np.uint16))
        write_if_changed(map_file, cv2.imencode(".png", rows_first)[1].tobytes())
    elif probability:
        write_if_changed(map_file, volume_bytes(finding.probability, mammogram, form))
    overlay = cv2.cvtColor(draw_overlay(mammogram, finding), cv2.COLOR_RGB2BGR)
    write_if_changed(folder / f"{finding.name}_overlay.png", cv2.imencode(".png", overlay)[1].tobytes())


def _told(mammogram: Mammogram, finding: Finding, quality: Quality) -> dict[str, Any]:
    return {
        "lesion": finding.name,
        "box": list(finding.box),
        "measurements": None if finding.measurements is None else asdict(finding.measurements),
        "spacing": None if mammogram.spacing is None else asdict(mammogram.spacing),
        "quality": asdict(quality),
    }


def _file_names(name: str, form: Format, probability: bool, image: Path) -> list[str]:
    maps = [f"{name}_probability.{form}"] if probability else []
    dicom = [SEGMENTATION, REPORT] if is_dicom(image) else []
    return [f"{name}_mask.{form}", *maps, f"{name}_overlay.png", f"{name}.json", *dicom]


def _json(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = read_json(file)
    except InputError:
        return {}
    return content


def _texts(listed: object) -> tuple[str, ...]:
    return tuple(listed) if isinstance(listed, list) and all(isinstance(text, str) for text in listed) else ()


def _clear(folder: Path, names: Mapping[str, Sequence[str]]) -> None:
    """Remove the JSON of the lesions, so that nothing half-new looks whole, and files that are no longer written."""
    for name, files in names.items():
        # What stands in the file is not believed: no other lesion's files are removed, and none elsewhere.
        earlier = [file for file in _texts(_read(_json(folder, name)).get("files")) if file.startswith(f"{name}_")]
        for file in ({*earlier} - {*files}) | {f"{name}.json"}:
            (folder / Path(file).name).unlink(missing_ok=True)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder for what is not whole yet; what a killed process left in it goes."""
    unfinished = folder.with_name(f".{folder.name}.part")
    try:
        # On a cluster a worker may still write the results of a prediction that was killed.
        with writing(folder), held(folder, wait=True):
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            try:
                yield unfinished
            finally:
                shutil.rmtree(unfinished)
    finally:
        with suppress(OSError):  # It holds something, or is none.
            folder.rmdir()
