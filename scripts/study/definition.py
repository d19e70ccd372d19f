"""Definition of a study of trainings: a JSON file of arms, one of them the reference."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NotRequired

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import TypedDict

from custom.errors import InputError
from scripts.common.bundle import CONFIGS
from scripts.common.formatting import slug

STUDIES = CONFIGS / "studies"
# What the paper prints of an arm, in its order.
PAPER = ("dice", "precision", "recall", "jaccard", "train_loss", "train_dice", "val_loss", "val_dice")

Overrides = dict[str, Any]


class _Arm(TypedDict):
    __pydantic_config__ = ConfigDict(extra="allow", strict=True)  # type: ignore[misc]

    config_file: NotRequired[list[str]]
    tests: NotRequired[list[str]]


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    description: str
    reference: str
    arms: dict[str, _Arm]
    tests: Annotated[dict[str, Overrides], MinLen(1)] = {"": {}}
    test_heading: str = "test"
    paper: dict[str, dict[str, str]] = {}
    config_file: list[str] = []


class Study(_Content):
    """Arms that differ in what they override.

    Attributes:
        name: Name of the file without its suffix.
        description: One line, the heading of table and figure.
        reference: Arm that the others are compared with.
        arms: Ids of `train.json` that each arm overrides; `config_file` lists config files to merge over it, `tests`
            the tests of the arm, where these are not all.
        tests: Ids that the evaluation of each test overrides; one test that is called "" where the file has none.
        test_heading: What the tests vary, for table and figure.
        paper: Figures of Jalalian et al. 2025 for each arm by metric, as printed: losses, and the rest in percent.
        config_file: Config files to merge over `train.json` before those of an arm.
    """

    name: str

    def config_files(self, arm: str) -> list[str]:
        """Return absolute paths of the arm's config files; they are relative to `bundle/configs`."""
        of_arm = self.arms[arm].get("config_file", ())
        return [str(CONFIGS / file) for file in ("train.json", *self.config_file, *of_arm)]

    def overrides(self, arm: str) -> Overrides:
        """Return the ids that the arm overrides."""
        return {name: value for name, value in self.arms[arm].items() if name not in _Arm.__annotations__}

    def tests_of(self, arm: str) -> dict[str, Overrides]:
        """Return the tests of the arm: all, or those that it lists."""
        listed = self.arms[arm].get("tests", self.tests)
        return {test: overrides for test, overrides in self.tests.items() if test in listed}


def read_study(name: str) -> Study:
    """Read a study.

    Args:
        name: Name of a file in `bundle/configs/studies` without its suffix, or path of a JSON file.

    Raises:
        InputError: There is no such study, or the file is none.
    """
    file = Path(name) if name.endswith(".json") else STUDIES / f"{name}.json"
    if not file.is_file():
        known = ", ".join(sorted(["contrast", "denoising", *(other.stem for other in STUDIES.glob("*.json"))]))
        raise InputError(f"{name}: no such study; expected a JSON file of arms, or one of {known}")
    try:
        # Unlike `read_json`, this refuses lone surrogates, which the table could not be written with in the end.
        content = _Content.model_validate_json(file.read_bytes())
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the file"
        raise InputError(f"{file}: {where}: {fault['msg'][0].lower()}{fault['msg'][1:]}; see {STUDIES}") from error
    study = Study(name=file.stem, **dict(content))
    try:
        _check(study)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    return study


def paper_value(text: str) -> float:
    """Return the number of a figure such as `92.92 ± .03`.

    Raises:
        ValueError: There is none before the first space.
    """
    return float(text.partition(" ")[0])


def _check(study: Study) -> None:
    arms, tests = ", ".join(study.arms), ", ".join(study.tests)
    for name in (study.reference, *study.paper):
        if name not in study.arms:
            raise InputError(f"found {name!r} as reference or under paper, expected one of the arms {arms}")
    for arm in study.arms:
        for test in study.arms[arm].get("tests", ()):
            if test not in study.tests:
                raise InputError(f"arm {arm!r}: found test {test!r}, expected one of {tests}")
        for test in study.tests_of(arm):
            if test not in study.tests_of(study.reference):
                raise InputError(f"arm {arm!r}: the reference {study.reference!r} is not put to test {test!r}; add it")
        for metric, text in study.paper.get(arm, {}).items():
            if metric not in PAPER:
                raise InputError(f"arm {arm}: paper's figure for {metric!r}; expected one of {', '.join(PAPER)}")
            try:
                paper_value(text)
            except ValueError as error:
                raise InputError(
                    f"arm {arm}: paper's figure {text!r} for {metric}; expected a number such as '92.92 ± .03'"
                ) from error
    for kind, names in (("arms", study.arms), ("tests", study.tests)):
        folders = Counter(slug(name) for name in names)
        for name in names:
            if folders[slug(name)] > 1 or (name and not slug(name)):
                raise InputError(
                    f"{kind}: the name {name!r} gives the folder {slug(name)!r}; expected names that differ in their "
                    "letters A to Z, digits, plus, minus and points: rename it"
                )
