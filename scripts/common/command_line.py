"""A function as a verb of the command line."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection
from typing import Any

from pydantic import ConfigDict, ValidationError, validate_call

from custom.errors import InputError, expectation


def checked(function: Callable[..., None]) -> Callable[..., None]:
    """Return `function` as a verb that refuses unknown, missing and unusable flags before it does anything.

    Fire is shown a function that takes every flag. If it saw the flags of `function`, it would answer a missing one
    with a page of usage, and refuse an unknown one only after running it.
    """
    parameters = inspect.signature(function).parameters
    names = [one.name for one in parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
    required = [name for name in names if parameters[name].default is inspect.Parameter.empty]
    kinds = {one.kind for one in parameters.values()}
    call = validate_call(config=ConfigDict(strict=True))(function)

    def verb(*arguments: Any, **flags: Any) -> None:
        for name in flags:
            if name not in names and inspect.Parameter.VAR_KEYWORD not in kinds:
                near = ", ".join(f"--{flag}" for flag in nearest(name, names))
                raise InputError(f"--{name}: no such flag; expected one like {near}")
        free = [name for name in required if name not in flags]
        given = dict(zip(free, arguments, strict=False)) | flags
        further = arguments[len(free) :]
        if further and inspect.Parameter.VAR_POSITIONAL not in kinds:
            known = f"values of --{', --'.join(required)} alone" if required else "flags alone"
            raise InputError(f'{further[0]}: belongs to no flag; expected {known}, and of several numbers "[1,2]"')
        # By name, so that a flag may be left out before another; what has no name can only follow those that have one.
        placed = [given.pop(name) for name in required] if further else []
        try:
            call(*placed, *further, **given)
        except ValidationError as error:
            fault = error.errors()[0]
            place = fault["loc"][0]
            flag = names[place] if isinstance(place, int) else place
            if fault["type"].startswith("missing"):
                raise InputError(f"--{flag} is missing: give it on the command line") from error
            raise InputError(f"--{flag}: found {fault['input']!r}, expected {expectation(fault['msg'])}") from error

    return verb


def nearest(name: str, known: Collection[str]) -> list[str]:
    """Return the one of `known` that a misspelt `name` is like, or all."""
    return difflib.get_close_matches(name, known, n=1) or list(known)
