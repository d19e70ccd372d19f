"""Fuzz every parser for a time, two at once, from whole files of its kind; the counts go to build/reliability."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hostile.seeds import ROOT, make_seeds
from tests.reliability import write_counts

# Of each parser the suffixes of the files that it starts from.
STARTS = {
    **{"dicom": ".dcm", "png": ".png", "jpeg": ".jpg", "nifti": ".nii", "nrrd": ".nrrd", "meta_image": ".mha"},
    **{"gsps": ".dcm", "xml": ".xml", "sheet": ".csv", "table": ".csv", "lesions": ".csv", "json": ".json"},
    **{"study": ".json", "last": ".pt"},
}


def fuzz(name: str, seconds: int, starts: list[Path], folder: Path) -> tuple[int, str]:
    """How many inputs a parser was given, and what it died of; empty if it did not."""
    corpus, place = folder / name / "corpus", folder / name / "work"
    for made in (corpus, place):
        made.mkdir(parents=True)
    for number, file in enumerate(start for start in starts if start.suffix == STARTS[name]):
        shutil.copy(file, corpus / f"{number}{file.suffix}")
    limits = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096", "-max_len=65536"]
    command = [sys.executable, "-m", "tests.fuzz.parsers", name, str(place), str(corpus), *limits]
    artifacts = ROOT / "build" / "fuzz"
    artifacts.mkdir(parents=True, exist_ok=True)
    command += [f"-artifact_prefix={artifacts}/{name}_", "-print_final_stats=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
    (artifacts / f"{name}.log").write_text(done.stdout + done.stderr)
    return int(found[1]) if found else 0, "" if done.returncode == 0 else (done.stdout + done.stderr)[-2500:]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("names", nargs="*", default=list(STARTS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        starts = [seed.file for seed in make_seeds(folder / "seeds")]
        with ThreadPoolExecutor(2) as pool:
            results = dict(
                zip(
                    given.names,
                    pool.map(lambda name: fuzz(name, given.seconds, starts, folder), given.names),
                    strict=True,
                )
            )
    rows = []
    for name, (count, fault) in results.items():
        print(f"{name}: {count} inputs, {'a fault' if fault else 'no fault'}\n{fault}")
        promise = f"The parser of {name.replace('_', ' ')} ends in a result or in one clear line, whatever the bytes"
        rows.append({"promise": promise, "test": "make fuzz", "count": count, "result": fault[-200:] or "held"})
    write_counts("fuzz", rows)
    sys.exit(any(fault for _, fault in results.values()))


if __name__ == "__main__":
    main()
