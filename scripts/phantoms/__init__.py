"""Synthetic mammograms with masses of known outline: `scripts.common.phantom` draws them, this package writes them."""

from scripts.phantoms.command import phantoms

__all__ = ["phantoms"]
