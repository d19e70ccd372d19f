"""What a study collects of each of its arms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What one arm of a study gave in one test.

    Attributes:
        arm: its name.
        test: the test's name; empty in a study with a single test.
        lesions: of each seed the rows of its `lesions.csv`, numbers as float.
        curves: of each seed `train_loss`, `train_dice`, `val_loss` and `val_dice` at the epoch whose model was kept,
            `best_epoch`, `epochs` and `seconds_per_epoch` (NaN where it could not be measured).
        cost: `parameters`, `multiply_adds` (of one lesion) and `milliseconds_per_lesion`.
        paper: metric -> the paper's figure as it is printed there: losses, the rest in percent; may be empty.
    """

    arm: str
    test: str
    lesions: list[list[dict[str, Any]]]
    curves: list[dict[str, float]]
    cost: dict[str, float]
    paper: dict[str, str]
