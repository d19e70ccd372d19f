"""The cached dataset: what its cache is known by, and what its random transforms depend on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, MapTransform, RandomizableTransform
from torch.utils.data import ConcatDataset

from custom.data import LesionDataset, fill_cache, parts_of
from custom.errors import InputError


class Read(MapTransform):
    """Reads the number in the file and counts how often any does."""

    done = 0

    def __init__(self, factor: int = 1) -> None:
        super().__init__(["image"])
        self.factor = factor

    def __call__(self, data: Any) -> dict[str, Any]:
        Read.done += 1
        return data | {"image": MetaTensor(torch.tensor([self.factor * float(Path(data["image"]).read_text())]))}


class Draw(RandomizableTransform):
    """Adds a random number."""

    def __call__(self, data: Any) -> dict[str, Any]:
        return data | {"drawn": self.R.randint(1 << 30)}


@pytest.fixture
def items(tmp_path: Path) -> list[dict[str, str]]:
    Read.done = 0
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(str(number))
    return [{"image": str(tmp_path / f"{number}.txt"), "lesion_id": str(number)} for number in range(3)]


Make = Callable[..., LesionDataset]


@pytest.fixture
def make(items: list[dict[str, str]], tmp_path: Path) -> Make:
    def dataset(factor: int = 1, **given: Any) -> LesionDataset:
        return LesionDataset(items, Compose([Read(factor), Draw()]), str(tmp_path / "cache"), **given)

    return dataset


def test_a_lesion_is_prepared_once(make: Make, tmp_path: Path) -> None:
    for _ in range(2):
        assert [lesion["image"].item() for lesion in make()] == [0, 1, 2]
    assert Read.done == len(list((tmp_path / "cache").iterdir())) == 3


def test_nothing_is_kept_without_a_folder(items: list[dict[str, str]]) -> None:
    dataset = LesionDataset(items, Compose([Read(), Draw()]))
    assert [dataset[0]["image"].item(), dataset[0]["image"].item(), Read.done] == [0, 0, 2]


def test_another_file_transform_or_kind_of_tensor_is_prepared_anew(make: Make, items: list[dict[str, str]]) -> None:
    assert make()[1]["image"].item() == 1
    assert make(factor=2)[1]["image"].item() == 2
    file = Path(items[1]["image"])
    before = file.stat()
    file.write_text("7")  # of the same size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert make()[1]["image"].item() == 7
    assert [type(make(track_meta=meta)[1]["image"]) for meta in (True, False)] == [MetaTensor, torch.Tensor]
    assert Read.done == 4


def test_a_damaged_file_of_the_cache_is_made_again(make: Make, tmp_path: Path) -> None:
    make()[2]
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert make()[2]["image"].item() == 2
    assert file.read_bytes() == whole


def test_random_numbers_come_from_seed_epoch_and_index_alone(make: Make) -> None:
    def drawn(seed: int, epoch: int, index: int) -> int:
        dataset = make(seed=seed)
        dataset.epoch = epoch
        return dataset[index]["drawn"]

    every = {(seed, epoch, index): drawn(seed, epoch, index) for seed in (0, 1) for epoch in (0, 1) for index in (0, 1)}
    assert len(set(every.values())) == len(every)
    dataset = make(seed=1)
    dataset.epoch = 1
    assert [dataset[index]["drawn"] for index in (1, 0, 1)] == [every[1, 1, index] for index in (1, 0, 1)]


def test_the_cache_is_filled_before_an_epoch(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = make(), make(factor=2)
    joined: Any = ConcatDataset([one, two])
    assert (parts_of(one), parts_of(joined)) == ([one], [one, two])
    fill_cache([joined], num_workers=0)
    assert Read.done == 6
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: 4)
    with pytest.raises(InputError, match="--nproc_per_node: found 4, expected at most 3, the number of lesions"):
        fill_cache([one], num_workers=0)


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written") as caught:
        LesionDataset([], lambda item: item, str(tmp_path / "file" / "cache"))
    assert str(tmp_path / "file" / "cache") in str(caught.value)
