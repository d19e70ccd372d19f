from __future__ import annotations

import pytest

from custom.errors import InputError
from scripts.spread import spread


def fail(number: int) -> int:
    if number == 2:
        raise OSError(28, "No space left on device")
    return number


def test_results_are_in_order(scheduler: str):
    assert spread(str, [3, 1, 2], scheduler, "Testing", "number") == ["3", "1", "2"]


def test_a_workers_error_stays_what_it_is(scheduler: str):
    with pytest.raises(OSError, match="No space left"):
        spread(fail, [1, 2, 3], scheduler, "Testing", "number")


def test_no_scheduler_at_the_address():
    with pytest.raises(InputError, match=r"--scheduler bogus://x:1: no Dask scheduler answers"):
        spread(fail, [1], "bogus://x:1", "Testing", "number")
