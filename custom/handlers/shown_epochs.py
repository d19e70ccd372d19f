"""When TensorBoard gets what is too large for every epoch."""

from __future__ import annotations


def shown_epochs(epochs: int, val_interval: int, interval: int = 5) -> frozenset[int]:
    """The epochs with a validation of which pictures and curves are kept: about every fifth, the first and the last.

    Args:
        epochs: of the training.
        val_interval: validates every this many epochs.
        interval: of the epochs that are shown; where validations are farther apart, each is shown.
    """
    validated = range(val_interval, epochs + 1, val_interval)
    return frozenset(epoch for epoch in validated if (epoch - 1) % interval < val_interval or epoch == validated[-1])
