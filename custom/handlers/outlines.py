"""Pictures of the validation in TensorBoard."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from monai.transforms import AsDiscreted, Compose, Invertd, Transform
from torch.utils.tensorboard import SummaryWriter

from custom.metrics import dice
from custom.outlines import draw_in_frame, draw_outlines, scaled
from custom.reader import read_mask, read_pixels

HEIGHT = 512


class LesionOutlines:
    """Writes the first lesions of a validation with the outlines of truth and prediction to TensorBoard.

    On the left the whole mammogram with the lesion's box, on the right the crop as the network sees it, with the Dice
    that it has there. The prediction is put back into the mammogram as an evaluation does it.

    Args:
        writer: of the run.
        entries: of the datalist's part that is validated.
        preprocessing: the chain that made the crop; its inverse puts the prediction back.
        threshold: of the probabilities.
        epochs: to show the lesions of.
        lesions: how many lesions to show.
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
        shown = (engine.state.iteration - 1) * engine.state.dataloader.batch_size
        for item, result in list(zip(engine.state.batch, engine.state.output, strict=True))[
            : max(self.lesions - shown, 0)
        ]:
            picture = self.draw(item, result)
            self.writer.add_image(f"outlines/{item['lesion_id']}", picture, epoch, dataformats="HWC")

    def draw(self, item: Mapping[str, Any], result: Mapping[str, Any]) -> np.ndarray:
        """The picture of one lesion, RGB, rows first.

        Args:
            item: of the batch; names the lesion and its box.
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
