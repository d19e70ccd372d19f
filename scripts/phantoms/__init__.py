"""Synthetic mammograms with masses of known outline.

`cohort` says who is imaged, `generate` draws one mammogram (from `breast`, `tissue`, `lesion`, `film`, `artefacts`) and
writes nothing, `layouts` writes, `command` is the verb. `measure` and `compare` hold them against real mammograms.
"""

from __future__ import annotations

from scripts.phantoms.command import phantoms

__all__ = ["phantoms"]
