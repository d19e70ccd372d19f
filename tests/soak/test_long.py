"""Memory and open files stay as they are, however long a training or a series of predictions lasts."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser

from custom.files import release
from scripts.predict import predict
from tests.helpers import TRAIN
from tests.reliability import write_count
from tests.scripts.common.prediction.phantom import box_of, mass, write_image, write_small_run

STEPS = 2000
# The first fifth is for what is built once: buffers, caches, imports.
WARM = STEPS // 5
# Bytes of memory for each step: half of what is lost with one 32 x 32 crop of float32. Over 320 steps of a training no
# Python object stays (counted by `gc`), while the resident memory moves by some hundred bytes a step: the allocator's.
MOST_PER_STEP = 2048


class Watch:
    """Memory and number of open files, step by step."""

    def __init__(self) -> None:
        self.memory: list[int] = []
        self.files: list[int] = []

    def __call__(self) -> None:
        self.files.append(len(os.listdir("/proc/self/fd")))
        self.memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))

    def check(self, test: str, what: str) -> None:
        memory, files = np.array(self.memory[WARM:]), self.files[WARM:]
        slope = np.polyfit(np.arange(len(memory)), memory, 1)[0]
        told = f"{slope:.0f} bytes of memory a step, {min(files)} to {max(files)} open files"
        write_count(
            f"tests/soak/test_long.py::{test}",
            f"Over {STEPS} {what} the memory grows by less than {MOST_PER_STEP} bytes each, and the number of open "
            "files does not grow",
            len(self.memory),
            f"{'passed' if slope < MOST_PER_STEP else 'failed'}: {told}",
        )
        assert len(self.memory) >= STEPS
        assert slope < MOST_PER_STEP, told
        assert max(files[-WARM:]) <= max(files[:WARM]), told


@pytest.mark.soak
def test_training_steps(dataset: Path, tmp_path: Path, as_program: Callable) -> None:
    parser = ConfigParser()
    parser.read_config(TRAIN)
    parser.update(
        {
            **{"dataset_dir": str(dataset), "output_dir": str(tmp_path), "run_name": "run", "image_size": [32, 32]},
            **{"features": [4, 4, 8, 8, 16, 4], "num_workers": 0, "batch_size": 4, "epochs": STEPS // 4},
        }
    )
    watch = Watch()
    parser.get_parsed_content("initialize")
    trainer: Engine = parser.get_parsed_content("train#trainer")
    assert STEPS % len(trainer.state.dataloader or parser.get_parsed_content("train#dataloader")) == 0
    trainer.add_event_handler(Events.ITERATION_COMPLETED, watch)
    trainer.run()
    release(tmp_path / "run")
    watch.check("test_training_steps", "training steps")


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_predictions(tmp_path: Path) -> None:
    run = write_small_run(tmp_path / "run")
    places = [(30, 60), (20, 50), (40, 70)]
    images = [
        write_image(tmp_path / name, mass(*place), **given)
        for name, place, given in (
            ("a.dcm", places[0], {"SOPInstanceUID": "1.2.3.1"}),
            ("b.png", places[1], {}),
            ("c.dcm", places[2], {"SOPInstanceUID": "1.2.3.3"}),
        )
    ]
    watch = Watch()
    for number in range(STEPS):
        kind = number % 3
        # Two boxes in turn, so that nothing is taken for done already.
        x, y = places[kind]
        box = box_of(x - number // 3 % 2, y)
        predict(str(images[kind]), str(tmp_path / f"out{kind}"), box, run_dir=str(run))
        if number % 100 == 0:
            gc.collect()
        watch()
    watch.check("test_predictions", "predictions")
