"""The lesions of the data sets, and what became of those of their sources."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from custom.data import PARTS, Datalist
from custom.errors import InputError
from custom.metrics.vocabulary import ATTRIBUTES as LABELS
from scripts.common.datasets import full_name
from scripts.common.drawing import BLUE, GREEN, ORANGE
from scripts.common.formatting import count, slug
from scripts.report.blocks import Block, Figure, Figures, NotThere, Table
from scripts.report.figures import WIDTH, finish, new_axes
from scripts.report.lesions import is_known, left_out
from scripts.report.sources import Run, StudyResults

ATTRIBUTES = ("birads", "density")
LOOKS = {"training": (BLUE, ""), "validation": (ORANGE, "///"), "test": (GREEN, "...")}
# The name or path of a file, which may have spaces in it.
FILE = re.compile(r"\S+\.\w{1,5}|[^;:]*[/\\][^;:/\\]*\.\w{1,5}|/[^;:]*")
# Rarer reasons are counted together.
MOST_REASONS = 20


def cohort(source: Run | StudyResults) -> list[Block]:
    """Draw the distributions of BI-RADS and density in each part of each data set that was trained or tested on."""
    figures = [
        figure
        for data in _datasets(source)
        for attribute in ATTRIBUTES
        if (figure := _distribution(data, attribute, LABELS[attribute]))
    ]
    return [Figures(figures)] if figures else []


def audit(source: Run | StudyResults) -> list[Block]:
    """Count for each data set how many lesions of its source were used, repaired or left out, and why."""
    folders = {data.folder: data for data in _datasets(source)}
    return [
        _audit_table(folder / "audit.csv", full_name(data.content))
        for folder, data in folders.items()
        if (folder / "audit.csv").is_file()
    ]


def kind_of_reason(reason: str) -> str:
    """Return a reason without what is the lesion's own: file names, numbers and all that has a digit are left out."""
    pieces = [piece for piece in reason.split(": ") if not FILE.fullmatch(piece)]
    # "kind: particulars" is how prepared data sets give most reasons.
    text = pieces[0] if pieces and not re.search(r"\d", pieces[0]) else ": ".join(pieces)
    text = re.sub(r"[^\s,;:()]*(?:\d|/)[^\s,;:()]*", "…", text)
    return re.sub(r"…(?:[\s,]*…)+", "…", text).strip() or "…"


def _datasets(source: Run | StudyResults) -> list[Datalist]:
    """Each data set with each split once."""
    runs = [source] if isinstance(source, Run) else [run for runs in source.runs.values() for run in runs]
    found: dict[tuple[Path, str], Datalist] = {}
    for run in runs:
        for data in (run.data, *(evaluation.data for evaluation in run.principal)):
            if data is not None:
                found.setdefault((data.folder, data.split), data)
    if runs and not found:
        raise NotThere(
            "The data sets are not where they were, or were prepared anew since; name their folders by --dataset_dir."
        )
    return list(found.values())


def _distribution(data: Datalist, attribute: str, label: str) -> Figure | None:
    lesions = {part: data.content.get(part, ()) for part in PARTS}
    counted = {
        part: Counter(value for entry in entries if is_known(value := entry.get(attribute)))
        for part, entries in lesions.items()
    }
    counted = {part: counter for part, counter in counted.items() if counter}
    if not counted:
        return None
    values = sorted(set().union(*counted.values()))
    drawing, axes = new_axes(width=max(WIDTH, 1.4 + 0.5 * len(values)))
    width = 0.8 / len(counted)
    for number, (part, counter) in enumerate(counted.items()):
        colour, hatch = LOOKS[part]
        places = [place + (number - (len(counted) - 1) / 2) * width for place in range(len(values))]
        shares = [100 * counter[value] / counter.total() for value in values]
        name = f"{part} (n = {counter.total():,})"
        axes.bar(places, shares, width * 0.92, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=name)
    axes.set_xticks(range(len(values)), values)
    finish(axes, label, "share of the part's lesions, %", legend=True)
    unknown = sum(map(len, lesions.values())) - sum(counter.total() for counter in counted.values())
    name, split = full_name(data.content), data.split
    caption = f"{name}, split {split}.{left_out(unknown)}"
    alt = f"{label} of the lesions of {name}, split {split}: " + "; ".join(
        f"{part} " + ", ".join(f"{100 * counter[value] / counter.total():.0f} % {value}" for value in values)
        for part, counter in counted.items()
    )
    return Figure(f"{attribute}_of_{slug(name)}_{slug(split)}", drawing, f"{alt}.", caption)


def _audit_table(file: Path, name: str) -> Table:
    try:
        with file.open(newline="") as stream:
            rows = [(row["status"], row["reason"]) for row in csv.DictReader(stream)]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read as an audit ({error}); prepare the data set again") from error
    kinds = Counter((status, kind_of_reason(reason) if reason else "") for status, reason in rows)
    statuses = Counter(status for status, _ in rows)
    ranked = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    cells = [[status, reason, f"{number:,}"] for (status, reason), number in ranked[:MOST_REASONS]]
    if rest := ranked[MOST_REASONS:]:
        cells.append(["", f"{count(len(rest), 'rarer reason')}", f"{sum(number for _, number in rest):,}"])
    counts = ", ".join(f"{number:,} {status}" for status, number in statuses.most_common())
    caption = (
        f"{name}: what became of the {count(len(rows), 'lesion')} in the table of its source: {counts}. Names and "
        "numbers in a reason are left out (…); audit.csv in the data set has them."
    )
    return Table(("status", "reason", "lesions"), cells, caption)
