"""Results of studies that never ran."""

from __future__ import annotations

import numpy as np

from scripts.study.collect import ArmResult

ORIGIN = {
    "data set": "made_up",
    "split": "patient",
    "SHA-256 of its table": "a" * 64,
    "SHA-256 of the datalist": "b" * 64,
    "seeds": "0, 1",
    "epochs": 3,
    "image size": [32, 32],
    "features": [4, 4, 8, 8, 16, 4],
    "version of the bundle": "0.1.0",
    "machine of the milliseconds": "two CPU cores",
}
ABOUT = {
    "name": "Networks",
    "description": "Two networks on the same crops",
    "test": "test",
    "command": "python -m scripts study networks --dataset_dir data/made_up",
    "origin": ORIGIN,
}
COST = {"parameters": 604260.0, "multiply_adds": 6.123e9, "milliseconds_per_lesion": 12.34}


def lesion(name: str, patient: str, dice: float) -> dict:
    """A row of `lesions.csv` whose other measures follow from its Dice."""
    others = {"precision": dice - 0.05, "recall": dice + 0.05, "jaccard": dice / (2 - dice)}
    baselines = {"dice_ellipse": 0.6, "dice_all_foreground": 0.5}
    return {"lesion_id": name, "patient_id": patient, "dice": dice, "hausdorff95": 10.0, **others, **baselines}


def curve(best_epoch: float, seconds: float) -> dict[str, float]:
    losses = {"train_loss": 0.1, "train_dice": 0.9, "val_loss": 0.2, "val_dice": 0.8}
    return {**losses, "best_epoch": best_epoch, "epochs": 3.0, "seconds_per_epoch": seconds}


def arm_result(arm: str, dices: list[list[float]], test: str = "", paper: dict[str, str] | None = None) -> ArmResult:
    """An arm with the Dice of the lesions of each seed; two lesions a patient."""
    seeds = [
        [lesion(f"L{number}", f"P{number // 2}", dice) for number, dice in enumerate(dices_of_seed)]
        for dices_of_seed in dices
    ]
    return ArmResult(arm, test, seeds, [curve(1.0 + number, 4.0) for number in range(len(dices))], COST, paper or {})


def study(arms: list[str], tests: tuple[str, ...] = ("",), seeds: int = 2, lesions: int = 12) -> list[ArmResult]:
    """Arms of which each is a little worse than the one before."""
    rng = np.random.default_rng(0)
    of_lesion = rng.normal(0.8, 0.05, lesions)
    return [
        arm_result(
            arm,
            [list(of_lesion - 0.02 * rank + rng.normal(0, 0.01, lesions)) for _ in range(seeds)],
            test,
            {"dice": "92.92 ± .03"} if rank == 0 else None,
        )
        for test in tests
        for rank, arm in enumerate(arms)
    ]
