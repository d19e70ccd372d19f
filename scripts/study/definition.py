"""What a study is: a JSON file of arms, one of them the reference."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from custom.errors import InputError

CONFIGS = Path(__file__).parents[2] / "bundle" / "configs"
STUDIES = CONFIGS / "studies"

Overrides = dict[str, Any]


class _Content(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    description: str
    reference: str
    arms: dict[str, Overrides]
    tests: NotRequired[dict[str, Overrides]]
    test_heading: NotRequired[str]
    paper: NotRequired[dict[str, dict[str, str]]]


@dataclass(frozen=True)
class Study:
    """Arms that differ in what they override.

    Attributes:
        name: the file's name without suffix.
        description: one line, the heading of table and figure.
        reference: the arm that the others are compared with.
        arms: of each arm the ids of `train.json` that it overrides; `config_file` lists config files to merge over it,
            `tests` the tests that it is put to, where these are not all.
        tests: of each test the ids that its evaluation overrides; one test that is called "" where the file has none.
        test_heading: what the tests vary, for table and figure.
        paper: of each arm the published figures by metric, as they are printed: losses, and the rest in percent.
    """

    name: str
    description: str
    reference: str
    arms: dict[str, Overrides]
    tests: dict[str, Overrides] = field(default_factory=lambda: {"": {}})
    test_heading: str = "test"
    paper: dict[str, dict[str, str]] = field(default_factory=dict)

    def config_files(self, arm: str) -> list[str]:
        """The config files of `arm`, absolute; its own are looked for in `bundle/configs`."""
        return [str(CONFIGS / file) for file in ("train.json", *self.arms[arm].get("config_file", ()))]

    def overrides(self, arm: str) -> Overrides:
        """The ids that `arm` overrides."""
        return {name: value for name, value in self.arms[arm].items() if name not in ("config_file", "tests")}

    def tests_of(self, arm: str) -> dict[str, Overrides]:
        """The tests of `arm`: all, or those that it lists under `tests`."""
        listed = self.arms[arm].get("tests", self.tests)
        return {test: overrides for test, overrides in self.tests.items() if test in listed}

    def varied(self) -> set[str]:
        """The ids that some arm overrides."""
        return {name for arm in self.arms for name in self.overrides(arm)}


def read_study(name: str) -> Study:
    """The study of this name in `bundle/configs/studies`, or in the JSON file of this path.

    Raises:
        InputError: no such study, or a file that is not one.
    """
    file = Path(name) if name.endswith(".json") else STUDIES / f"{name}.json"
    if not file.is_file():
        known = ", ".join(sorted(["contrast", "denoising", *(other.stem for other in STUDIES.glob("*.json"))]))
        raise InputError(f"{name}: no such study; expected a JSON file of arms, or one of {known}")
    try:
        content = TypeAdapter(_Content).validate_json(file.read_bytes())
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the file"
        raise InputError(f"{file}: {where}: {fault['msg'][0].lower()}{fault['msg'][1:]}; see {STUDIES}") from error
    study = Study(name=file.stem, **content)  # type: ignore[misc]
    if study.reference not in study.arms:
        raise InputError(f"{file}: reference {study.reference!r}; expected one of the arms {', '.join(study.arms)}")
    for arm in study.arms:
        for test in study.arms[arm].get("tests", ()):
            if test not in study.tests:
                raise InputError(f"{file}: arm {arm!r}: test {test!r}; expected one of {', '.join(study.tests)}")
    for unknown in study.paper.keys() - study.arms.keys():
        raise InputError(f"{file}: paper: {unknown!r}; expected one of the arms {', '.join(study.arms)}")
    return study


def as_record(study: Study) -> dict[str, Any]:
    """What of `study` decides its results, as JSON reads it back."""
    return json.loads(json.dumps({"reference": study.reference, "arms": study.arms, "tests": study.tests}))
