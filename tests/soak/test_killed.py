"""What is killed at any moment and started again ends as if nothing had happened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.phantoms import phantoms
from tests.helpers import SMALL, TRAIN
from tests.reliability import write_count
from tests.scripts.common.prediction.phantom import box_of, mass, write_image, write_small_run
from tests.soak.killing import Files, StudyOfTrainings, Training, Work, survive

pytestmark = pytest.mark.slow

EPOCHS = 4
TOY = [part for name, value in SMALL.items() if name != "epochs" for part in (f"--{name}", value)]


def prepare_manifest(dataset: Path, place: Path, small: bool = False) -> Work:
    phantoms(str(place / "raw"), layout="manifest", patients=5 if small else 12, image_size=[240, 360])
    return Files(["scripts", "prepare", "manifest", "--table", str(place / "raw" / "manifest.csv")], "--dataset_dir")


def prepare_cbis_ddsm(dataset: Path, place: Path, small: bool = False) -> Work:
    phantoms(str(place / "raw"), layout="cbis_ddsm", patients=8, image_size=[240, 360])
    return Files(["scripts", "prepare", "cbis_ddsm", "--source", str(place / "raw")], "--dataset_dir")


def training(dataset: Path, place: Path, small: bool = False) -> Work:
    epochs = 3 if small else EPOCHS
    flags = ["--config_file", TRAIN, "--dataset_dir", str(dataset), *TOY, "--epochs", str(epochs), "--num_workers", "1"]
    return Training(flags, epochs)


def study(dataset: Path, place: Path, small: bool = False) -> Work:
    arms = {"a": {}} if small else {"a": {}, "b": {"margin": 0.5}}
    (place / "two.json").write_text(json.dumps({"description": "Two", "reference": "a", "arms": arms}))
    return StudyOfTrainings([str(place / "two.json"), "--dataset_dir", str(dataset), *TOY, "--epochs", "2"], "two", 2)


def batch_prediction(dataset: Path, place: Path, small: bool = False) -> Work:
    run = write_small_run(place / "run")
    boxes = ["image,x0,y0,x1,y1"]
    for number in range(4 if small else 8):
        file = f"{number}.{'dcm' if number % 2 else 'png'}"
        given = {"SOPInstanceUID": f"1.2.3.{number}"} if number % 2 else {}
        write_image(place / "images" / file, mass(30, 60), **given)
        boxes.append(f"{file},{','.join(map(str, box_of(30, 60)))}")
    (place / "boxes.csv").write_text("\n".join(boxes) + "\n")
    where = ["--image", str(place / "images"), "--boxes_file", str(place / "boxes.csv"), "--run_dir", str(run)]
    return Files(["scripts", "predict", *where, "--probability", "True"], "--output_dir")


# What `make test` has the time for.
QUICK = (prepare_manifest, training, study, batch_prediction)
# By the work what is the same as without a kill.
WORKS: dict[Callable[..., Work], str] = {
    prepare_manifest: "files, byte for byte",
    prepare_cbis_ddsm: "files, byte for byte",
    training: f"weights, optimizer and scalars of {EPOCHS} epochs on the CPU, bit for bit",
    study: "weights and scalars of both arms, bit for bit, lesions.csv, and table but for its seconds",
    batch_prediction: "files, byte for byte; of SEG and SR all but the time of making",
}


@pytest.mark.parametrize("make", QUICK, ids=lambda make: make.__name__)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_killed_twice_ends_as_if_it_had_not_been(make: Callable, dataset: Path, tmp_path: Path) -> None:
    survive(make(dataset, tmp_path, small=True), tmp_path, kills=2, seed=2)
    shutil.rmtree(tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("make", WORKS, ids=lambda make: make.__name__)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_killed_ends_as_if_it_had_not_been(make: Callable, dataset: Path, tmp_path: Path) -> None:
    kills = 20
    begun = survive(make(dataset, tmp_path), tmp_path, kills, seed=kills)
    shutil.rmtree(tmp_path)
    write_count(
        f"tests/soak/test_killed.py::test_what_is_killed_ends_as_if_it_had_not_been[{make.__name__}]",
        f"{make.__name__.replace('_', ' ').capitalize()}, killed and started again: the same {WORKS[make]}",
        kills,
        f"passed: {kills} kills in {begun} folders",
    )
