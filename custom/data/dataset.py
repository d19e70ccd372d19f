"""The cached dataset that the configs train and evaluate on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from monai.data import PersistentDataset, get_track_meta, set_track_meta
from monai.data.utils import pickle_hashing
from monai.utils import TraceKeys, convert_to_tensor
from numpy._core.multiarray import _reconstruct
from torch.utils.data import ConcatDataset, DataLoader, Dataset
from tqdm import tqdm

from custom.data.datalist import FILE_KEYS
from custom.errors import InputError, find_input_error
from custom.files import check_writable
from custom.runs.checkpoints import write_checkpoint
from custom.runs.processes import wait_for_all

# MONAI marks its traced transforms with TraceKeys and keeps numpy arrays in the metadata; without leave for both,
# `torch.load` refuses every cached lesion and PersistentDataset computes it again, each time.
torch.serialization.add_safe_globals(
    [TraceKeys, np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in (np.int64, np.float64)), _reconstruct]
)


class LesionDataset(PersistentDataset):
    """Lesions whose deterministic transforms are done once and kept on disk.

    A cached lesion is found again by its item, by the size and time of its files and by the transforms with their
    arguments, so that neither a mask that was prepared anew nor a changed switch is served stale. The random transforms
    of a lesion draw only from the seed, the epoch and the lesion's index: neither the number of workers nor an
    interruption changes them.

    Args:
        data: Items as `lesion_items` or `boxed_items` gives them.
        transform: Chain of transforms, deterministic ones first.
        cache_dir: Folder of the results of the deterministic transforms; None to keep nothing.
        seed: Seed of the random transforms.
        track_meta: Give MetaTensors, whose crop can be put back into the mammogram. Plain tensors are read, transformed
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
        """Epoch of the training, from 1 on; workers see it change."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch.fill_(epoch)

    def _transform(self, index: int) -> Any:
        state = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)
        self.transform.set_random_state(seed=int(state[0]))
        return super()._transform(index)

    def _post_transform(self, item_transformed: Any) -> Any:
        tracked = get_track_meta()
        set_track_meta(self.track_meta)
        try:
            return super()._post_transform(item_transformed)
        finally:
            set_track_meta(tracked)

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


def _hash_item(item: Mapping[str, Any], track_meta: bool) -> bytes:
    states = [Path(item[key]).stat() for key in FILE_KEYS if key in item]
    return pickle_hashing([dict(item), track_meta, [(state.st_size, state.st_mtime_ns) for state in states]])


def _cache(dataset: LesionDataset, index: int) -> None:
    """Put a lesion into the cache and return nothing, so that no pixels travel between processes."""
    dataset._cachecheck(dataset.data[index])


def parts_of(dataset: Dataset) -> list[LesionDataset]:
    """Return the lesion datasets in `dataset`: itself, or those that a `ConcatDataset` joins."""
    datasets: Any = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
    return list(datasets)


def fill_cache(datasets: Sequence[Dataset], num_workers: int) -> None:
    """Check and cache every lesion before an epoch begins, with a progress bar.

    A file that cannot be used is then reported at once, not in the middle of a training. Several processes share the
    work.

    Raises:
        InputError: A file cannot be used, or there are more processes than lesions.
    """
    rank, processes = idist.get_rank(), idist.get_world_size()
    for dataset in [part for joined in datasets for part in parts_of(joined)]:
        if len(dataset) < processes:
            raise InputError(
                f"--nproc_per_node: found {processes}, expected at most {len(dataset)}, the number of lesions in "
                "training or validation; start fewer"
            )
        share: Any = range(rank, len(dataset), processes)
        lesions = DataLoader(share, batch_size=None, collate_fn=partial(_cache, dataset), num_workers=num_workers)
        for _ in tqdm(lesions, desc="Preparing lesions", unit="lesion", disable=None if rank == 0 else True):
            pass
    wait_for_all()
