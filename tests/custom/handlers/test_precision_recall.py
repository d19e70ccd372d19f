from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from ignite.engine import Engine
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray
from torch.utils.tensorboard import SummaryWriter

from custom.handlers import PrecisionRecallCurve


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
