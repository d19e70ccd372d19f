"""Transforms for mammograms that MONAI lacks."""

from __future__ import annotations

from custom.transforms.artifacts import RemoveArtifacts, RemoveArtifactsd
from custom.transforms.clahe import CLAHE, CLAHEd
from custom.transforms.wiener import WienerFilter, WienerFilterd

__all__ = ["CLAHE", "CLAHEd", "RemoveArtifacts", "RemoveArtifactsd", "WienerFilter", "WienerFilterd"]
