"""A run's row in TensorBoard's HPARAMS table, which compares the runs of a study."""

from __future__ import annotations

import time
from typing import Any

from ignite.engine import Engine, Events
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from torch.utils.tensorboard import SummaryWriter

from custom.runs import own_settings


class RunParameters:
    """Writes the settings that belong to the run, and after each validation its best one so far.

    They go into the run's own event file; `SummaryWriter.add_hparams` would make a run of its own of them, and has no
    true and false. It would also say once for all runs which parameters there are; where nobody does, TensorBoard finds
    out which of them differ between the runs and shows those first. The table's metrics are all scalars of the run.

    The paths of a machine are no part of the row, and neither are the epochs: TensorBoard would keep the number with
    which a resumed run began, and the scalars tell which epoch they are of. Attach it after the handlers that validate
    and write scalars, and before the one that writes checkpoints: all events of an epoch are on disk when it is done.

    Args:
        writer: of the run.
        settings: the values of the config's switches by name.
        evaluator: validates in this training.
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
        start = SessionStartInfo(start_time_secs=time.time())
        for name, value in own_settings(self.settings).items():
            if isinstance(value, bool):
                start.hparams[name].bool_value = value
            elif isinstance(value, (int, float)):
                start.hparams[name].number_value = value
            else:
                start.hparams[name].string_value = str(value)
        self._write(metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start))

    def write_best(self, engine: Engine) -> None:
        best = self.evaluator.state
        if best.epoch == engine.state.epoch:
            self.writer.add_scalar(f"{best.key_metric_name}_best", best.best_metric, best.epoch)
        self.writer.flush()

    def end(self, engine: Engine) -> None:
        end = SessionEndInfo(status=Status.STATUS_SUCCESS, end_time_secs=time.time())
        self._write(metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end))

    def _write(self, tag: str, content: HParamsPluginData) -> None:
        about = metadata.create_summary_metadata(content)
        record = Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)])
        self.writer._get_file_writer().add_summary(record)
        self.writer.flush()
