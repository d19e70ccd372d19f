"""The files of each lesion: mask, probability map, picture and JSON; for a DICOM image also SEG and SR.

All files of a mammogram are written into a hidden folder beside theirs and then moved, the JSON of a lesion last: where
it is, the others are, and an attempt that fails leaves the earlier files as they were.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any, Literal, get_args

import cv2
import itk
import monai
import nibabel
import numpy as np
import torch
from typing_extensions import TypedDict

from custom.errors import InputError
from custom.files import as_json, file_sha256, held, read_json, write_if_changed, writing
from custom.findings.dicom import Algorithm, write_report, write_segmentation
from custom.findings.finding import Finding
from custom.findings.overlay import draw_overlay
from custom.readers import is_dicom
from scripts.common.bundle import bundle_version, read_recipe
from scripts.common.cases import CONTEXT
from scripts.common.prediction.engine import Engine, predictor_of
from scripts.common.prediction.predictor import Mammogram, Predictor

Format = Literal["png", "nii.gz", "nrrd"]

_SEGMENTATION, _REPORT = "segmentation.dcm", "report.dcm"
# Height of the overlay in pixels.
_HEIGHT = 640
# A first axis to the patient's left and a second one to the back, where ITK puts every picture without a position.
_PICTURE_AXES = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Order:
    """What all mammograms of a prediction have in common; small, so that it can travel to another process.

    Attributes:
        output_dir: Folder of all results.
        run_dir: The run that predicts; None for the released weights.
        identity, model_sha256, settings: Those of its recipe.
        form: Format of masks and probability maps.
        probability: Write probability maps.
        engine: Engine that runs the network.
    """

    output_dir: Path
    run_dir: str | None
    identity: str
    model_sha256: str
    settings: dict[str, Any]
    form: Format
    probability: bool
    engine: Engine

    @classmethod
    def read(cls, output_dir: str, run_dir: str | None, form: Format, probability: bool, engine: Engine) -> Order:
        """Read the recipe of an order; the errors are those of `read_recipe`."""
        recipe = read_recipe(run_dir)
        # A worker of a cluster may have been started in another folder.
        run = None if run_dir is None else str(Path(run_dir).resolve())
        facts = (recipe.identity, recipe.model_sha256, recipe.settings)
        return cls(Path(output_dir).resolve(), run, *facts, form, probability, engine)

    def predictor(self) -> Predictor:
        """The predictor, built once in a process; see `predictor_of`."""
        return predictor_of(self.run_dir, self.identity, self.engine)


class _Flags(TypedDict):
    flags: Sequence[str]


class Written(TypedDict):
    """The JSON of a lesion, as far as it is read again; `files` are names in its mammogram's folder."""

    quality: _Flags
    made_from: Mapping[str, Any]
    files: Sequence[str]


def write_findings(
    order: Order, place: PurePath, image: str, mammogram: Mammogram, findings: Sequence[Finding]
) -> dict[str, Written]:
    """Write all files of the findings of one mammogram; if one fails, all stay as they were.

    Args:
        order: How they were made, and what is to be written.
        place: Folder of the mammogram's results, below that of all results.
        image: Name of the mammogram in the results.
        mammogram: The mammogram.
        findings: At least one.

    Returns:
        The JSON of each lesion, by the finding's name.

    Raises:
        InputError: A file cannot be written, or the DICOM source does not allow a SEG or an SR.
    """
    folder = order.output_dir / place
    made_from = _made_from(order, mammogram.file, {finding.name: finding.box for finding in findings})
    written: dict[str, Written] = {}
    with _unfinished(folder) as unfinished:
        dicom = [_SEGMENTATION, _REPORT] if is_dicom(mammogram.file) else []
        if dicom:
            for name in dicom:
                if (folder / name).is_file():
                    shutil.copyfile(folder / name, unfinished / name)  # stays where only its time would change
            algorithm = Algorithm(bundle_version(), order.model_sha256)
            write_segmentation(mammogram.file, findings, unfinished / _SEGMENTATION, algorithm)
            write_report(mammogram.file, findings, unfinished / _SEGMENTATION, unfinished / _REPORT, algorithm)
        for finding in findings:
            pictures, json_file = _pictures(mammogram, finding, order), f"{finding.name}.json"
            content: Any = {
                "image": image,
                "threshold": order.settings["threshold"],
                "model": {"sha256": order.model_sha256, "network": order.settings["network_name"]},
                "engine": order.engine,
                "versions": _versions(order.engine),
                "lesion": finding.name,
                "box": finding.box,
                "measurements": finding.measurements and asdict(finding.measurements),
                "spacing": mammogram.spacing and asdict(mammogram.spacing),
                "quality": asdict(finding.quality),
                "made_from": made_from[finding.name],
                "files": [*pictures, json_file, *dicom],
            }
            for name, file_content in {**pictures, json_file: as_json(content)}.items():
                write_if_changed(unfinished / name, file_content)
            written[finding.name] = content
        for name, new in written.items():
            # The JSON first, so that nothing half-new looks whole.
            for file_name in (f"{name}.json", *(_possible_files(name) - {*new["files"]})):
                (folder / file_name).unlink(missing_ok=True)
        for file in sorted(unfinished.iterdir(), key=lambda file: (file.suffix == ".json", file.name)):
            file.replace(folder / file.name)
    return written


def read_findings(
    order: Order, place: PurePath, file: Path, boxes: Mapping[str, Sequence[float]]
) -> dict[str, Written]:
    """Read what `write_findings` has returned if it did the same before; empty if anything differs or is missing.

    Args:
        order, place: As for `write_findings`.
        file: The mammogram.
        boxes: Boxes of the findings, by their names.
    """
    folder = order.output_dir / place
    try:
        written: dict[str, Written] = {name: read_json(folder / f"{name}.json", kind=Written) for name in boxes}
    except InputError:  # There is none, or it is damaged: the mammogram need not be read.
        return {}
    made_from = json.loads(json.dumps(_made_from(order, file, boxes)))
    same = all(
        one["made_from"] == made_from[name] and all((folder / part).is_file() for part in one["files"])
        for name, one in written.items()
    )
    return written if same else {}


def _made_from(order: Order, file: Path, boxes: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """All that decides the files of each lesion, by its name."""
    shared = {
        "version": bundle_version(),
        "image_sha256": file_sha256(file) if file.is_file() else "",
        "model_sha256": order.model_sha256,
        "settings": order.settings,
        "recipe": order.identity,
        "format": order.form,
        "probability": order.probability,
        "engine": order.engine,
    }
    # SEG and SR hold all lesions of the mammogram.
    together = {"segments": [*boxes]} if is_dicom(file) else {}
    return {name: {**shared, **together, "box": box} for name, box in boxes.items()}


def _versions(engine: Engine) -> dict[str, str]:
    used = {"bundle": bundle_version(), "monai": monai.__version__, "torch": torch.__version__}
    return {**used, "onnxruntime": version("onnxruntime")} if engine == "onnx" else used


def _possible_files(name: str) -> set[str]:
    """Names of the masks and probability maps that a lesion may have from an earlier prediction."""
    return {f"{name}_{kind}.{form}" for kind in ("mask", "probability") for form in get_args(Format)}


def _pictures(mammogram: Mammogram, finding: Finding, order: Order) -> dict[str, bytes]:
    """Mask, on request probability map, and overlay of a lesion, by the names of their files."""
    arrays = {"mask": finding.mask.astype(np.uint8)}
    if order.probability:
        arrays["probability"] = finding.probability
    overlay = draw_overlay(mammogram.pixels, finding.mask, finding.box, CONTEXT, _HEIGHT)
    return {
        **{
            f"{finding.name}_{kind}.{order.form}": encode(array, mammogram, order.form)
            for kind, array in arrays.items()
        },
        f"{finding.name}_overlay.png": _png(cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR)),
    }


def _png(rows_first: np.ndarray) -> bytes:
    return cv2.imencode(".png", rows_first)[1].tobytes()


def encode(array: np.ndarray, mammogram: Mammogram, form: Format) -> bytes:
    """Encode a mask (uint8, 0 and 1) or a probability map (float32), `(X, Y)`, in the frame of the mammogram.

    In a PNG, 1 becomes 255 or, of a probability, 65535. NIfTI and NRRD have one slice, of which the first axis is x and
    the second y. Its affine is the mammogram's own if it has one. For all others x goes to the patient's left and y to
    the back, which is where ITK and what is built on it (ITK-SNAP, 3D Slicer) put a PNG, a JPEG or a DICOM mammogram,
    which give no position. Without a spacing it is 1.
    """
    if form == "png":
        white = np.uint8(255) if array.dtype == np.uint8 else np.uint16(65535)
        return _png(cv2.transpose((array * white).round().astype(white.dtype)))
    affine = mammogram.affine
    if affine is None:
        spacing = mammogram.spacing
        affine = _PICTURE_AXES @ np.diag([spacing.column, spacing.row, 1.0, 1.0] if spacing else np.ones(4))
    if form == "nii.gz":
        image = nibabel.Nifti1Image(array[..., None], affine)
        image.header.set_xyzt_units("mm")
        return gzip.compress(image.to_bytes(), mtime=0)
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    to_lps = np.diag([-1.0, -1.0, 1.0])
    volume = itk.image_from_array(np.ascontiguousarray(array.T[None]))
    volume.SetSpacing(steps.tolist())
    volume.SetOrigin((to_lps @ affine[:3, 3]).tolist())
    volume.SetDirection(itk.matrix_from_array(to_lps @ affine[:3, :3] / steps))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"volume.{form}")
        itk.imwrite(volume, str(file), compression=True)
        return file.read_bytes()


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` for unfinished files; whatever a killed process left in it is removed."""
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
