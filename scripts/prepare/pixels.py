"""Reading the pixels of a source's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from custom.errors import InputError
from custom.readers import read_pixels


def read_values(file: str, folder: Path) -> np.ndarray:
    """The pixels `(X, Y)` of an image or mask, float32; its errors name the file without the folder.

    Args:
        file: its path, relative to `folder`.
        folder: of the source.

    Raises:
        InputError: there is no such file or it cannot be decoded.
    """
    if not file:
        raise InputError("the table names no file")
    try:
        return read_pixels(folder / file)
    except InputError as error:
        raise InputError(str(error).replace(str(folder / file), file)) from error
