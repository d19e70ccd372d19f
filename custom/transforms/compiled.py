"""Arithmetic on single pixels, compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, wraps
from typing import Any


def compiled(signature: str) -> Callable[[Callable], Callable]:
    """Have numba compile a function at its first call, or take it from the disk if an earlier process has put it there.

    The function runs without Python's global lock, and divides as numpy does.

    Args:
        signature: Signature of the function, in numba's words, such as `void(float32[:, ::1], float64)`.
    """

    def decorate(function: Callable) -> Callable:
        @cache
        def kernel() -> Callable:
            # Imported here, since it takes a third of a second, for which nothing should wait that does not filter.
            from numba import njit

            # Numba does not notice a change of these: remove what it keeps in `__pycache__`.
            compile_it = partial(njit, signature, nogil=True, error_model="numpy", fastmath={"contract"})
            try:
                return compile_it(cache=True)(function)
            except Exception:  # Of many kinds: no folder can be written, the disk is full, or a file there is damaged.
                return compile_it()(function)

        @wraps(function)
        def call(*given: Any) -> Any:
            return kernel()(*given)

        return call

    return decorate
