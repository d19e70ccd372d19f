"""A function as a verb of the command line."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any

from pydantic import ConfigDict, ValidationError, validate_call

from custom.errors import InputError


def checked(function: Callable[..., None]) -> Callable[..., None]:
    """`function` as a verb: refuses flags that it does not have and values of the wrong kind before it does anything.

    Fire alone would run it first and complain about the flag afterwards.
    """
    signature = inspect.signature(function)
    switches = next((name for name, kind in signature.parameters.items() if kind.kind is kind.VAR_KEYWORD), "")
    call = validate_call(config=ConfigDict(strict=True))(function)

    @functools.wraps(function)
    def verb(*arguments: Any, **flags: Any) -> None:
        if "help" in flags:  # Fire leaves it to a function that takes any flag and needs none
            print(inspect.getdoc(function))
            return
        for name in () if switches else flags:
            if name not in signature.parameters:
                near = difflib.get_close_matches(name, signature.parameters, n=1) or list(signature.parameters)
                raise InputError(f"--{name}: no such flag; expected one like {', '.join('--' + flag for flag in near)}")
        try:
            bound = signature.bind_partial(*arguments, **flags)
        except TypeError as error:
            raise InputError(f"{function.__name__}: {error}; --help tells what it takes") from error
        given = dict(bound.arguments)
        given |= given.pop(switches, {})
        try:
            call(**given)  # by name, so that a fault names its flag
        except ValidationError as error:
            fault = error.errors()[0]
            flag = fault["loc"][0]
            if fault["type"].startswith("missing"):
                raise InputError(f"--{flag} is missing: give it on the command line") from error
            expected = fault["msg"].removeprefix("Input should be ")
            raise InputError(f"--{flag}: found {fault['input']!r}, expected {expected}") from error

    if not switches:
        taken = [*signature.parameters.values(), inspect.Parameter("unknown_flags", inspect.Parameter.VAR_KEYWORD)]
        verb.__signature__ = signature.replace(parameters=taken)  # type: ignore[attr-defined]
    return verb
