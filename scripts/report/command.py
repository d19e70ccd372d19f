"""The verb `report`: one page about runs and studies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from custom.errors import InputError
from custom.files import write_if_changed
from scripts.common.bundle import bundle_version
from scripts.common.formatting import slug
from scripts.report.blocks import Block, Figures, LesionTable, Section
from scripts.report.contents import make_sections
from scripts.report.figures import figure_style
from scripts.report.page import Missing, render_page
from scripts.report.sources import Run, Study, read_source


def report(
    source: str | Sequence[str],
    output: str = "report.html",
    dataset_dir: str | Sequence[str] | None = None,
) -> None:
    """Write one HTML page about a run or a study, with its figures inside; it needs no other file and no network.

    The figures are also written as PNG and PDF into `figures/NAME/` beside the page `NAME.html`. What the sources do
    not hold is left out and listed at the end of the page. Running it again on the same sources changes nothing.

    Args:
        source: `runs/NAME` or `studies/NAME`; several, for one page about all of them, as '["runs/A","runs/B"]'.
        output: the page.
        dataset_dir: prepared data set to take images from if it is no longer where the results say it was; several as
            with --source. One is used only where its datalist is the one that the results were made from.
    """
    page = Path(output)
    if page.is_dir() or page.suffix.lower() != ".html":
        found = "a folder" if page.is_dir() else "another kind of file"
        raise InputError(f"--output {output}: found {found}, expected the name of a page, such as {_example(page)}")
    folders = [Path(folder) for folder in _listed(source)]
    if not folders:
        raise InputError("--source: found no folder, expected one of a run or a study, such as runs/NAME")
    for name, count in Counter(slug(folder.resolve().name) for folder in folders).items():
        if count > 1:
            raise InputError(f"--source: found {count} folders called {name}, expected different names: rename one")
    datasets = [Path(folder) for folder in _listed(dataset_dir or ())]
    sources = [read_source(folder.resolve(), datasets) for folder in folders]
    with figure_style():
        sections, missing = _make_all(sources)
        made = render_page(_title(sources), sections, missing, bundle_version())
    figures = page.parent / "figures" / page.stem
    for name, content in made.files.items():
        write_if_changed(figures / name, content)
    # The page comes last: where it is, its figures are.
    write_if_changed(page, made.html.encode())
    print(f"Written to {page}, the figures also to {figures}")


def _listed(folders: str | Sequence[str]) -> list[str]:
    return [folders] if isinstance(folders, str) else list(folders)


def _example(page: Path) -> Path:
    return page / "report.html" if page.is_dir() else page.with_suffix(".html")


def _title(sources: Sequence[Run | Study]) -> str:
    return ", ".join(f"{'Run' if isinstance(source, Run) else 'Study'} {source.name}" for source in sources)


def _make_all(sources: Sequence[Run | Study]) -> tuple[list[Section], list[Missing]]:
    """The sections about all sources; with several, titles and names of figures begin with the source's name."""
    sections, missing = [], []
    for source in sources:
        made, lacking = make_sections(source)
        if len(sources) > 1:
            made = [_preceded(source.name, section) for section in made]
            lacking = [Missing(f"{source.name}: {part.title}", part.reason) for part in lacking]
        sections += made
        missing += lacking
    return sections, missing


def _preceded(name: str, section: Section) -> Section:
    return Section(f"{name}: {section.title}", [_named(name, block) for block in section.blocks])


def _named(name: str, block: Block) -> Block:
    if isinstance(block, Figures):
        return Figures([replace(figure, name=f"{slug(name)}_{figure.name}") for figure in block.figures])
    if isinstance(block, LesionTable):
        return replace(block, name=f"{slug(name)}_{block.name}")
    return block
