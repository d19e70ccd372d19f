"""Whether a mask may be used on its mammogram: every check of image, mask and pair, for every source."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from custom.errors import InputError
from custom.readers import read_pixels
from custom.transforms import mask_box

# Two films of one breast differ in scale by their pitch alone; beyond this the mask belongs to something else.
RATIO_TOLERANCE = 0.005
# A mask that went through JPEG is no longer two-valued, but nearly all of it is still near black or white.
JPEG_SPREAD = 8
JPEG_SHARE = 0.99
# 16-bit values that are saved as 8 bits wrap around, so that neighbours differ by nearly all of the range, or stop at
# 255. Of 326 lesions of CBIS-DDSM none has such neighbours, and none more than a sixth of its box at one value; of
# their 12-bit forms, wrapped, each has at least 0.4 % of such neighbours.
WHITE = 255
STEP, MOST_STEPS = 200, 0.002
MOST_WHITE = 0.5


@dataclass(frozen=True)
class Verdict:
    """The result of the checks of a lesion.

    Attributes:
        mask: Bool `(X, Y)` in the frame of the mammogram; None for a lesion that is quarantined.
        reason: Why it is quarantined, or what was repaired; empty for a mask that is used as it came.
        warning: What is odd about a usable lesion; empty if nothing is.
        details: Further columns of the audit.
    """

    mask: np.ndarray | None
    reason: str = ""
    warning: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, str]:
        """`status`, `reason` and the details, as the audit has them."""
        status = "quarantined" if self.mask is None else "repaired" if self.reason else "paired"
        return {"status": status, "reason": "; ".join(filter(None, (self.reason, self.warning))), **self.details}


def read_values(file: str, folder: Path) -> np.ndarray:
    """Read the pixels `(X, Y)` of an image or mask, float32.

    Raises:
        InputError: there is no such file or it cannot be decoded; names the file without the folder.
    """
    if not file:
        raise InputError("the table names no file")
    try:
        return read_pixels(folder / file)
    except InputError as error:
        raise InputError(str(error).replace(str(folder / file), file)) from error


def judge(image: np.ndarray, values: np.ndarray, image_file: str, mask_file: str, box: Sequence[str] = ()) -> Verdict:
    """Judge the mask of a lesion, the pixels `(X, Y)` of its file, on its mammogram `(X, Y)`.

    The files are named in the reasons. A `box` is four numbers `x0, y0, x1, y1` as the table has them; it holds part
    of the lesion.
    """
    try:
        mask, repair = fit(binarise(values, mask_file), image.shape, mask_file)
    except InputError as error:
        return Verdict(None, str(error))
    if box:
        x0, y0, x1, y1 = map(float, box)
        if not mask[math.floor(x0) : math.ceil(x1), math.floor(y0) : math.ceil(y1)].any():
            fault = f"has no pixel in the box ({', '.join(box)}): one of them is of another lesion"
            return Verdict(None, f"{mask_file}: {fault}")
    if fault := grey_fault(image, mask):
        return Verdict(None, f"{image_file}: {fault}")
    return Verdict(mask, f"{mask_file}: {repair}" if repair else "")


def binarise(values: np.ndarray, file: str) -> np.ndarray:
    """Turn the pixels `(X, Y)` of a mask file into a mask, bool `(X, Y)`.

    They are two-valued with the background lower, or 8-bit black and white blurred by JPEG.

    Raises:
        InputError: it is no mask.
    """
    low, high = values.min(), values.max()
    if low == high:
        raise InputError(f"{file}: " + ("the mask is empty" if low == 0 else "the mask covers the whole frame"))
    if np.isin(values, (low, high)).all():
        return values > low
    sharp = ((values <= JPEG_SPREAD) | (values >= 255 - JPEG_SPREAD)).mean()
    if high > 255 or sharp < JPEG_SHARE:
        raise InputError(f"{file}: the mask has many grey values, expected two")
    mask = values > 127
    if not mask.any():
        raise InputError(f"{file}: the mask is empty")
    return mask


def fit(mask: np.ndarray, shape: tuple[int, ...], file: str) -> tuple[np.ndarray, str]:
    """Bring a mask into the frame of its mammogram.

    A mask whose two sides differ from the frame by the same factor was drawn on the film at another pitch.

    Returns:
        The mask, bool `(X, Y)`, and how it was resized; empty if it was not.

    Raises:
        InputError: the mask is of another image.
    """
    if mask.shape == shape:
        return mask, ""
    sizes = f"mask {mask.shape[0]} x {mask.shape[1]}, image {shape[0]} x {shape[1]} (columns x rows)"
    across, down = shape[0] / mask.shape[0], shape[1] / mask.shape[1]
    if abs(across / down - 1) > RATIO_TOLERANCE:
        factors = f"the sides differ by {across:.3f} and {down:.3f}"
        raise InputError(f"{file}: {sizes}: {factors}, so the mask is of another image")
    resized = cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
    if not resized.any():
        raise InputError(f"{file}: {sizes}: empty once resized")
    return resized, f"{sizes}: resized by {across:.3f}"


def lesion_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return the box `(x0, y0, x1, y1)` of a mask `(X, Y)` that is not empty."""
    box = mask_box(mask[None])
    assert box is not None
    x0, y0, x1, y1 = map(int, box)
    return x0, y0, x1, y1


def grey_fault(image: np.ndarray, mask: np.ndarray) -> str:
    """Say why the grey values of a mammogram `(X, Y)` in the box of a lesion cannot be right; empty if they can."""
    x0, y0, x1, y1 = lesion_box(mask)
    values = image[x0:x1, y0:y1]
    if values.min() == values.max():
        return f"the image has the one value {values.max():g} in the whole box of the lesion"
    if image.max() > WHITE:
        return ""
    steps = max(float((np.abs(np.diff(values, axis=axis)) > STEP).mean()) for axis in (0, 1) if values.shape[axis] > 1)
    white = float((values == WHITE).mean())
    if steps > MOST_STEPS or white > MOST_WHITE:
        return (
            f"in the box of the lesion {steps:.1%} of neighbouring pixels differ by more than {STEP} grey values and "
            f"{white:.0%} are {WHITE}: more than 8 bits were saved as 8; export the image again"
        )
    return ""
