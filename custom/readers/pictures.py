"""PNG and JPEG files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from custom.errors import InputError
from custom.readers.decoded import MOST_PIXELS, Decoded, check_size

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
_GREY_MODES = ("1", "L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def decode_picture(path: Path) -> Decoded:
    """Decode one grey picture of 8 or 16 bit."""
    with _opened(path) as image:
        image.verify()  # The only look at a PNG's checksums; it leaves the image unreadable.
    with _opened(path) as image:
        if image.mode not in _GREY_MODES:
            raise InputError(f"{path}: found a {image.mode} image, expected grey; convert it to 8 or 16 bit grey")
        check_size(path, image.size, getattr(image, "n_frames", 1))
        return Decoded(np.asarray(image).T)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, of which only the header has been read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `check_size` decides.
        try:
            image = Image.open(path, formats=("PNG", "JPEG"))
        except Image.DecompressionBombError as error:
            raise InputError(
                f"{path}: found more pixels in its header than the {MOST_PIXELS // 10**6} million that are read; "
                "export the image again"
            ) from error
        with image:
            yield image
