"""Prepared data sets: their datalists, and the cached dataset that the configs train and evaluate on."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, NotRequired

import ignite.distributed as idist
import numpy as np
import torch
from monai.data import PersistentDataset, get_track_meta, set_track_meta
from monai.data.utils import pickle_hashing
from monai.utils import TraceKeys, convert_to_tensor
from numpy._core.multiarray import _reconstruct
from pydantic import ConfigDict, FiniteFloat
from torch.utils.data import ConcatDataset, DataLoader, Dataset
from tqdm import tqdm
from typing_extensions import TypedDict

from custom.checkpoints import write_checkpoint
from custom.errors import InputError, find_input_error
from custom.files import FileName, InnerPath, check_writable, read_json
from custom.processes import wait_for_all
from custom.reader import read_pixels
from custom.transforms import mask_box

# MONAI marks its traced transforms with TraceKeys and keeps numpy arrays in the metadata; without leave for both,
# `torch.load` refuses every cached lesion and PersistentDataset computes it again, each time.
torch.serialization.add_safe_globals(
    [TraceKeys, np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in (np.int64, np.float64)), _reconstruct]
)

logger = logging.getLogger(__name__)

PARTS = ("training", "validation", "test")
FILE_KEYS = ("image", "label")


def datalist_file(dataset_dir: str, split: str) -> Path:
    """The datalist of `split` in a prepared data set.

    Raises:
        InputError: no folder is given, or it or the datalist is not there; names the splits that are.
    """
    if not dataset_dir:
        raise InputError("--dataset_dir is missing: give it on the command line, such as --dataset_dir DIR")
    folder = Path(dataset_dir)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; expected a prepared data set: make one with `python -m scripts prepare`"
        )
    file = folder / "datalists" / f"{split}.json"
    if not file.is_file():
        others = sorted(file.parent.glob("*.json"))
        if not others:
            raise InputError(
                f"{folder}: no datalists found; expected a prepared data set: make one with `python -m scripts prepare`"
            )
        splits = ", ".join(other.stem for other in others)
        notes = "; ".join(filter(None, (load_datalist(other).get("note") for other in others)))
        raise InputError(f"{file}: no such datalist; --split takes {splits} here{f' ({notes})' if notes else ''}")
    return file


class _Lesion(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    lesion_id: FileName
    image: InnerPath
    label: NotRequired[InnerPath]
    box: NotRequired[list[FiniteFloat]]
    patient_id: NotRequired[str]
    laterality: NotRequired[str]
    view: NotRequired[str]
    birads: NotRequired[str]
    density: NotRequired[str]
    pathology: NotRequired[str]


class _Datalist(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    name: FileName
    source: NotRequired[str]
    note: NotRequired[str]
    manifest_sha256: NotRequired[str | None]
    training: NotRequired[list[_Lesion]]
    validation: NotRequired[list[_Lesion]]
    test: NotRequired[list[_Lesion]]


def load_datalist(file: Path) -> dict[str, Any]:
    """The content of a datalist.

    Raises:
        InputError: it is damaged, a value is of the wrong kind, or a name or a path in it leads out of the data set.
    """
    content: dict[str, Any] = read_json(file, kind=_Datalist)
    return content


def read_dataset_name(dataset_dir: str, split: str) -> str:
    """The name that the data set gives itself in its datalist."""
    name: str = load_datalist(datalist_file(dataset_dir, split))["name"]
    return name


def read_datalist(dataset_dir: str, split: str, part: str) -> list[dict[str, Any]]:
    """The lesions of one part of a split, with absolute paths and all that the datalist says of them.

    Args:
        dataset_dir: a prepared data set.
        split: the datalist's name without its suffix, such as `patient`.
        part: `training`, `validation` or `test`.

    Raises:
        InputError: no such data set, split or part, an empty part, or a file of an entry that is gone.
    """
    if part not in PARTS:
        raise InputError(f"--part: found {part!r}, expected one of {', '.join(PARTS)}")
    file = datalist_file(dataset_dir, split)
    content = load_datalist(file)
    if not content.get(part):
        reason = content.get("note", "the data set was prepared without it")
        filled = [other for other in PARTS if content.get(other)]
        raise InputError(
            f"{file}: no lesions for {part} ({reason}); this datalist has {', '.join(filled) or 'none at all'}"
        )
    shared = set() if part == "training" else _patients(content, part) & _patients(content, "training")
    if shared:
        logger.warning(
            f"{file}: {len(shared)} of {len(_patients(content, part))} patients in {part} are in training as well, so "
            "its results are better than those of new patients; a split by patient keeps them apart"
        )
    entries = [located(entry, dataset_dir) for entry in content[part]]
    for entry in entries:
        for key in FILE_KEYS:
            if key in entry and not Path(entry[key]).is_file():
                raise InputError(
                    f"{entry[key]}: the {key} of {entry['lesion_id']} in {file.name} is gone; "
                    "restore it or prepare the data set again"
                )
    return entries


def _patients(content: Mapping[str, Any], part: str) -> set[str]:
    return {entry["patient_id"] for entry in content.get(part, ()) if "patient_id" in entry}


def masks_by_image(dataset_dir: str, split: str) -> dict[str, set[str]]:
    """The masks of all lesions of each mammogram in a datalist, whichever part they are in; absolute paths."""
    content = load_datalist(datalist_file(dataset_dir, split))
    masks = defaultdict(set)
    for entry in (located(entry, dataset_dir) for part in PARTS for entry in content.get(part, ())):
        if "label" in entry:
            masks[entry["image"]].add(entry["label"])
    return masks


def located(entry: Mapping[str, Any], dataset_dir: str | Path) -> dict[str, Any]:
    """A datalist's entry with absolute paths."""
    # MONAI's load_decathlon_datalist would take every text for a path that names something in the folder, "" as well.
    folder = Path(dataset_dir).resolve()
    return {**entry, **{key: str(folder / entry[key]) for key in FILE_KEYS if key in entry}}


def lesion_items(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What training and evaluation load of each entry: image, mask and the lesion's name.

    Raises:
        InputError: an entry has no mask.
    """
    for entry in entries:
        if "label" not in entry:
            raise InputError(f"{entry['image']}: lesion {entry['lesion_id']} has no label, expected its mask; add it")
    return [{key: entry[key] for key in (*FILE_KEYS, "lesion_id")} for entry in entries]


def boxed_items(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What inference loads of each entry: image, name and box `(x0, y0, x1, y1)`: the entry's own, else its mask's.

    Raises:
        InputError: an entry has neither, or its mask is empty.
    """
    return [{"image": entry["image"], "lesion_id": entry["lesion_id"], "box": _box(entry)} for entry in entries]


def _box(entry: Mapping[str, Any]) -> list[float]:
    if "box" in entry:
        return entry["box"]
    if "label" not in entry:
        raise InputError(f"{entry['image']}: lesion {entry['lesion_id']} has no box and no label, expected one of them")
    box = mask_box(read_pixels(entry["label"])[None])
    if box is None:
        raise InputError(f"{entry['label']}: the mask is empty, expected a lesion; give the lesion a box or a mask")
    return list(box)


class LesionDataset(PersistentDataset):
    """Lesions whose deterministic transforms are done once and kept on disk.

    A cached lesion is found again by its item, by the size and time of its files and by the transforms with their
    arguments, so that neither a mask that was prepared anew nor a changed switch is served stale. The random transforms
    of a lesion draw from the seed, the epoch and the lesion's index alone: neither the number of workers nor an
    interruption changes them.

    Args:
        data: items as `lesion_items` or `boxed_items` gives them.
        transform: the chain, deterministic transforms first.
        cache_dir: where the results of the deterministic transforms lie; None to keep nothing.
        seed: of the random transforms.
        track_meta: give MetaTensors, whose crop can be put back into the mammogram. Plain tensors are read, transformed
            and joined to batches several times as fast.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Callable,
        cache_dir: str | None = None,
        seed: int = 0,
        track_meta: bool = True,
    ) -> None:
        if cache_dir is not None:
            check_writable(Path(cache_dir))
        super().__init__(
            data,
            transform,
            cache_dir,
            hash_func=partial(_hash_item, track_meta=track_meta),
            hash_transform=pickle_hashing,
            track_meta=track_meta,
        )
        self.seed = seed
        # Shared with the workers of a data loader, which live longer than an epoch.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def epoch(self) -> int:
        """Of the training, from 1 on; workers see it change."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)

    def _transform(self, index: int) -> Any:
        state = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)
        self.transform.set_random_state(seed=int(state[0]))
        return super()._transform(index)

    def _post_transform(self, item_transformed: Any) -> Any:
        if self.track_meta:
            return super()._post_transform(item_transformed)
        with _untracked():
            return super()._post_transform(item_transformed)

    def _cachecheck(self, item_transformed: Mapping[str, Any]) -> Any:
        # MONAI's own writes through the system's folder for temporary files, from where a move may be a copy, of which
        # a killed process leaves the beginning.
        if self.cache_dir is None:
            return self._prepared(item_transformed)
        file = Path(self.cache_dir, f"{self.hash_func(item_transformed).decode()}{self.transform_hash}.pt")
        if file.is_file():
            with suppress(Exception):  # What is damaged is made again.
                return torch.load(file, weights_only=True)
        lesion = self._prepared(item_transformed)
        write_checkpoint(file, lesion)
        return lesion

    def _prepared(self, item: Mapping[str, Any]) -> Any:
        try:
            lesion = self._pre_transform(deepcopy(item))
        except RuntimeError as error:
            # A worker process hands over the type and text of an error but not its cause.
            raise find_input_error(error) or error from None
        return convert_to_tensor(lesion, convert_numeric=False, track_meta=self.track_meta)


@contextmanager
def _untracked() -> Iterator[None]:
    """Transforms give plain tensors."""
    tracked = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(tracked)


def _hash_item(item: Mapping[str, Any], track_meta: bool) -> bytes:
    states = [Path(item[key]).stat() for key in FILE_KEYS if key in item]
    return pickle_hashing([dict(item), track_meta, [(state.st_size, state.st_mtime_ns) for state in states]])


class _CacheOnly(Dataset):
    """Reads a lesion into the cache and returns nothing, so that no pixels travel between processes."""

    def __init__(self, dataset: LesionDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> int:
        self.dataset._cachecheck(self.dataset.data[index])
        return index


def parts_of(dataset: Dataset) -> list[LesionDataset]:
    """The lesion datasets in `dataset`: itself, or those that a `ConcatDataset` joins."""
    datasets: Any = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
    return list(datasets)


def fill_cache(datasets: Sequence[Dataset], num_workers: int) -> None:
    """Check and cache every lesion before an epoch begins, with a progress bar.

    So a file that cannot be used is told at once, not in the middle of a training. Several processes share the work.

    Args:
        datasets: lesion datasets or `ConcatDataset`s of them.
        num_workers: workers that read, of each process.

    Raises:
        InputError: what is wrong with the first file that cannot be used, or more processes than lesions.
    """
    rank, processes = idist.get_rank(), idist.get_world_size()
    for dataset in [part for joined in datasets for part in parts_of(joined)]:
        if len(dataset) < processes:
            raise InputError(
                f"--nproc_per_node: found {processes}, expected at most {len(dataset)}, the number of lesions in "
                "training or validation; start fewer"
            )
        share = range(rank, len(dataset), processes)
        indices = DataLoader(_CacheOnly(dataset), batch_size=None, sampler=share, num_workers=num_workers)
        for _ in tqdm(indices, desc="Preparing lesions", unit="lesion", disable=None if rank == 0 else True):
            pass
    wait_for_all()
