"""Datalists: which lesions a split of a prepared data set has, and what is known of each."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NotRequired

from pydantic import FiniteFloat
from typing_extensions import TypedDict

from custom.errors import InputError
from custom.files import FileName, InnerPath, file_sha256, read_json
from custom.readers import read_pixels
from custom.transforms import mask_box

logger = logging.getLogger(__name__)

PARTS = ("training", "validation", "test")
FILE_KEYS = ("image", "label")


class _Lesion(TypedDict):
    lesion_id: FileName
    image: InnerPath
    label: NotRequired[InnerPath]
    box: NotRequired[list[FiniteFloat]]
    patient_id: NotRequired[str]
    laterality: NotRequired[str]
    view: NotRequired[str]
    birads: NotRequired[str]
    density: NotRequired[str]
    pathology: NotRequired[str]


class _Datalist(TypedDict):
    name: FileName
    source: NotRequired[str]
    note: NotRequired[str]
    manifest_sha256: NotRequired[str | None]
    training: NotRequired[list[_Lesion]]
    validation: NotRequired[list[_Lesion]]
    test: NotRequired[list[_Lesion]]


class Datalist:
    """One split of a prepared data set, read and checked once.

    Attributes:
        folder: Absolute path of the data set.
        split: Name of the datalist without its suffix, such as `patient`.
        file: The datalist's file.
        content: What the file holds.

    Raises:
        InputError: There is no such data set or split, the file is damaged, a value is of the wrong kind, or a name or
            path in it leads out of the data set.
    """

    def __init__(self, dataset_dir: str | Path, split: str) -> None:
        self.file = _find(dataset_dir, split)
        self.folder = self.file.parent.parent.resolve()
        self.split = split
        self.content: dict[str, Any] = read_json(self.file, kind=_Datalist)

    @property
    def name(self) -> str:
        """The name that the data set gives itself."""
        return self.content["name"]

    def part(self, part: str) -> list[dict[str, Any]]:
        """The lesions of one part with absolute paths, each file of which is there.

        Raises:
            InputError: There is no such part, it is empty, or a file of an entry is gone.
        """
        if part not in PARTS:
            raise InputError(f"--part: found {part!r}, expected one of {', '.join(PARTS)}")
        if not self.content.get(part):
            note = self.content.get("note", "the data set was prepared without it")
            filled = ", ".join(other for other in PARTS if self.content.get(other))
            raise InputError(
                f"{self.file}: no lesions for {part} ({note}); this datalist has {filled or 'none at all'}"
            )
        patients = self._patients(part)
        shared = set() if part == "training" else patients & self._patients("training")
        if shared:
            logger.warning(
                f"{self.file}: {len(shared)} of {len(patients)} patients in {part} are in training as well, so its "
                "results are better than those of new patients; a split by patient keeps them apart"
            )
        entries = self._located(part)
        for entry in entries:
            for key in FILE_KEYS:
                if key in entry and not Path(entry[key]).is_file():
                    raise InputError(
                        f"{entry[key]}: the {key} of {entry['lesion_id']} in {self.file.name} is gone; "
                        "restore it or prepare the data set again"
                    )
        return entries

    @cached_property
    def entries(self) -> dict[str, dict[str, Any]]:
        """The lesions of all parts by `lesion_id`, with their `part` and with absolute paths."""
        return {entry["lesion_id"]: entry | {"part": part} for part in PARTS for entry in self._located(part)}

    @cached_property
    def masks_by_image(self) -> dict[str, set[str]]:
        """The masks of all lesions of each mammogram, whichever part they are in; absolute paths."""
        masks = defaultdict(set)
        for entry in (entry for part in PARTS for entry in self._located(part) if "label" in entry):
            masks[entry["image"]].add(entry["label"])
        return masks

    @property
    def provenance(self) -> dict[str, Any]:
        """The data by name and by hash.

        `name`, `split`, `source`, `manifest_sha256` of the table that the data set was prepared from, and
        `datalist_sha256`.
        """
        return {
            "name": self.name,
            "split": self.split,
            "source": self.content["source"],
            "manifest_sha256": self.content.get("manifest_sha256"),
            "datalist_sha256": file_sha256(self.file),
        }

    def _patients(self, part: str) -> set[str]:
        return {entry["patient_id"] for entry in self.content.get(part, ()) if "patient_id" in entry}

    def _located(self, part: str) -> list[dict[str, Any]]:
        # MONAI's load_decathlon_datalist would take every text for a path that names something in the folder, even "".
        return [
            {**entry, **{key: str(self.folder / entry[key]) for key in FILE_KEYS if key in entry}}
            for entry in self.content.get(part, ())
        ]


def _find(dataset_dir: str | Path, split: str) -> Path:
    if not str(dataset_dir):
        raise InputError("--dataset_dir is missing: give it on the command line, such as --dataset_dir DIR")
    folder = Path(dataset_dir)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; expected a prepared data set: make one with `python -m scripts prepare`"
        )
    file = folder / "datalists" / f"{split}.json"
    if not file.is_file():
        others = sorted(file.parent.glob("*.json"))
        if not others:
            raise InputError(
                f"{folder}: no datalists found; expected a prepared data set: make one with `python -m scripts prepare`"
            )
        splits = ", ".join(other.stem for other in others)
        notes = "; ".join(filter(None, (read_json(other, kind=_Datalist).get("note") for other in others)))
        raise InputError(f"{file}: no such datalist; --split takes {splits} here{f' ({notes})' if notes else ''}")
    return file


def lesion_items(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what training and evaluation load of each entry: image, mask and the lesion's name.

    Raises:
        InputError: An entry has no mask.
    """
    for entry in entries:
        if "label" not in entry:
            raise InputError(f"{entry['image']}: lesion {entry['lesion_id']} has no label, expected its mask; add it")
    return [{key: entry[key] for key in (*FILE_KEYS, "lesion_id")} for entry in entries]


def boxed_items(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what inference loads of each entry: image, name and box `(x0, y0, x1, y1)`, its own or else its mask's.

    Raises:
        InputError: An entry has neither, or its mask is empty.
    """
    return [{"image": entry["image"], "lesion_id": entry["lesion_id"], "box": _box(entry)} for entry in entries]


def _box(entry: Mapping[str, Any]) -> list[float]:
    if "box" in entry:
        return entry["box"]
    if "label" not in entry:
        raise InputError(f"{entry['image']}: lesion {entry['lesion_id']} has no box and no label, expected one of them")
    box = mask_box(read_pixels(entry["label"])[None])
    if box is None:
        raise InputError(f"{entry['label']}: the mask is empty, expected a lesion; give the lesion a box or a mask")
    return list(box)
