"""The verb `report`: one page about runs and studies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from custom.errors import InputError
from custom.files import write_if_changed
from scripts.common.bundle import bundle_version
from scripts.common.formatting import slug
from scripts.report.blocks import Block, Document, Figures, NotThere
from scripts.report.calibration import calibration, study_calibration
from scripts.report.cohort import audit, cohort
from scripts.report.curves import curves, study_curves
from scripts.report.figures import figure_style
from scripts.report.lesion_table import lesion_tables, study_lesion_table
from scripts.report.metrics import confusion, metrics, study_confusion
from scripts.report.page import render_page
from scripts.report.panels import both_views, prediction_panels, study_panels, worst_cases
from scripts.report.reading import read_source
from scripts.report.run_card import run_card
from scripts.report.sources import Run, StudyResults
from scripts.report.stages import preprocessing_stages
from scripts.report.subgroups import arms, subgroups

# Title and maker of each section in its order. A maker takes the source, returns no blocks where its section has no
# meaning for it, and raises `NotThere` where it has but something is missing.
Sections = Sequence[tuple[str, Callable[[Any], list[Block]]]]
RUN_SECTIONS: Sections = [
    ("The run", run_card),
    ("Metrics", metrics),
    ("Predictions", prediction_panels),
    ("Worst cases", worst_cases),
    ("Dice by subgroup", subgroups),
    ("Confusion matrix", confusion),
    ("Calibration", calibration),
    ("Training", curves),
    ("Preprocessing", preprocessing_stages),
    ("Both views", both_views),
    ("Lesions of the data", cohort),
    ("Audit of the data", audit),
    ("All lesions", lesion_tables),
]
STUDY_SECTIONS: Sections = [
    ("The study", lambda study: [Document(study.folder / "table.md")]),
    ("Dice of the arms", arms),
    ("Predictions", study_panels),
    ("Confusion matrices", study_confusion),
    ("Calibration", study_calibration),
    ("Training", study_curves),
    ("Lesions of the data", cohort),
    ("Audit of the data", audit),
    ("All lesions", study_lesion_table),
]


def report(
    source: str | Sequence[str], output: str = "report.html", dataset_dir: str | Sequence[str] | None = None
) -> None:
    """Write one HTML page about a run or a study, with its figures inside; it needs no other file and no network.

    The figures are also written as PNG and PDF into `figures/NAME/` beside the page `NAME.html`. What the sources do
    not hold is left out and listed at the end of the page. Running it again on the same sources changes nothing.

    Args:
        source: `runs/NAME` or `studies/NAME`; several, for one page about all of them, as '["runs/A","runs/B"]'.
        output: Page to write.
        dataset_dir: Prepared data set to take images from if it is no longer where the results say it was; several as
            with --source. One is used only where its datalist is the one that the results were made from.
    """
    page = Path(output)
    if page.is_dir() or page.suffix.lower() != ".html":
        found = f"a folder, expected the name of a page, such as {page / 'report.html'}"
        if not page.is_dir():
            found = f"another kind of file, expected the name of a page, such as {page.with_suffix('.html')}"
        raise InputError(f"--output {output}: found {found}")
    folders = [Path(folder) for folder in _listed(source)]
    if not folders:
        raise InputError("--source: found no folder, expected one of a run or a study, such as runs/NAME")
    for name, count in Counter(slug(folder.resolve().name) for folder in folders).items():
        if count > 1:
            raise InputError(f"--source: found {count} folders called {name}, expected different names: rename one")
    datasets = [Path(folder) for folder in _listed(dataset_dir or ())]
    sources = [read_source(folder.resolve(), datasets) for folder in folders]
    title = ", ".join(f"{'Run' if isinstance(one, Run) else 'Study'} {one.name}" for one in sources)
    sections: dict[str, list[Block]] = {}
    missing: dict[str, str] = {}
    with figure_style():
        for one in sources:
            _add_sections(one, f"{one.name}: " if len(sources) > 1 else "", sections, missing)
        made = render_page(title, sections, missing, bundle_version())
    figures = page.parent / "figures" / page.stem
    for name, content in made.files.items():
        write_if_changed(figures / name, content)
    # The page comes last: where it is, its figures are.
    write_if_changed(page, made.html.encode())
    print(f"Written to {page}, the figures also to {figures}")


def _listed(folders: str | Sequence[str]) -> list[str]:
    return [folders] if isinstance(folders, str) else list(folders)


def _add_sections(
    source: Run | StudyResults, prefix: str, sections: dict[str, list[Block]], missing: dict[str, str]
) -> None:
    """Make the sections about a source, and list those that something is missing for; titles begin with `prefix`."""
    for title, make in RUN_SECTIONS if isinstance(source, Run) else STUDY_SECTIONS:
        try:
            blocks = make(source)
        except NotThere as error:
            missing[prefix + title] = str(error)
            continue
        for place, block in enumerate(blocks):
            if prefix and isinstance(block, Figures):
                named = [replace(figure, name=f"{slug(source.name)}_{figure.name}") for figure in block.figures]
                blocks[place] = Figures(named)
        if blocks:
            sections[prefix + title] = blocks
