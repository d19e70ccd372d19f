"""The verbs: `python -m scripts <verb> --help` lists what each takes."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

import fire
from fire.helptext import HelpText
from fire.trace import FireTrace

from custom.errors import InputError, report_input_errors
from scripts.common.command_line import checked, nearest
from scripts.demo import demo
from scripts.package import package
from scripts.phantoms import phantoms
from scripts.predict import predict
from scripts.prepare.cbis_ddsm import prepare_cbis_ddsm
from scripts.prepare.datalists import datalists
from scripts.prepare.inbreast import prepare_inbreast
from scripts.prepare.manifest import prepare_manifest
from scripts.release import release
from scripts.report.card import card
from scripts.report.command import report
from scripts.study.command import study

VERBS: dict[str, Any] = {
    "card": card,
    "datalists": datalists,
    "demo": demo,
    "package": package,
    "phantoms": phantoms,
    "predict": predict,
    "prepare": {"cbis_ddsm": prepare_cbis_ddsm, "inbreast": prepare_inbreast, "manifest": prepare_manifest},
    "release": release,
    "report": report,
    "study": study,
}
HELP = {"--help", "-h"}


def main(arguments: Sequence[str]) -> None:
    """Run the verb that `arguments` begin with, or print what it takes.

    Raises:
        InputError: there is no such verb, or it does not take what follows.
    """
    found, command, rest = VERBS, "python -m scripts", list(arguments)
    while isinstance(found, dict) and rest and rest[0] not in HELP:
        given = rest.pop(0)
        name = given.replace("-", "_")  # as Fire takes flags
        if name not in found:
            raise InputError(f"{given}: no such verb; expected one like {', '.join(nearest(name, found))}")
        found, command = found[name], f"{command} {name}"
    if isinstance(found, dict) or HELP.intersection(rest):
        print(_help(found, command))
    else:
        fire.Fire(checked(found), rest, name=command)


def _help(found: dict[str, Any] | Callable[..., None], command: str) -> str:
    """Return Fire's help without the quotation marks around `command` and the short flags, which no verb takes."""
    text = HelpText(found, FireTrace(found, command)).replace(shlex.quote(command), command)
    return re.sub(r"-\w, (?=--)", "", text)


if __name__ == "__main__":
    report_input_errors()
    main(sys.argv[1:])
