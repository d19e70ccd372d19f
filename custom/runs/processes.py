"""The processes of one training that `torchrun` started, and what they agree on outside of the training itself.

They agree through the store of `torchrun` and not by collectives. A collective has a time limit, which is to find a
training that hangs, while one process may prepare lesions for hours; and those that wait in it end with a traceback of
their own when another ends with an error.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from itertools import count
from typing import ParamSpec, TypeVar

import ignite.distributed as idist
import torch
from torch.distributed import PrefixStore, Store
from torch.distributed.elastic.utils.store import barrier
from torch.distributed.rendezvous import rendezvous

from custom.errors import InputError, report_input_errors

P = ParamSpec("P")
T = TypeVar("T")

_LONG = timedelta(days=7)
_store: Store | None = None
_steps = map("step_{}".format, count())


def start_processes() -> None:
    """Join the processes that `torchrun` started: by NCCL with one GPU each where there are GPUs, else by Gloo.

    All but the first write only warnings and errors to the log. An input error is told by one of them alone.

    Raises:
        InputError: Not started by `torchrun`, or more processes than GPUs.
    """
    global _store
    report_input_errors(_tell_once)
    if not torch.distributed.is_torchelastic_launched():
        raise InputError(
            "multi_gpu_train.json: not started by torchrun, expected `torchrun --standalone --nproc_per_node N -m "
            "monai.bundle run training ...`; start it so, or leave the file out of --config_file"
        )
    store, rank, _ = next(iter(rendezvous("env://", timeout=_LONG)))
    _store = PrefixStore(f"lesions_{os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    gpus, processes = torch.cuda.device_count(), int(os.environ["LOCAL_WORLD_SIZE"])
    if 0 < gpus < processes:
        raise InputError(f"--nproc_per_node: found {processes}, expected at most the {gpus} GPUs; start fewer")
    idist.initialize("nccl" if gpus else "gloo")
    if rank > 0:
        logging.disable(logging.INFO)


def once(function: Callable[P, T]) -> Callable[P, T]:
    """Make `function` run in the first process alone; the others wait, however long, and return the same.

    Like a collective, it is to be called by all processes in the same order. If the first process ends with an error,
    `torchrun` ends those that wait. JSON can hold the result.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if _store is None:
            return function(*args, **kwargs)
        step = next(_steps)
        if idist.get_rank() == 0:
            _store.set(step, json.dumps(function(*args, **kwargs)))
        return json.loads(_store.get(step))

    return call


def wait_for_all() -> None:
    """Return when all processes have come here, however long the last one takes."""
    if _store is not None:
        barrier(_store, idist.get_world_size(), next(_steps), _LONG.total_seconds())


def _tell_once(line: str) -> None:
    if _store is None:
        print(line, file=sys.stderr)
        return
    # `torchrun` ends all processes as soon as one has ended, so none may end before the line is out.
    if _store.add("errors", 1) == 1:
        print(line, file=sys.stderr, flush=True)
        _store.set("told", "")
    _store.wait(["told"], timedelta(seconds=10))
    idist.finalize()
