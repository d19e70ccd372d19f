"""What a study's folder remembers, so that no result of other settings, configs or data is taken for one of these."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from custom.data import Datalist
from custom.errors import InputError
from custom.files import as_json, write_if_changed
from scripts.common.bundle import CONFIGS
from scripts.common.formatting import slug
from scripts.common.results import RECORD, TEST, read_record
from scripts.study.arm import Job
from scripts.study.definition import Study
from scripts.study.plan import merged_config


def describe(study: Study, jobs: list[Job], dataset_dir: str, switches: Mapping[str, Any]) -> dict[str, Any]:
    """Arms with their overrides and a hash of their merged configs, tests, switches and data, as JSON reads them back.

    The number of seeds is not in it: more of them go on with the same study.
    """
    splits = sorted({job.settings["split"] for job in jobs})
    record = {
        "arms": {arm: study.overrides(arm) | {"config_sha256": _hash(study, arm)} for arm in study.arms},
        "tests": study.tests,
        "switches": {name: value for name, value in switches.items() if name != "cache_dir"},
        "datasets": [Datalist(dataset_dir, split).provenance for split in splits],
    }
    return json.loads(json.dumps(record))


def _hash(study: Study, arm: str) -> str:
    config = merged_config([*study.config_files(arm), str(CONFIGS / "evaluate.json")])
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def keep_to_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write down what the study is, or make sure that what it did so far is still part of it.

    What has no results yet may change, so that a fault can be mended.

    Raises:
        InputError: an arm, a test, the switches or the data differ from those of results that are there.
    """
    file = folder / RECORD
    if file.is_file():
        began = read_record(folder)
        for arm, found in record["arms"].items():
            if any(folder.glob(f"runs/{slug(arm)}_seed*/last.pt")):
                _compare(folder, f"arm {arm!r}", began["arms"].get(arm), found)
        for test, found in record["tests"].items():
            if any(folder.glob(f"runs/*/evaluation/{slug(test) or TEST}/summary.json")):
                _compare(folder, f"test {test!r}", began["tests"].get(test), found)
        for name in ("switches", "datasets"):
            if any(folder.glob("runs/*/last.pt")):
                _compare(folder, name, began.get(name), record[name])
    write_if_changed(file, as_json(record))


def _compare(folder: Path, what: str, began: object, found: object) -> None:
    if began != found:
        raise InputError(
            f"{folder}: has results of {what} {json.dumps(began)}, found {json.dumps(found)}; repeat the study as it "
            "was, or choose another --output_dir"
        )
