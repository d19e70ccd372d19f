"""Settings and curves of a run in TensorBoard."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.util.tensor_util import make_ndarray
from torch.utils.tensorboard import SummaryWriter

from custom.handlers import PrecisionRecallCurve, RunParameters, shown_epochs

SETTINGS = {
    "dataset_dir": "/data",
    "output_dir": "/runs",
    "cache_dir": "/cache",
    "run_name": "a",
    "resume": "/runs/a",
    "num_workers": 2,
    "epochs": 4,
    "split": "patient",
    "wiener": True,
    "batch_size": 16,
    "learning_rate": 0.5,
    "image_size": [64, 32],
}


def test_the_run_has_its_row_in_its_own_event_file(tmp_path: Path):
    state = SimpleNamespace(epoch=0, key_metric_name="validation/dice", best_metric=-1.0)

    def validate(engine: Engine, batch: int) -> None:
        if engine.state.epoch % 2 == 0:
            state.epoch, state.best_metric = engine.state.epoch, {2: 0.5, 4: 0.75}[engine.state.epoch]

    with SummaryWriter(tmp_path) as writer:
        trainer = Engine(validate)
        RunParameters(writer, SETTINGS, SimpleNamespace(state=state)).attach(trainer)
        trainer.run([0], max_epochs=4)
    (file,) = tmp_path.iterdir()
    events = EventAccumulator(str(file))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("validation/dice_best")] == [(2, 0.5), (4, 0.75)]

    def content(tag: str) -> bytes:
        return events.SummaryMetadata(tag).plugin_data.content

    start = metadata.parse_session_start_info_plugin_data(content(metadata.SESSION_START_INFO_TAG))
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    expected = {"split": "patient", "wiener": True, "batch_size": 16, "learning_rate": 0.5, "image_size": "[64, 32]"}
    assert values == expected
    assert values["wiener"] is True
    end = metadata.parse_session_end_info_plugin_data(content(metadata.SESSION_END_INFO_TAG))
    assert end.status == Status.STATUS_SUCCESS
    assert 0 <= end.end_time_secs - start.start_time_secs < 60


def test_an_interrupted_run_has_no_end(tmp_path: Path):
    def stop(engine: Engine, batch: int) -> None:
        raise KeyboardInterrupt

    with SummaryWriter(tmp_path) as writer:
        trainer = Engine(stop)
        RunParameters(writer, SETTINGS, SimpleNamespace(state=SimpleNamespace(epoch=0))).attach(trainer)
        with pytest.raises(KeyboardInterrupt):
            trainer.run([0], max_epochs=1)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Tags()["tensors"] == [metadata.SESSION_START_INFO_TAG]


def test_the_curve_of_an_epoch_pools_its_batches_and_no_other_epoch(tmp_path: Path):
    batches = [
        [{"logits": torch.tensor([[0.2, 0.8]]).logit(), "label": torch.tensor([[0, 1]])}],
        [{"logits": torch.tensor([[0.6, 0.4]]).logit(), "label": torch.tensor([[0, 1]])}],
    ]
    with SummaryWriter(tmp_path) as writer:
        engine = Engine(lambda engine, batch: batch)
        PrecisionRecallCurve(writer, epochs={2, 3}).attach(engine)
        engine.run(batches, max_epochs=3)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    written = events.Tensors("validation/precision_recall")
    assert [event.step for event in written] == [2, 3]
    for event in written:
        curve = make_ndarray(event.tensor_proto)
        # At thresholds of 0, .5, .7 and 1: tp, fp, tn, fn, precision, recall.
        expected = [[2, 2, 0, 0, 0.5, 1], [1, 1, 1, 1, 0.5, 0.5], [1, 0, 2, 1, 1, 0.5], [0, 0, 2, 2, 0, 0]]
        np.testing.assert_allclose(curve[:, [0, 50, 70, 100]].T, expected)


@pytest.mark.parametrize(
    ("epochs", "val_interval", "shown"),
    [(1, 1, {1}), (13, 1, {1, 6, 11, 13}), (15, 2, {2, 6, 12, 14}), (17, 5, {5, 10, 15}), (20, 8, {8, 16})],
)
def test_the_first_about_every_fifth_and_the_last_validation(epochs: int, val_interval: int, shown: set[int]):
    assert shown_epochs(epochs, val_interval) == shown
