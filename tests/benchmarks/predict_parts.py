"""Where the time of a prediction in PyTorch goes, after the imports.

    python -m tests.benchmarks.predict_parts FILE BOX RUN_DIR

prints the seconds of each part as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import scripts.predict as verb
from scripts.common.prediction import jobs, outputs
from scripts.common.prediction.predictor import Predictor


def main(file: str, box: str, run_dir: str) -> None:
    """Predict once and tell."""
    spent: dict[str, float] = {}

    def timed(name: str, function: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                spent[name] = spent.get(name, 0) + time.perf_counter() - start

        return call

    outputs.predictor_of = timed("loading the network", outputs.predictor_of)  # type: ignore[assignment]
    jobs.write_findings = timed("writing", jobs.write_findings)
    Predictor.read = timed("reading and filtering", Predictor.read)  # type: ignore[method-assign]
    Predictor.crop = timed("cropping", Predictor.crop)  # type: ignore[method-assign]
    Predictor.outline = timed("network and measurements", Predictor.outline)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        verb.predict(file, str(Path(folder) / "out"), json.loads(box), run_dir=run_dir)
    print(json.dumps(spent))


if __name__ == "__main__":
    main(*sys.argv[1:])
