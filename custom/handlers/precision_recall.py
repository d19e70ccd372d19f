"""The precision-recall curve of the validation in TensorBoard."""

from __future__ import annotations

from collections.abc import Collection

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from torch.utils.tensorboard import SummaryWriter

from custom.probabilities import count_pixels, precision_recall

# TensorBoard takes thresholds for evenly spaced from 0 to 1.
THRESHOLDS = np.linspace(0, 1, 101)


class PrecisionRecallCurve:
    """Writes the precision-recall curve of the pixels in the crops of all lesions together.

    Each batch adds to the counts per threshold, so no pixels are kept; processes that share a validation add theirs.

    Args:
        writer: of the run; None in a process that does not write.
        epochs: to write the curve of.
    """

    def __init__(self, writer: SummaryWriter | None, epochs: Collection[int]) -> None:
        self.writer = writer
        self.epochs = epochs

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.count)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        self.counts = np.zeros((2, len(THRESHOLDS)), np.int64)

    def count(self, engine: Engine) -> None:
        if engine.state.epoch in self.epochs:
            for result in engine.state.output:
                probability = result["logits"].float().sigmoid().numpy(force=True)
                pixels, lesion, _ = count_pixels(probability, result["label"].numpy(force=True), THRESHOLDS)
                self.counts += np.array([pixels, lesion], np.int64)

    def write(self, engine: Engine) -> None:
        epoch = engine.state.epoch
        if epoch in self.epochs:
            counts = idist.all_reduce(torch.from_numpy(self.counts)).numpy(force=True)
            if self.writer is not None:
                tp, fp, tn, fn, precision, recall = precision_recall(*counts)
                self.writer.add_pr_curve_raw(
                    "validation/precision_recall", tp, fp, tn, fn, precision, recall, epoch, len(THRESHOLDS)
                )
