"""The verb `datalists`: the splits enumerated, with a README that counts them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from custom.data import PARTS
from custom.errors import InputError
from custom.files import write_if_changed
from scripts.common.tables import read_content, read_table
from scripts.prepare import cbis_ddsm_files as cbis_ddsm
from scripts.prepare import inbreast
from scripts.prepare.cbis_ddsm import split_lesions
from scripts.prepare.inbreast_files import INNER_FOLDER, metadata, parse_image_name
from scripts.prepare.output import datalist_entry, write_datalist
from scripts.prepare.splits import FOLDS, Entry, Parts, shared_patients, shared_share

COUNTED = {"birads": "BI-RADS", "density": "ACR density", "pathology": "pathology"}
SUFFIX = ".dcm"

README = """# The splits, enumerated

Made by `python -m scripts datalists` from the official tables; do not edit. Each file is read by MONAI's
`load_decathlon_datalist`. Paths are those of a prepared data set, for DICOM sources: `python -m scripts prepare` writes
the same splits with the suffix of the files it found, without the lesions that cannot be used.
"""


@dataclass(frozen=True)
class SplitFile:
    """One file of the folder: its name without suffix, a sentence for the README, and the datalist.

    `parts` are the lesions of each part as they are written, `counted` as the README counts them.
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
    made = [*cbis_ddsm_datalists(Path(tables)), *inbreast_datalists(Path(tables))]
    for datalist in made:
        write_datalist(folder / f"{datalist.name}.json", datalist.about, datalist.parts)
    write_if_changed(folder / "README.md", "\n".join([README, *map(describe, made)]).encode())
    print(f"{folder}: {len(made)} datalists")


def cbis_ddsm_datalists(folder: Path) -> list[SplitFile]:
    """Make the splits of the CBIS-DDSM masses, all lesions of the official tables taken as usable."""
    tables = cbis_ddsm.read_tables(folder)
    about = {"name": cbis_ddsm.NAME, "source": cbis_ddsm.SOURCE, "manifest_sha256": tables.sha256}
    splits = split_lesions(tables.lesions, dict.fromkeys((key.name for key in tables.lesions), SUFFIX))
    made = [
        SplitFile(f"{cbis_ddsm.NAME}_{name}", explanation, about, splits[name], splits[name])
        for name, explanation in CBIS_DDSM_SPLITS.items()
    ]
    folds: Parts = {f"fold {number}": splits[f"fold{number}"]["test"] for number in range(FOLDS)}
    numbered = [{**lesion, "fold": number} for number, fold in enumerate(folds.values()) for lesion in fold]
    in_order: Parts = {"training": sorted(numbered, key=lambda lesion: lesion["lesion_id"])}
    return [*made, SplitFile(f"{cbis_ddsm.NAME}_5fold", CBIS_DDSM_FOLDS, about, in_order, folds)]


def inbreast_datalists(folder: Path) -> list[SplitFile]:
    """Make the test list of INbreast; none where its table, which is no official one, is not there."""
    tables = sorted(folder.rglob(INBREAST_TABLE))
    return [SplitFile(inbreast.NAME, INBREAST_TEST, *made, made[1]) for made in map(inbreast_datalist, tables[:1])]


def inbreast_datalist(table: Path) -> tuple[dict[str, str], Parts]:
    """List the first mass of each of the mammograms that public work on INbreast uses.

    How many masses an image has, beyond the first, only its annotation says, which nobody may pass on; `prepare
    inbreast` reads it and lists all. The entries name what `prepare inbreast` writes.

    Args:
        table: CSV with `image_id`, `dicom` (the file's name), `acr`, `birads` and `listed_107` (1 for the images used).

    Returns:
        Name, source and the like, and the parts, of which only `test` has lesions.

    Raises:
        InputError: the table cannot be read, lacks a column, or names a file that is none of INbreast.
    """
    content = read_content(table)
    rows = read_table(content, table, INBREAST_COLUMNS)
    listed = sorted((row for row in rows if row["listed_107"] == "1"), key=lambda row: row["image_id"])
    about = {
        "name": inbreast.NAME,
        "source": INNER_FOLDER,
        "manifest_sha256": hashlib.sha256(content).hexdigest(),
        "note": f"{inbreast.NOTE}. Here stands the first mass of each of {len(listed)} mammograms; public work counts "
        f"{inbreast.MASSES} masses in {inbreast.MAMMOGRAMS}, and which images hold the others is part of the "
        "annotations: prepare lists them all",
    }
    entries: list[Entry] = []
    for row in listed:
        name = parse_image_name(row["dicom"])
        if name is None or name.image_id != row["image_id"]:
            raise InputError(f"{table}: {row['dicom']!r} is no file name of INbreast for image {row['image_id']}")
        known = metadata(name, {"birads": row["birads"], "density": row["acr"]})
        entries.append(datalist_entry(f"images/{name.image_id}.dcm", {"lesion_id": f"{name.image_id}_1"} | known))
    return about, {"training": [], "validation": [], "test": entries}


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
INBREAST_COLUMNS = ("image_id", "dicom", "acr", "birads", "listed_107")
INBREAST_TEST = (
    "The unseen test set: the first mass of each of the 107 mammograms that public work uses. Which of them hold the "
    "others of the 116 is part of the annotations; `python -m scripts prepare inbreast` lists them all."
)


def describe(datalist: SplitFile) -> str:
    """Write the README's section on a datalist."""
    parts = datalist.counted
    total = [lesion for lesions in parts.values() for lesion in lesions]
    columns = {**parts, "all": total}
    lines = [f"## {datalist.name}.json", "", datalist.explanation, "", f"Source: {datalist.about['source']}.", ""]
    lines += [_row("", columns), _row("---", ["---:"] * len(columns))]
    for heading, name in {"lesions": "label", "mammograms": "image", "patients": "patient_id"}.items():
        lines.append(_row(heading, (len({lesion[name] for lesion in lesions}) for lesions in columns.values())))
    for name, heading in COUNTED.items():
        counts = {part: Counter(lesion[name] for lesion in lesions) for part, lesions in columns.items()}
        for value in sorted(counts["all"]):
            lines.append(_row(f"{heading} {value or 'unknown'}", (count[value] for count in counts.values())))
    lines += ["", f"Patients in more than one part: {shared_patients(parts)}."]
    if set(parts) == set(PARTS):
        lines[-1] += f" Test lesions whose patient is also in training: {shared_share(parts):.1%}."
    return "\n".join([*lines, ""])


def _row(heading: str, cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, (heading, *cells)))} |"
