"""Removal of everything that is not breast: labels, tape and the borders of scanned film."""

from __future__ import annotations

import cv2
import numpy as np
from monai.config import KeysCollection

from custom.transforms.filters import Filter, Filterd

# The shape of a breast needs no more pixels than this along the long side.
_LONG_SIDE = 1000
# How deep the white strips of a scan reach, as a share of the short side.
_BORDER = 0.08
# Radius of the erosion, as a share of the long side.
_RADIUS = 0.01


class RemoveArtifacts(Filter):
    """Keep the breast of a mammogram and set everything else to the background, the minimum of the image.

    The breast is found as the largest object that is brighter than the background:

    1. Otsu's threshold on the logarithm of the grey values. On the grey values themselves it would be several times as
       high and cut off skin and the fat below it.
    2. In the outer 8 % (of the short side) only what goes on from the inside straight to the edge of the image counts.
       So the white strips of a scan end where the breast ends, and do not connect it with anything else.
    3. Erosion by 1 % of the long side, the largest component, its holes filled, dilation by 2 %: what hangs on by less
       is cut off, and the skin, which fades into the background, keeps a margin.

    A strip stays where the breast borders on it, since masses reach into it. Meant for whole mammograms, bright on
    dark, every channel by itself. A constant image stays what it was. The breast is found on a copy of at most 1000
    pixels and its mask is enlarged by nearest neighbour.

    Source: threshold, opening and largest component as in J. Nagi, S. Abdul Kareem, F. Nagi, S. Khaleel Ahmed,
    "Automated Breast Profile Segmentation for ROI Detection Using Digital Mammograms", IECBES 2010. Threshold: N. Otsu,
    "A Threshold Selection Method from Gray-Level Histograms", IEEE Trans. Systems, Man, and Cybernetics 9 (1979),
    pp. 62-66. The logarithm and the second step are not from there.
    """

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        return np.stack([np.where(breast_mask(channel), channel, channel.min()) for channel in pixels])


def breast_mask(image: np.ndarray) -> np.ndarray:
    """Where the breast is in a mammogram `(X, Y)`, boolean; everywhere if there is no object at all."""
    cores, radius = _cores(image)
    mask = cv2.dilate(largest_object(cores), _disc(2 * radius))
    return cv2.resize(mask, image.shape[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)


def breast_share(image: np.ndarray) -> float:
    """The part of a frame `(X, Y)` that its largest object takes, less a rim; 0 if there is no object at all."""
    cores, _ = _cores(image)
    return float(largest_object(cores).mean()) if cores.any() else 0.0


def _cores(image: np.ndarray) -> tuple[np.ndarray, int]:
    """The bright objects of a small copy of `image` after the erosion, 0 and 1, and its radius in pixels there."""
    scale = min(1, _LONG_SIDE / max(image.shape))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    bright = _without_borders(brighter_than_background(small), round(_BORDER * min(small.shape)))
    radius = max(round(_RADIUS * max(small.shape)), 1)
    return cv2.erode(bright, _disc(radius)), radius


def brighter_than_background(image: np.ndarray) -> np.ndarray:
    """1 where a mammogram `(X, Y)` is above Otsu's threshold on the logarithm of its grey values, else 0; 8 bit."""
    scaled = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
    logarithm = np.rint(255 * np.log1p(scaled) / np.log(256)).astype(np.uint8)
    return cv2.threshold(logarithm, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]


def _without_borders(bright: np.ndarray, depth: int) -> np.ndarray:
    inside = bright[depth : bright.shape[0] - depth, depth : bright.shape[1] - depth]
    return bright & np.pad(inside, depth, mode="edge")


def largest_object(objects: np.ndarray) -> np.ndarray:
    """The largest connected component with its holes filled; everything if there is none."""
    _, components, statistics, _ = cv2.connectedComponentsWithStats(objects)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if not len(areas):
        return np.ones_like(objects)
    largest = (components == 1 + areas.argmax()).astype(np.uint8)
    outline, _ = cv2.findContours(largest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(largest, outline, -1, color=1, thickness=cv2.FILLED)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


class RemoveArtifactsd(Filterd):
    """Dictionary-based wrapper of :py:class:`RemoveArtifacts`. Give it the image's key only, never the label's."""

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, RemoveArtifacts(), allow_missing_keys)
