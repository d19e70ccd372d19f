"""The independent judge of the files that we write: dciodvfy of dicom3tools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def errors(file: Path) -> list[str]:
    """The lines of dciodvfy that tell an error; skips the rest of the test where it is not installed."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy not installed: apt-get install dicom3tools")
    told = subprocess.run(["dciodvfy", file], capture_output=True, text=True, errors="replace", check=False)
    lines = [*told.stdout.splitlines(), *told.stderr.splitlines()]
    assert {"Segmentation", "ComprehensiveSR"} & set(lines), lines  # It names the kind of what it has looked through.
    return [line for line in lines if line.startswith("Error")]
