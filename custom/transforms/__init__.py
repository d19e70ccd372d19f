"""Transforms that MONAI lacks: array versions and, with a final `d`, dictionary versions."""

from custom.transforms.artifacts import RemoveArtifacts, RemoveArtifactsd
from custom.transforms.clahe import CLAHE, CLAHEd
from custom.transforms.crop import (
    CropDisplacedLesiond,
    CropLesion,
    CropLesiond,
    RandCropLesiond,
    context_margin,
    lesion_window,
    mask_box,
)
from custom.transforms.scale import ScaleFrame, ScaleFramed
from custom.transforms.wiener import WienerFilter, WienerFilterd
