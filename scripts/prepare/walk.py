"""The files of a download, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def walk(source: Path, skipped: Path | None = None) -> Iterator[Path]:
    """All files below a folder, in the order of their names.

    A download may be spread over several disks: symbolic links to folders outside it are followed, each folder once,
    and none that holds the source. One to a folder inside it is not, since its files are found in their own place.

    Args:
        source: the folder.
        skipped: one that is not looked into even if it lies in the source.
    """
    root = source.resolve()
    seen = {root, *root.parents, *([skipped.resolve()] if skipped else [])}
    for folder, subfolders, names in os.walk(source, followlinks=True):
        fresh = []
        for name in sorted(subfolders):
            path = Path(folder, name)
            place = path.resolve()
            if place not in seen and not (path.is_symlink() and place.is_relative_to(root)):
                seen.add(place)
                fresh.append(name)
        subfolders[:] = fresh
        yield from (Path(folder, name) for name in sorted(names))
