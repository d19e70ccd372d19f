"""The verb `datalists`: the splits enumerated, with a README that counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from custom.data import PARTS
from custom.files import write_if_changed
from scripts.prepare import cbis_ddsm_tables as cbis_ddsm
from scripts.prepare import inbreast
from scripts.prepare.cbis_ddsm_splits import entry, make_splits
from scripts.prepare.inbreast_datalist import inbreast_datalist
from scripts.prepare.output import write_datalist
from scripts.prepare.splits import FOLDS, Entry, Parts, shared_patients, shared_share

COUNTED = {"birads": "BI-RADS", "density": "ACR density", "pathology": "pathology"}
SUFFIX = ".dcm"

README = """# The splits, enumerated

Made by `python -m scripts datalists` from the official tables; do not edit. Each file is read by MONAI's
`load_decathlon_datalist`. Paths are those of a prepared data set, for DICOM sources: `python -m scripts prepare` writes
the same splits with the suffix of the files it found, without the lesions that cannot be used.
"""


@dataclass(frozen=True)
class Datalist:
    """One file of the folder.

    Attributes:
        name: of the file, without suffix.
        explanation: what it is, a sentence for the README.
        about: what the file says beside the lesions.
        parts: the lesions of each part, as they are written.
        counted: the lesions of each part, as the README counts them.
    """

    name: str
    explanation: str
    about: Mapping[str, str]
    parts: Parts
    counted: Parts


def datalists(tables: str, output_dir: str) -> None:
    """Enumerate the splits of the public data sets from their official tables.

    Args:
        tables: folder with the official tables.
        output_dir: where the datalists and their README are written.
    """
    folder = Path(output_dir)
    made = [datalist for source in SOURCES for datalist in source(Path(tables))]
    for datalist in made:
        write_datalist(folder / f"{datalist.name}.json", datalist.about, datalist.parts)
    write_if_changed(folder / "README.md", "\n".join([README, *map(describe, made)]).encode())
    print(f"{folder}: {len(made)} datalists")


def cbis_ddsm_datalists(folder: Path) -> list[Datalist]:
    """The splits of the CBIS-DDSM masses, all lesions of the official tables taken as usable."""
    tables = cbis_ddsm.read_tables(folder)
    about = {"name": cbis_ddsm.NAME, "source": cbis_ddsm.SOURCE, "manifest_sha256": tables.sha256}
    splits: dict[str, Parts] = {
        name: {part: [entry(lesion, SUFFIX) for lesion in lesions] for part, lesions in parts.items()}
        for name, parts in make_splits(tables.lesions).items()
    }
    datalists = [
        Datalist(f"{cbis_ddsm.NAME}_{name}", explanation, about, splits[name], splits[name])
        for name, explanation in CBIS_DDSM_SPLITS.items()
    ]
    folds: Parts = {f"fold {number}": splits[f"fold{number}"]["test"] for number in range(FOLDS)}
    numbered = [{**lesion, "fold": number} for number, fold in enumerate(folds.values()) for lesion in fold]
    in_order: Parts = {"training": sorted(numbered, key=lambda lesion: lesion["lesion_id"])}
    return [*datalists, Datalist(f"{cbis_ddsm.NAME}_5fold", CBIS_DDSM_FOLDS, about, in_order, folds)]


def inbreast_datalists(folder: Path) -> list[Datalist]:
    """The test list of INbreast; none where its table, which is no official one, is not there."""
    tables = sorted(folder.rglob(INBREAST_TABLE))
    return [Datalist(inbreast.NAME, INBREAST_TEST, *made, made[1]) for made in map(inbreast_datalist, tables[:1])]


CBIS_DDSM_SPLITS = {
    "patient": "80 % of the patients for training, 10 % for validation, 10 % for test, alike in pathology and density.",
    "official": "The official test set; 10 % of the official training patients validate, alike in pathology and "
    "density.",
    "paper": "Random lesions: 10 % for test, then 10 % of the rest for validation. Patients are in several parts, so a "
    "test on it flatters.",
}
CBIS_DDSM_FOLDS = (
    "Five folds by patient. `fold` is the fold in which the lesion is tested; an eighth of the other patients "
    "validates, as the data lists `fold0` to `fold4` of a prepared data set say."
)
INBREAST_TABLE = "mass_images.csv"
INBREAST_TEST = (
    "The unseen test set: the first mass of each of the 107 mammograms that public work uses. Which of them hold the "
    "others of the 116 is part of the annotations; `python -m scripts prepare inbreast` lists them all."
)
SOURCES: Sequence[Callable[[Path], list[Datalist]]] = (cbis_ddsm_datalists, inbreast_datalists)


def describe(datalist: Datalist) -> str:
    """The README's section on a datalist."""
    parts = datalist.counted
    total = [lesion for lesions in parts.values() for lesion in lesions]
    columns = {**parts, "all": total}
    lines = [f"## {datalist.name}.json", "", datalist.explanation, "", f"Source: {datalist.about['source']}.", ""]
    lines += [_row("", columns), _row("---", ["---:"] * len(columns))]
    lines.append(_row("lesions", (len(lesions) for lesions in columns.values())))
    lines.append(_row("mammograms", (_distinct(lesions, "image") for lesions in columns.values())))
    lines.append(_row("patients", (_distinct(lesions, "patient_id") for lesions in columns.values())))
    for name, heading in COUNTED.items():
        counts = {part: Counter(lesion[name] for lesion in lesions) for part, lesions in columns.items()}
        for value in sorted(counts["all"]):
            lines.append(_row(f"{heading} {value or 'unknown'}", (count[value] for count in counts.values())))
    lines += ["", f"Patients in more than one part: {shared_patients(parts)}."]
    if set(parts) == set(PARTS):
        lines[-1] += f" Test lesions whose patient is also in training: {shared_share(parts):.1%}."
    return "\n".join([*lines, ""])


def _distinct(lesions: Iterable[Entry], name: str) -> int:
    return len({lesion[name] for lesion in lesions})


def _row(heading: str, cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, (heading, *cells)))} |"
