"""The test list of INbreast as far as it can be enumerated without its annotations."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

from custom.errors import InputError
from scripts.prepare.inbreast import MAMMOGRAMS, MASSES, NAME, NOTE
from scripts.prepare.inbreast_files import INNER_FOLDER, parse_image_name
from scripts.prepare.splits import Entry, Parts

COLUMNS = ("image_id", "dicom", "acr", "birads", "listed_107")


def inbreast_datalist(table: Path) -> tuple[dict[str, str], Parts]:
    """What `inbreast_mass.json` holds: the first mass of each of the mammograms that public work on INbreast uses.

    How many masses an image has, beyond the first, only its annotation says, which nobody may pass on; `prepare
    inbreast` reads it and lists all. The entries name what `prepare inbreast` writes.

    Args:
        table: CSV with `image_id`, `dicom` (the file's name), `acr`, `birads` and `listed_107` (1 for the images used).

    Returns:
        What the list says of itself, and its parts, of which only `test` has lesions.

    Raises:
        InputError: the table cannot be read, lacks a column, or names a file that is none of INbreast.
    """
    try:
        content = table.read_bytes()
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        rows, heading = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{table}: cannot be read ({error}); expected a CSV table of the images with masses"
        ) from error
    missing = [column for column in COLUMNS if column not in heading]
    if missing:
        raise InputError(f"{table}: column {', '.join(missing)} is missing; expected {', '.join(COLUMNS)}")
    listed = [row for row in rows if row["listed_107"] == "1"]
    about = {
        "name": NAME,
        "source": INNER_FOLDER,
        "manifest_sha256": hashlib.sha256(content).hexdigest(),
        "note": f"{NOTE}. Here stands the first mass of each of {len(listed)} mammograms; public work counts {MASSES} "
        f"masses in {MAMMOGRAMS}, and which images hold the others is part of the annotations: prepare lists them all",
    }
    entries: list[Entry] = [_entry(row, table) for row in sorted(listed, key=lambda row: row["image_id"])]
    return about, {"training": [], "validation": [], "test": entries}


def _entry(row: dict[str, str], table: Path) -> dict[str, str]:
    name = parse_image_name(row["dicom"])
    if name is None or name.image_id != row["image_id"]:
        raise InputError(f"{table}: {row['dicom']!r} is no file name of INbreast for image {row['image_id']}")
    lesion = f"{name.image_id}_1"
    return {
        "image": f"images/{name.image_id}.dcm",
        "label": f"masks/{lesion}.png",
        "lesion_id": lesion,
        "patient_id": name.patient_id,
        "laterality": name.laterality,
        "view": name.view,
        "birads": row["birads"],
        "density": row["acr"],
        "pathology": "",
    }
