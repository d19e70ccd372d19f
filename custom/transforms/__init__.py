"""Transforms that MONAI lacks: array versions and, with a final `d`, dictionary versions."""

from custom.transforms.crop import (
    CropLesion,
    CropLesiond,
    RandCropLesiond,
    context_margin,
    lesion_window,
    mask_box,
)

__all__ = [
    "CropLesion",
    "CropLesiond",
    "RandCropLesiond",
    "context_margin",
    "lesion_window",
    "mask_box",
]
