"""Pictures, curves and settings of a run in TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

import cv2
import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from monai.transforms import AsDiscreted, Compose, Invertd, Transform
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from torch.utils.tensorboard import SummaryWriter

from custom.findings.overlay import draw_in_frame, draw_outlines, scaled
from custom.metrics.lesion import dice
from custom.metrics.pixels import count_pixels, precision_recall
from custom.readers import read_mask, read_pixels
from custom.runs.folder import own_settings

HEIGHT = 512


class LesionOutlines:
    """Writes the first lesions of a validation with the outlines of truth and prediction to TensorBoard.

    On the left the whole mammogram with the lesion's box, on the right the crop as the network sees it, with the Dice
    that it has there. The prediction is put back into the mammogram as an evaluation does it.

    Args:
        writer: Writer of the run.
        entries: Lesions of the datalist's part that is validated.
        preprocessing: Chain that made the crop; its inverse puts the prediction back.
        threshold: Probability from which a pixel counts as lesion.
        epochs: Epochs whose lesions are shown.
        lesions: Number of lesions to show.
    """

    def __init__(
        self,
        writer: SummaryWriter,
        entries: Sequence[dict[str, Any]],
        preprocessing: Transform,
        threshold: float,
        epochs: Collection[int],
        lesions: int = 4,
    ) -> None:
        self.writer = writer
        self.entries = {entry["lesion_id"]: entry for entry in entries}
        self.put_back = Compose(
            [
                Invertd("mask", preprocessing, orig_keys="image", nearest_interp=False, device="cpu"),
                AsDiscreted("mask", threshold=threshold),
            ]
        )
        self.epochs = epochs
        self.lesions = lesions

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        epoch = engine.state.epoch
        if epoch not in self.epochs:
            return
        left = self.lesions - (engine.state.iteration - 1) * engine.state.dataloader.batch_size
        for item, result in islice(zip(engine.state.batch, engine.state.output, strict=True), max(left, 0)):
            picture = self.draw(item, result)
            self.writer.add_image(f"outlines/{item['lesion_id']}", picture, epoch, dataformats="HWC")

    def draw(self, item: Mapping[str, Any], result: Mapping[str, Any]) -> np.ndarray:
        """Return the picture of one lesion, RGB, rows first.

        Args:
            item: Item of the batch, with the lesion's name and box.
            result: `image`, `label`, `pred` and `logits` of its crop, `(1, X, Y)`.
        """
        entry = self.entries[item["lesion_id"]]
        # The inferer gives plain tensors, which MONAI would leave where they are.
        probability = MetaTensor(result["logits"].float().sigmoid())
        whole = self.put_back({"image": result["image"], "mask": probability})["mask"]
        x0, y0, x1, y1 = (float(edge) for edge in item["box"])
        frame = draw_in_frame(
            read_pixels(entry["image"]), read_mask(entry["label"]), whole[0].numpy(), (x0, y0, x1, y1), HEIGHT
        )
        image, truth, prediction = (result[key][0].numpy(force=True) for key in ("image", "label", "pred"))
        size = (round(HEIGHT * image.shape[0] / image.shape[1]), HEIGHT)
        crop = draw_outlines(scaled(image, size), scaled(truth, size) >= 0.5, scaled(prediction, size) >= 0.5, 2)
        _write_on(crop, f"Dice {dice(prediction > 0, truth > 0):.2f}")
        return np.hstack([frame, crop])


def _write_on(picture: np.ndarray, text: str) -> None:
    # With a dark shadow, white is legible on black and on white.
    for shift, colour in ((2, (0, 0, 0)), (0, (255, 255, 255))):
        cv2.putText(picture, text, (10 + shift, 36 + shift), cv2.FONT_HERSHEY_SIMPLEX, 1.2, colour, 2, cv2.LINE_AA)


# TensorBoard takes thresholds for evenly spaced from 0 to 1.
THRESHOLDS = np.linspace(0, 1, 101)


class PrecisionRecallCurve:
    """Writes the precision-recall curve of the pixels in the crops of all lesions together.

    Each batch adds to the counts per threshold, so no pixels are kept; processes that share a validation add theirs.

    Args:
        writer: Writer of the run; None in a process that does not write.
        epochs: Epochs whose curve is written.
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


class RunParameters:
    """Writes the settings that belong to the run, and after each validation its best one so far.

    They go into the run's own event file; `SummaryWriter.add_hparams` would make a run of its own of them, and has no
    true and false. It would also say for all runs which parameters there are; since nothing says so here, TensorBoard
    shows those first that differ between the runs.

    The paths of a machine are no part of the row, and neither are the epochs: TensorBoard would keep the number with
    which a resumed run began. Attach it after the handlers that validate and write scalars, and before the one that
    writes checkpoints: all events of an epoch are on disk when it is done.
    """

    def __init__(self, writer: SummaryWriter, settings: dict[str, Any], evaluator: Engine) -> None:
        self.writer = writer
        self.settings = settings
        self.evaluator = evaluator

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write_best)
        engine.add_event_handler(Events.COMPLETED, self.end)

    def start(self, engine: Engine) -> None:
        settings = own_settings(self.settings).items()
        known = {name: value if isinstance(value, (bool, int, float)) else str(value) for name, value in settings}
        self._write(hparams_pb(known, trial_id=""))  # runs of the same settings stay apart

    def write_best(self, engine: Engine) -> None:
        best = self.evaluator.state
        if best.epoch == engine.state.epoch:
            self.writer.add_scalar(f"{best.key_metric_name}_best", best.best_metric, best.epoch)
        self.writer.flush()

    def end(self, engine: Engine) -> None:
        end = SessionEndInfo(status=Status.STATUS_SUCCESS, end_time_secs=time.time())
        about = metadata.create_summary_metadata(HParamsPluginData(session_end_info=end))
        value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
        self._write(Summary(value=[value]))

    def _write(self, record: Summary) -> None:
        self.writer._get_file_writer().add_summary(record)
        self.writer.flush()


def shown_epochs(epochs: int, val_interval: int, interval: int = 5) -> frozenset[int]:
    """Return the epochs whose pictures and curves are kept: the first, the last and about every fifth validated one.

    Args:
        epochs: Number of epochs of the training.
        val_interval: Epochs from one validation to the next.
        interval: Epochs from one that is shown to the next; if validations are farther apart, each is shown.
    """
    validated = range(val_interval, epochs + 1, val_interval)
    return frozenset(epoch for epoch in validated if (epoch - 1) % interval < val_interval or epoch == validated[-1])
