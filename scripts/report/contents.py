"""What a report holds: its sections in their order, and the modules that make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scripts.report.blocks import Block, NotThere, Section
from scripts.report.page import Missing
from scripts.report.sources import Run, Study

# Title and maker of each section. A maker returns no blocks where its section has no meaning for the source, and raises
# `NotThere` where it has but something is missing.
RUN_SECTIONS: Sequence[tuple[str, Callable[[Run], list[Block]]]] = []
STUDY_SECTIONS: Sequence[tuple[str, Callable[[Study], list[Block]]]] = []


def make_sections(source: Run | Study) -> tuple[list[Section], list[Missing]]:
    """The sections about a source, and those that something is missing for."""
    sections, missing = [], []
    for title, make in _makers(source):
        try:
            blocks = make()
        except NotThere as error:
            missing.append(Missing(title, str(error)))
            continue
        if blocks:
            sections.append(Section(title, blocks))
    return sections, missing


def _makers(source: Run | Study) -> list[tuple[str, Callable[[], list[Block]]]]:
    if isinstance(source, Run):
        return [(title, lambda make=make: make(source)) for title, make in RUN_SECTIONS]  # type: ignore[misc]
    return [(title, lambda make=make: make(source)) for title, make in STUDY_SECTIONS]  # type: ignore[misc]
