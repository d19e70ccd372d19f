"""`prepare cbis_ddsm`: a download of CBIS-DDSM, in; a prepared data set of its masses with an audit, out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from custom.errors import InputError
from custom.files import write_if_changed
from scripts.common.parallel import parallel_map
from scripts.common.tables import Row
from scripts.prepare.cbis_ddsm_files import (
    NAME,
    OFFICIAL_LESIONS,
    OFFICIAL_MAMMOGRAMS,
    SOURCE,
    Key,
    SourceFile,
    index_source,
    read_tables,
)
from scripts.prepare.cbis_ddsm_pairing import FILE_COLUMNS, Task, image_suffix, prepare_mammogram
from scripts.prepare.output import Audit, count_reasons, datalist_entry, finish, preparing
from scripts.prepare.splits import Parts, make_splits


def prepare_cbis_ddsm(
    source: str, dataset_dir: str, tables: str | None = None, scheduler: str | None = None, copy: bool = False
) -> None:
    """Prepare the masses of CBIS-DDSM from a download, whatever its layout: DICOM, the JPEG mirror, or both.

    Args:
        source: folder of the download; calcifications and other files in it are left alone.
        dataset_dir: the prepared data set; made if it is not there.
        tables: folder with the official mass tables, if they are not in `source`.
        scheduler: address of a Dask scheduler; otherwise the work is spread over this machine's cores.
        copy: copy the images instead of linking to them.
    """
    folder, target = Path(source), Path(dataset_dir).resolve()
    for name, given in {"source": folder, "tables": Path(tables or source)}.items():
        if not given.is_dir():
            raise InputError(f"--{name}: {given}: no such folder; expected one with the download")
    official = read_tables(Path(tables or source))
    files, aside = index_source(folder, target, official)
    tasks = make_tasks(official.lesions, files, folder.resolve(), target, copy)
    with preparing(target, folder, SOURCE) as stated:
        done = parallel_map(prepare_mammogram, tasks, scheduler, "Preparing mammograms", "mammogram")
        found = {lesion: columns for result in done for lesion, columns in result.items()}
        no_files = dict.fromkeys(FILE_COLUMNS, "")
        audit = [
            {**lesion, "official_part": key.part, **no_files, **found[key.name]}
            for key, lesion in official.lesions.items()
        ]
        write_if_changed(target / "audit_files.csv", _file_audit(files, aside, audit))
        suffixes = {row["lesion_id"]: image_suffix(row["image_file"]) for row in audit if row["image_file"]}
        usable = {key.mammogram for key in official.lesions if key.name in suffixes}
        counts = (
            f"usable: {len(usable)} of {len(tasks)} mammograms and {len(suffixes)} of {len(audit)} lesions; "
            f"the official tables have {OFFICIAL_MAMMOGRAMS} and {OFFICIAL_LESIONS}"
        )
        about = {"name": NAME, "source": stated, "manifest_sha256": official.sha256}
        finish(target, folder, about, audit, split_lesions(official.lesions, suffixes), [counts], count_reasons)


def make_tasks(
    lesions: Iterable[Key], files: Mapping[str, tuple[SourceFile, ...]], source: Path, target: Path, copy: bool
) -> list[Task]:
    """Make one task for each mammogram of the tables, whether files of it were found or not."""
    by_mammogram: dict[str, list[str]] = {}
    for key in lesions:
        by_mammogram.setdefault(key.mammogram, []).append(key.name)
    return [
        Task(
            source, target, copy, mammogram, files.get(mammogram, ()),
            {name: files.get(name, ()) for name in names},
        )
        for mammogram, names in by_mammogram.items()
    ]  # fmt: skip


def split_lesions(lesions: Mapping[Key, Row], suffixes: Mapping[str, str]) -> dict[str, Parts]:
    """Split the usable lesions.

    The splits are drawn from the tables alone, so that a lesion that cannot be used moves no other one.
    `suffixes` has the suffix of the mammogram's file for each usable lesion, by its name.
    """
    tested = {lesion["patient_id"] for key, lesion in lesions.items() if key.part == "Test"}
    entries = {
        key.name: datalist_entry(f"images/{key.mammogram}{suffixes[key.name]}", lesion)
        for key, lesion in lesions.items()
        if key.name in suffixes
    }
    return {
        split: {
            part: [entries[lesion["lesion_id"]] for lesion in drawn if lesion["lesion_id"] in entries]
            for part, drawn in parts.items()
        }
        for split, parts in make_splits(list(lesions.values()), tested).items()
    }


def _file_audit(files: Mapping[str, tuple[SourceFile, ...]], aside: Mapping[str, str], audit: Audit) -> bytes:
    """List the files that no lesion was taken from, with the reason."""
    used = {row[column] for row in audit for column in FILE_COLUMNS}
    usable = {row["lesion_id"] for row in audit if row["image_file"]}
    usable |= {name.rpartition("_")[0] for name in usable}
    unused = {
        file.path: file.fault
        or (f"of {name}, which is taken from other files" if name in usable else f"of {name}, which is quarantined")
        for name, found in files.items()
        for file in found
        if file.path not in used
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "reason"))
    writer.writerows(sorted({**aside, **unused}.items()))
    return text.getvalue().encode()
