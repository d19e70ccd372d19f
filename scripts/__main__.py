"""The verbs: `python -m scripts <verb> --help` tells what each takes."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any

import fire
from pydantic import ConfigDict, ValidationError, validate_call

from custom.errors import InputError, report_input_errors
from scripts.datalists import datalists
from scripts.demo import demo
from scripts.phantoms import phantoms
from scripts.prepare.cbis_ddsm import prepare_cbis_ddsm
from scripts.prepare.inbreast import prepare_inbreast
from scripts.prepare.manifest import prepare_manifest


def checked(function: Callable[..., None]) -> Callable[..., None]:
    """`function` as a verb: refuses flags that it does not have and values of the wrong kind before it does anything.

    Fire alone would run it first and complain about the flag afterwards.
    """
    signature = inspect.signature(function)
    call = validate_call(config=ConfigDict(strict=True))(function)

    @functools.wraps(function)
    def verb(*arguments: Any, **flags: Any) -> None:
        if "help" in flags:  # Fire leaves it to a function that takes any flag and needs none
            print(inspect.getdoc(function))
            return
        for name in flags:
            if name not in signature.parameters:
                near = difflib.get_close_matches(name, signature.parameters, n=1) or list(signature.parameters)
                raise InputError(f"--{name}: no such flag; expected one like {', '.join('--' + flag for flag in near)}")
        try:
            call(**signature.bind(*arguments, **flags).arguments)  # by name, so that a fault names its flag
        except ValidationError as error:
            fault = error.errors()[0]
            expected = fault["msg"].removeprefix("Input should be ")
            raise InputError(f"--{fault['loc'][0]}: found {fault['input']!r}, expected {expected}") from error

    taken = [*signature.parameters.values(), inspect.Parameter("unknown_flags", inspect.Parameter.VAR_KEYWORD)]
    verb.__signature__ = signature.replace(parameters=taken)  # type: ignore[attr-defined]
    return verb


VERBS = {
    "datalists": checked(datalists),
    "demo": checked(demo),
    "phantoms": checked(phantoms),
    "prepare": {
        "cbis_ddsm": checked(prepare_cbis_ddsm),
        "inbreast": checked(prepare_inbreast),
        "manifest": checked(prepare_manifest),
    },
}


if __name__ == "__main__":
    report_input_errors()
    fire.Fire(VERBS, name="python -m scripts")
