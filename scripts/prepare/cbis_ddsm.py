"""`prepare cbis_ddsm`: a download of CBIS-DDSM, in; a prepared data set of its masses with an audit, out."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from custom.errors import InputError
from custom.files import write_if_changed
from scripts.common.parallel import parallel_map
from scripts.prepare.cbis_ddsm_files import (
    NAME,
    OFFICIAL_LESIONS,
    OFFICIAL_MAMMOGRAMS,
    SOURCE,
    Index,
    TableLesion,
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
    index = index_source(folder, target, official)
    tasks = make_tasks(official.lesions, index, folder.resolve(), target, copy)
    with preparing(target, folder, SOURCE) as stated:
        done = parallel_map(prepare_mammogram, tasks, scheduler, "Preparing mammograms", "mammogram")
        found = {lesion: columns for result in done for lesion, columns in result.items()}
        no_files = dict.fromkeys(FILE_COLUMNS, "")
        audit = [
            {**lesion.metadata, "official_part": lesion.key.part, **no_files, **found[lesion.key.name]}
            for lesion in official.lesions
        ]
        write_if_changed(target / "audit_files.csv", _file_audit(index, audit))
        suffixes = {row["lesion_id"]: image_suffix(row["image_file"]) for row in audit if row["image_file"]}
        usable = {lesion.key.mammogram for lesion in official.lesions if lesion.key.name in suffixes}
        counts = (
            f"usable: {len(usable)} of {len(tasks)} mammograms and {len(suffixes)} of {len(audit)} lesions; "
            f"the official tables have {OFFICIAL_MAMMOGRAMS} and {OFFICIAL_LESIONS}"
        )
        about = {"name": NAME, "source": stated, "manifest_sha256": official.sha256}
        finish(target, folder, about, audit, split_lesions(official.lesions, suffixes), [counts], count_reasons)


def make_tasks(lesions: Sequence[TableLesion], index: Index, source: Path, target: Path, copy: bool) -> list[Task]:
    """Make one task for each mammogram of the tables, whether files of it were found or not."""
    by_mammogram: dict[str, list[str]] = {}
    for lesion in lesions:
        by_mammogram.setdefault(lesion.key.mammogram, []).append(lesion.key.name)
    return [
        Task(
            source, target, copy, mammogram, index.files.get(mammogram, ()),
            {name: index.files.get(name, ()) for name in names},
        )
        for mammogram, names in by_mammogram.items()
    ]  # fmt: skip


def split_lesions(lesions: Sequence[TableLesion], suffixes: Mapping[str, str]) -> dict[str, Parts]:
    """Split the usable lesions.

    The splits are drawn from the tables alone, so that a lesion that cannot be used moves no other one.

    Args:
        lesions: All lesions of the tables.
        suffixes: Suffix of the mammogram's file for each usable lesion, by its name.
    """
    tested = {lesion.metadata["patient_id"] for lesion in lesions if lesion.key.part == "Test"}
    entries = {
        lesion.key.name: datalist_entry(f"images/{lesion.key.mammogram}{suffixes[lesion.key.name]}", lesion.metadata)
        for lesion in lesions
        if lesion.key.name in suffixes
    }
    return {
        split: {
            part: [entries[lesion["lesion_id"]] for lesion in drawn if lesion["lesion_id"] in entries]
            for part, drawn in parts.items()
        }
        for split, parts in make_splits([lesion.metadata for lesion in lesions], tested).items()
    }


def _file_audit(index: Index, audit: Audit) -> bytes:
    """List the files that no lesion was taken from, with the reason."""
    used = {row[column] for row in audit for column in FILE_COLUMNS}
    usable = {row["lesion_id"] for row in audit if row["image_file"]}
    usable |= {name.rpartition("_")[0] for name in usable}
    unused = {
        file.path: file.fault
        or (f"of {name}, which is taken from other files" if name in usable else f"of {name}, which is quarantined")
        for name, files in index.files.items()
        for file in files
        if file.path not in used
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "reason"))
    writer.writerows(sorted({**index.aside, **unused}.items()))
    return text.getvalue().encode()
