"""The deterministic chain of the inference config and the naive one, from a DICOM file to the crop.

    python -m tests.benchmarks.chain FILE BOX TIMES

runs the former TIMES times in a process of its own and prints its seconds and, in bytes, the memory before the first,
the most at all and the memory after a tenth of them and after all.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from monai.bundle import ConfigParser
from monai.transforms import Compose
from scipy.signal import wiener
from skimage.exposure import equalize_adapthist
from skimage.transform import resize

from custom.transforms import lesion_window
from scripts.common.phantom.cohort import draw_patient
from scripts.common.phantom.generate import generate_phantom
from scripts.phantoms.cbis_ddsm import encode_dicom, raw_files
from scripts.phantoms.layouts import raw_mammogram
from tests.benchmarks.ratios import ROOT, memory, seconds

COLUMNS, ROWS = 3000, 4800
FRAME_BYTES = 4 * COLUMNS * ROWS


def write_mammogram(file: Path, number: int = 1) -> list[int]:
    """Write a phantom as an uncompressed DICOM file of 16 bits; returns the box of its first lesion."""
    mammogram = raw_mammogram(generate_phantom(0, draw_patient(0, number), "MLO", (COLUMNS, ROWS)))
    file.write_bytes(encode_dicom(raw_files(mammogram)[0]))
    rows, columns = np.nonzero(mammogram.lesions[0].mask)
    return [int(edge) for edge in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


def preprocessing() -> Compose:
    """The chain of `inference.json` with the values of `train.json`, so at its full size."""
    parser = ConfigParser()
    parser.read_config(str(ROOT / "bundle" / "configs" / "inference.json"))
    train = ConfigParser.load_config_file(str(ROOT / "bundle" / "configs" / "train.json"))
    parser.update({name: train[name] for name in ("margin", "box_channel", "image_size")})
    parser["bundle_root"] = str(ROOT / "bundle")
    return parser.get_parsed_content("preprocessing")


def naive(file: Path, box: Sequence[float]) -> np.ndarray:
    """The same steps with the same parameters from pydicom, scipy and scikit-image; the crop `(rows, columns)`."""
    frame = pydicom.dcmread(file).pixel_array.astype(np.float64)
    frame = _scaled(wiener(255 * _scaled(frame), 3))
    frame = equalize_adapthist(frame, kernel_size=(ROWS // 8, COLUMNS // 8), clip_limit=2 / 256, nbins=256)
    x0, y0, x1, y1 = lesion_window(box, 0.2, square=True)
    return _scaled(resize(frame[y0:y1, x0:x1], (224, 224), anti_aliasing=True))


def _scaled(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / (values.max() - values.min())


def main(file: str, box: str, times: str) -> None:
    """Run the chain and tell."""
    warnings.filterwarnings("ignore")
    chain, item = preprocessing(), {"image": file, "box": json.loads(box)}
    before, early, count = memory("VmRSS"), 0, int(times)
    spent = 0.0
    for number in range(count):
        spent += seconds(lambda: chain(dict(item)))
        if number == count // 10:
            early = memory("VmRSS")
    print(json.dumps([spent, before, memory("VmHWM"), early, memory("VmRSS")]))


if __name__ == "__main__":
    main(*sys.argv[1:])
