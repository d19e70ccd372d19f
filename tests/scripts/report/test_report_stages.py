from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.transforms import Compose

from custom.data import lesion_items
from scripts.report.blocks import Figures, NotThere
from scripts.report.stages import augmented, preprocessing_stages, read_chain, through
from tests.helpers import ROOT, TRAIN, with_files
from tests.scripts.report.pictured_run import made_run


def titles_of(run: Any) -> list[list[str]]:
    (block,) = preprocessing_stages(run)
    assert isinstance(block, Figures)
    return [
        [" ".join(tile.get_title().split()) for tile in figure.drawing.get_axes() if tile.get_title()]
        for figure in block.figures
    ]


def test_steps_are_those_of_the_run(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset, remove_artifacts=True, clahe_clip_limit=3.0, margin=0.5)
    frame, crop = titles_of(run)
    assert frame == ["as stored", "artifacts removed", "Wiener filter, 3 x 3 pixels", "CLAHE, clip 3, 8 x 8 tiles"]
    assert crop[0].startswith("crop, margin .50,")
    assert crop[1:] == ["resized to 32 x 32 pixels", "normalised to 0 to 1"] + [
        f"augmented, sample {number}" for number in (1, 2, 3)
    ]


def test_filters_that_are_off_do_not_appear(tmp_path: Path, dataset: Path):
    frame, _ = titles_of(made_run(tmp_path / "run", dataset, wiener=False, clahe=False))
    assert frame == ["as stored"]


def test_steps_equal_the_chain_in_one_go(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset)
    item = lesion_items([run.evaluations[0].entry(run.evaluations[0].lesions[0])])[0]
    transforms = read_chain(run).get_parsed_content("frame_transforms")
    steps = list(through(dict(item), transforms))
    for place, step in enumerate(steps, start=1):
        np.testing.assert_array_equal(step.image, Compose(transforms[:place])(dict(item))["image"][0])
    assert steps[0].change is None
    np.testing.assert_array_equal(steps[2].change, steps[2].image - steps[1].image)


def test_samples_are_those_of_the_training(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset, config_file=with_files("options/displaced_boxes"))
    item = lesion_items([run.evaluations[0].entry(run.evaluations[0].lesions[0])])[0]
    samples, random = augmented(read_chain(run), item)
    parser = read_chain(run)
    parser.update({"train#items": [item]})
    trained = parser.get_parsed_content("train#dataset")
    for epoch, sample in enumerate(samples, start=1):
        trained.epoch = epoch
        np.testing.assert_array_equal(sample, trained[0]["image"][0])
    assert [type(step).__name__ for step in random] == ["RandCropLesiond", "RandRotate90d", "RandFlipd", "RandFlipd"]


def test_the_papers_recipe_shows_each_of_its_copies(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset, lesions=1)
    run.args["config_file"] = [TRAIN, str(ROOT / "bundle" / "configs" / "paper.json")]
    parser = read_chain(run)
    item = lesion_items([run.evaluations[0].entry(run.evaluations[0].lesions[0])])[0]
    (plain, turned, flipped), _ = augmented(parser, item)
    assert any(np.array_equal(turned, np.rot90(plain, turns)) for turns in (1, 2, 3))
    assert any(np.array_equal(flipped, np.flip(plain, axis)) for axis in (0, 1))


def test_a_config_that_is_gone_is_told(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset, lesions=1)
    run.args["config_file"] = [str(tmp_path / "own.json"), TRAIN]
    with pytest.raises(NotThere, match=r"config files of the run \(own.json\)") as error:
        preprocessing_stages(run)
    assert str(tmp_path) not in str(error.value)


def test_a_run_without_evaluation_has_no_stages(tmp_path: Path, dataset: Path):
    assert preprocessing_stages(made_run(tmp_path / "run", dataset, tests=())) == []
