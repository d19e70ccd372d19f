"""The curves of a training, out of the events that it wrote for TensorBoard."""

from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator, ScalarEvent


def read_curves(run_dir: Path) -> dict[str, dict[int, ScalarEvent]]:
    """Every scalar of a run: its value and time at each epoch, in the order of the epochs."""
    events = EventAccumulator(str(run_dir), size_guidance={"scalars": 0})
    events.Reload()
    # A run that was stopped between two checkpoints repeats an epoch: the later event counts.
    points = {tag: {event.step: event for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    return {tag: dict(sorted(curve.items())) for tag, curve in points.items()}
