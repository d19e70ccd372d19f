"""What a report holds: its sections in their order, and the modules that make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scripts.report.blocks import Block, NotThere, Section
from scripts.report.calibration import calibration, study_calibration
from scripts.report.cohort import audit, cohort
from scripts.report.curves import curves, study_curves
from scripts.report.lesion_table import lesion_tables, study_lesion_table
from scripts.report.metrics import confusion, metrics
from scripts.report.page import Missing
from scripts.report.panels import prediction_panels, study_panels, worst_cases
from scripts.report.run_card import run_card
from scripts.report.sources import Run, Study
from scripts.report.stages import preprocessing_stages
from scripts.report.study import arms, confusions, document
from scripts.report.subgroups import subgroups
from scripts.report.views import both_views

# Title and maker of each section. A maker returns no blocks where its section has no meaning for the source, and raises
# `NotThere` where it has but something is missing.
RUN_SECTIONS: Sequence[tuple[str, Callable[[Run], list[Block]]]] = [
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
STUDY_SECTIONS: Sequence[tuple[str, Callable[[Study], list[Block]]]] = [
    ("The study", document),
    ("Dice of the arms", arms),
    ("Predictions", study_panels),
    ("Confusion matrices", confusions),
    ("Calibration", study_calibration),
    ("Training", study_curves),
    ("Lesions of the data", cohort),
    ("Audit of the data", audit),
    ("All lesions", study_lesion_table),
]


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
