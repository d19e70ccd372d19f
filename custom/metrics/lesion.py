"""How well one outline agrees with the truth, measured in the full mammogram."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance
from scipy import ndimage

from custom.transforms.crop import Box, Window, filled_box


def inscribed_ellipse(box: Box, shape: tuple[int, int]) -> np.ndarray:
    """The ellipse inscribed in `box` as a bool mask of `shape`: the pixels whose centres are in it."""
    x0, y0, x1, y1 = box
    x = (np.arange(shape[0]) + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2)
    y = (np.arange(shape[1]) + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
    return x[:, None] ** 2 + y[None, :] ** 2 <= 1


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Dice coefficient of two bool masks of one shape; the truth is not empty."""
    return float(2 * (prediction & truth).sum() / (prediction.sum() + truth.sum()))


def hausdorff95(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Hausdorff distance of the outlines of two masks, in pixels: the larger 95th percentile of both directions.

    An empty prediction is as far away as can be: the frame's diagonal.

    Args:
        prediction: Mask in the full mammogram, bool `(X, Y)`.
        truth: Mask of the lesion, bool `(X, Y)`, not empty.
    """
    if not prediction.any():
        return float(np.hypot(*truth.shape))
    region = ndimage.find_objects((prediction | truth).view(np.uint8))[0]
    masks = (torch.from_numpy(mask[region])[None, None] for mask in (prediction, truth))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*always_return_as_numpy")  # MONAI's own call of its own old argument
        return compute_hausdorff_distance(*masks, include_background=True, percentile=95).item()


def lesion_scores(
    prediction: np.ndarray, truth: np.ndarray, others: np.ndarray, window: Window, box: Box
) -> dict[str, float]:
    """Measure one lesion: the metrics and counts of the vocabulary that are columns of `lesions.csv`.

    Overlaps and the Hausdorff distance are measured in the full frame, so that what of the lesion lies outside the crop
    counts as missed; the pixel counts `tp`, `fp`, `fn`, `tn` inside the crop. Pixels of other lesions that are not this
    lesion's as well are ignored throughout. The baselines need no network: the whole box, and the ellipse inscribed in
    it.

    Args:
        prediction: Mask in the full mammogram, bool `(X, Y)`, empty outside the crop.
        truth: Mask of the lesion, bool `(X, Y)`, not empty.
        others: Mask of the other lesions of the mammogram, bool `(X, Y)`.
        window: Crop, `(x0, y0, x1, y1)` in pixels of the mammogram; may leave the frame.
        box: Box of the lesion that the crop was made of.

    Returns:
        Value by name; the precision of an empty prediction is 0.
    """
    counted = truth | ~others
    prediction = prediction & counted
    x0, y0, x1, y1 = window
    crop = np.s_[max(x0, 0) : max(x1, 0), max(y0, 0) : max(y1, 0)]
    tp = int((prediction & truth).sum())
    predicted, actual, in_crop = int(prediction.sum()), int(truth.sum()), int(truth[crop].sum())
    return {
        "dice": 2 * tp / (predicted + actual),
        "jaccard": tp / (predicted + actual - tp),
        "precision": tp / predicted if predicted else 0.0,
        "recall": tp / actual,
        "hausdorff95": hausdorff95(prediction, truth),
        "tp": tp,
        "fp": predicted - tp,
        "fn": in_crop - tp,
        "tn": int(counted[crop].sum()) - predicted - in_crop + tp,
        "dice_all_foreground": dice(filled_box(box, (0, 0, *truth.shape)) & counted, truth),
        "dice_ellipse": dice(inscribed_ellipse(box, truth.shape) & counted, truth),
        "lesion_pixels": actual,
    }
