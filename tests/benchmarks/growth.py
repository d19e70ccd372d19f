"""A preparation, a filled cache and a cached epoch of data, in one process.

    python -m tests.benchmarks.growth TABLE FOLDER

prints seconds, bytes on the disk and the most bytes of memory as JSON.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

from monai.bundle import ConfigParser

from custom.data import fill_cache
from scripts.prepare.manifest import prepare_manifest
from tests.benchmarks.ratios import ROOT, memory, seconds


def main(table: str, folder: str) -> None:
    """Do all and tell."""
    parser = ConfigParser()
    parser.read_config(str(ROOT / "bundle" / "configs" / "train.json"))
    parser.update({"dataset_dir": f"{folder}/data", "cache_dir": f"{folder}/cache", "num_workers": 0})
    with contextlib.redirect_stdout(sys.stderr):
        prepare = seconds(lambda: prepare_manifest(table, f"{folder}/data"))
    loader = parser.get_parsed_content("train#dataloader")
    fill = seconds(lambda: fill_cache([loader.dataset], 0))
    epoch = seconds(lambda: [None for _ in loader])
    disk = sum(file.lstat().st_size for file in Path(folder).rglob("*") if file.is_file())
    print(json.dumps({"prepare": prepare, "fill": fill, "epoch": epoch, "disk": disk, "memory": memory("VmHWM")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
