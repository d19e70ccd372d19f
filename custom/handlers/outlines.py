"""Pictures of the validation in TensorBoard."""

from __future__ import annotations

from ignite.engine import Engine, Events
from torch.utils.tensorboard import SummaryWriter

from custom.outlines import draw_outlines


class LesionOutlines:
    """Writes the first lesions of each validation with the outlines of truth and prediction to TensorBoard.

    Args:
        writer: of the run.
        lesions: how many lesions to show.
        interval: show them every this many epochs.
    """

    def __init__(self, writer: SummaryWriter, lesions: int = 4, interval: int = 5) -> None:
        self.writer = writer
        self.lesions = lesions
        self.interval = interval

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        epoch = engine.state.epoch
        if (epoch - 1) % self.interval:
            return
        shown = (engine.state.iteration - 1) * engine.state.dataloader.batch_size
        for item, result in list(zip(engine.state.batch, engine.state.output, strict=True))[
            : max(self.lesions - shown, 0)
        ]:
            layers = [result[key][0].cpu().numpy() for key in ("image", "label", "pred")]
            self.writer.add_image(f"outlines/{item['lesion_id']}", draw_outlines(*layers), epoch, dataformats="HWC")
