"""`prepare cbis_ddsm`: a download of CBIS-DDSM, in; a prepared data set of its masses with an audit, out."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from custom.errors import InputError
from custom.files import held, write_if_changed
from scripts.common.parallel import parallel_map
from scripts.prepare import account
from scripts.prepare.cbis_ddsm_index import Index, index_source
from scripts.prepare.cbis_ddsm_pairing import Outcome, Task, image_suffix, prepare_mammogram
from scripts.prepare.cbis_ddsm_splits import entry, make_splits
from scripts.prepare.cbis_ddsm_tables import (
    NAME,
    OFFICIAL_LESIONS,
    OFFICIAL_MAMMOGRAMS,
    SOURCE,
    Lesion,
    Tables,
    read_tables,
)
from scripts.prepare.output import check_place, stated_source, write_audit, write_datalists
from scripts.prepare.splits import Parts


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
    stated = stated_source(folder, SOURCE)
    with held(target):
        check_place(target, stated)
        done = parallel_map(prepare_mammogram, tasks, scheduler, "Preparing mammograms", "mammogram")
        outcomes = {outcome.lesion_id: outcome for results in done for outcome in results}

        audit = [_audit_row(lesion, outcomes[lesion.key.name]) for lesion in official.lesions]
        write_audit(target / "audit.csv", audit)
        write_if_changed(target / "audit_files.csv", _file_audit(index, list(outcomes.values())))
        datalists = usable_splits(official.lesions, outcomes)
        about = {"name": NAME, "source": stated, "manifest_sha256": official.sha256}
        write_datalists(target, about, datalists)
        print(
            "\n".join([*account.count_statuses(audit), *account.count_reasons(audit), *account.count_splits(datalists)])
        )
        print(_compare(official, outcomes))
        if not any(outcome.image for outcome in outcomes.values()):
            raise InputError(f"{folder}: no lesion is usable; {target / 'audit.csv'} gives the reason for each")


def make_tasks(lesions: Sequence[Lesion], index: Index, source: Path, target: Path, copy: bool) -> list[Task]:
    """One task for each mammogram of the tables, whether files of it were found or not."""
    by_mammogram: dict[str, list[str]] = {}
    for lesion in lesions:
        by_mammogram.setdefault(lesion.key.mammogram, []).append(lesion.key.name)
    return [
        Task(
            source, target, copy, mammogram, index.files.get(mammogram, ()),
            tuple((name, index.files.get(name, ())) for name in names),
        )
        for mammogram, names in by_mammogram.items()
    ]  # fmt: skip


def usable_splits(lesions: Sequence[Lesion], outcomes: Mapping[str, Outcome]) -> dict[str, Parts]:
    """The splits of all lesions, without those that are quarantined."""
    return {
        split: {
            part: [
                entry(lesion, image_suffix(outcomes[lesion["lesion_id"]].image))
                for lesion in drawn
                if outcomes[lesion["lesion_id"]].image
            ]
            for part, drawn in parts.items()
        }
        for split, parts in make_splits(lesions).items()
    }


def _audit_row(lesion: Lesion, outcome: Outcome) -> dict[str, str]:
    files = {"image_file": outcome.image, "mask_file": outcome.mask, "crop_file": outcome.crop}
    found = {"status": outcome.status, "reason": outcome.reason}
    return {**lesion.metadata, **found, "official_part": lesion.key.part, **files}


def _file_audit(index: Index, outcomes: Sequence[Outcome]) -> bytes:
    """A table of the files that no lesion was taken from, with the reason."""
    used = {file for outcome in outcomes for file in (outcome.image, outcome.mask, outcome.crop)}
    usable = {outcome.lesion_id for outcome in outcomes if outcome.image}
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


def _compare(tables: Tables, outcomes: Mapping[str, Outcome]) -> str:
    usable = [lesion for lesion in tables.lesions if outcomes[lesion.key.name].image]
    found, named = (len({lesion.key.mammogram for lesion in lesions}) for lesions in (usable, tables.lesions))
    return (
        f"usable: {found} of {named} mammograms and {len(usable)} of {len(tables.lesions)} lesions; "
        f"the official tables have {OFFICIAL_MAMMOGRAMS} and {OFFICIAL_LESIONS}"
    )
