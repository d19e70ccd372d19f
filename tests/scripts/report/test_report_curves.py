from __future__ import annotations

from pathlib import Path

import pytest

from scripts.report.blocks import Figure, Figures, NotThere
from scripts.report.curves import curves, kept_epoch, study_curves
from scripts.report.sources import StudyResults
from tests.scripts.report.bare_run import run_of

BOTH = {"train/dice": {1: 0.5, 2: 0.7, 3: 0.8}, "validation/dice": {1: 0.6, 2: 0.75, 3: 0.75}, "train/loss": {1: 0.4}}


def figures(blocks: list) -> dict[str, Figure]:
    (block,) = blocks
    assert isinstance(block, Figures)
    return {figure.name: figure for figure in block.figures}


def lines(figure: Figure) -> dict[str, tuple[list, list]]:
    """Of each line in the legend its points."""
    shown = [line for line in figure.drawing.get_axes()[0].lines if not line.get_label().startswith("_")]
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in shown}


def test_curves_hold_the_events():
    shown = figures(curves(run_of(curves=BOTH)))
    assert list(shown) == ["curve_of_loss", "curve_of_dice"]
    dice = lines(shown["curve_of_dice"])
    assert dice["training"] == ([1, 2, 3], [0.5, 0.7, 0.8])
    assert dice["validation"] == ([1, 2, 3], [0.6, 0.75, 0.75])
    assert dice["kept model: epoch 2"][0] == [2, 2]
    assert shown["curve_of_dice"].caption.startswith("Dice of the training and the validation, measured in the crop.")
    assert "training from .500 at epoch 1 to .800 at epoch 3" in shown["curve_of_dice"].alt
    axes = shown["curve_of_dice"].drawing.get_axes()[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "Dice in the crop (1 = perfect)")


def test_one_epoch_of_the_training_alone():
    figure = figures(curves(run_of(curves={"train/loss": {1: 0.4}})))["curve_of_loss"]
    assert lines(figure) == {"training": ([1], [0.4])}
    assert figure.caption == "Loss of the training, measured in the crop."
    assert figure.alt == "Loss over the epochs: training .400 at epoch 1."


def test_of_equal_epochs_the_first_was_kept():
    assert kept_epoch(run_of(curves=BOTH)) == 2
    assert kept_epoch(run_of()) is None


def test_without_events_there_are_no_curves():
    with pytest.raises(NotThere, match=r"events\.out\.tfevents"):
        curves(run_of())


def test_a_study_shows_means_over_the_seeds():
    seeds = [run_of(curves=BOTH), run_of(curves={"train/dice": {1: 0.7, 2: 0.9}, "validation/dice": {1: 0.8, 2: 0.85}})]
    silent = run_of()
    figure = figures(study_curves(StudyResults(Path("study"), {"a": seeds, "b": [silent]})))["curve_of_dice"]
    shown = lines(figure)
    assert shown["a"][0] == [1, 2]
    assert shown["a"][1] == pytest.approx([0.7, 0.8])
    # Solid and dotted, without points of their own.
    assert shown["validation"] == shown["training"] == ([], [])
    axes = figure.drawing.get_axes()[0]
    means = [list(line.get_ydata()) for line in axes.lines if line.get_linestyle() == ":" and len(line.get_xdata())]
    assert means == [pytest.approx([0.6, 0.8])]
    assert [list(line.get_ydata()) for line in axes.lines if line.get_linewidth() == 0.6] == [
        [0.6, 0.75, 0.75],
        [0.8, 0.85],
    ]
    assert figure.caption.startswith("Dice of the training and the validation, measured in the crop; means")
    assert figure.alt == "Dice of the arms at the last epoch: a training .800, validation .800."


def test_a_study_with_one_seed_has_no_means():
    figure = figures(study_curves(StudyResults(Path("study"), {"a": [run_of(curves=BOTH)]})))["curve_of_dice"]
    assert figure.caption == "Dice of the training and the validation, measured in the crop."


def test_a_study_of_images_has_no_curves():
    assert study_curves(StudyResults(Path("denoising"), {})) == []
