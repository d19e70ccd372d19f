"""The cases of a study of images: which ones, how they are read, and what its tables say of their origin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from monai.transforms import ScaleIntensity

from custom.data import Datalist
from custom.errors import InputError
from scripts.common.bundle import bundle_version

# As many as the paper shows.
NUMBER = 5


def choose_cases(
    datalist: Datalist, part: str, cases: Sequence[str] | None, seed: int, one_per: str = "lesion_id"
) -> list[dict[str, Any]]:
    """The lesions to look at: the given ones in their order, else five drawn by seed, or all where there are fewer.

    Args:
        datalist: where the lesions are looked for.
        part: `training`, `validation` or `test`.
        cases: lesion ids; None to draw.
        seed: of the draw, 0 or more.
        one_per: the key that no two cases share: `lesion_id`, or `image` for one lesion of a mammogram at most.

    Raises:
        InputError: a case that is not there, none at all, a negative seed, or what `Datalist.part` raises.
    """
    if seed < 0:
        raise InputError(f"--seed: found {seed}, expected a whole number from 0")
    entries = datalist.part(part)
    if cases is None:
        entries = _first_of_each(entries, one_per)
        drawn = np.random.default_rng(seed).choice(len(entries), min(NUMBER, len(entries)), replace=False)
        return [entries[index] for index in sorted(drawn)]
    by_id = {entry["lesion_id"]: entry for entry in entries}
    unknown = [case for case in cases if case not in by_id]
    if unknown or not cases:
        raise InputError(
            f"--cases: found {', '.join(unknown) or 'none'}, expected lesions of {part} in "
            f"{datalist.file}, such as {next(iter(by_id))}; look their lesion_id up there"
        )
    return _first_of_each([by_id[case] for case in cases], one_per)


def _first_of_each(entries: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    first: dict[str, dict[str, Any]] = {}
    for entry in entries:
        first.setdefault(entry[key], entry)
    return list(first.values())


def scaled(pixels: np.ndarray) -> np.ndarray:
    """Pixels as training takes them in: their minimum is 0, their maximum 255; float32."""
    return np.asarray(ScaleIntensity(minv=0.0, maxv=255.0)(pixels))


def to_8_bit(frame: np.ndarray) -> np.ndarray:
    """Grey levels rounded and clipped to 0 to 255."""
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def mean_and_range(values: Sequence[float] | np.ndarray, decimals: int, sign: str = "") -> str:
    """Such as `46.10 (44.80 to 47.20)`; with `sign` "+" also +1.30."""
    mean, low, high = (f"{value:{sign}z.{decimals}f}" for value in (np.mean(values), min(values), max(values)))
    return f"{mean} ({low} to {high})"


def span(ends: tuple[float, float], decimals: int) -> str:
    """A published range, such as `35.8 to 42.1`."""
    return f"{ends[0]:.{decimals}f} to {ends[1]:.{decimals}f}"


def origin(datalist: Datalist, part: str, names: Sequence[str], drawn: bool, seed: int) -> list[list[str]]:
    """Lines of a table that say which data, cases, seed and version are behind a study.

    Args:
        datalist: where the cases are from.
        part: of the split.
        names: of the cases.
        drawn: whether the seed chose them.
        seed: of the study.
    """
    dataset = datalist.provenance
    return [
        ["data set", f"{dataset['name']} ({dataset['source']}), split {datalist.split}, part {part}"],
        ["manifest_sha256", str(dataset["manifest_sha256"] or "none")],
        ["datalist_sha256", dataset["datalist_sha256"]],
        ["cases", f"{', '.join(names)} ({'drawn by the seed' if drawn else 'given'})"],
        ["seed", str(seed)],
        ["bundle version", bundle_version()],
    ]
