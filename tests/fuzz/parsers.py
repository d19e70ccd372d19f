"""One parser, fed by Atheris until its time is over: `python -m tests.fuzz.parsers NAME FOLDER -max_total_time=60`."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pydicom", "nibabel", "PIL", "plistlib", "custom", "scripts"]):
    from custom.errors import InputError
    from custom.files import read_json
    from custom.findings.dicom.gsps import read_boxes
    from custom.handlers import read_lesions
    from custom.readers import read_pixels
    from custom.runs.folder import read_last
    from scripts.common.tables import read_table
    from scripts.prepare.inbreast_files import read_rois, read_sheet
    from scripts.study.definition import read_study


PARSERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "dicom": ("a.dcm", read_pixels),
    "png": ("a.png", read_pixels),
    "jpeg": ("a.jpg", read_pixels),
    "nifti": ("a.nii", read_pixels),
    "nrrd": ("a.nrrd", read_pixels),
    "meta_image": ("a.mha", read_pixels),
    "gsps": ("a.dcm", read_boxes),
    "xml": ("a.xml", lambda file: read_rois(file, file.read_bytes())),
    "sheet": ("a.csv", lambda file: read_sheet(file, file.read_bytes())),
    "table": ("a.csv", lambda file: read_table(file.read_bytes(), file, ("image",))),
    "lesions": ("lesions.csv", read_lesions),
    "json": ("a.json", read_json),
    "study": ("a.json", lambda file: read_study(str(file))),
    "last": ("last.pt", read_last),
}


def main(name: str, folder: str, arguments: list[str]) -> None:
    file, read = Path(folder, PARSERS[name][0]), PARSERS[name][1]

    def one(data: bytes) -> None:
        file.write_bytes(data)
        with suppress(InputError):
            read(file)

    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
