from __future__ import annotations

from pathlib import Path

from matplotlib.patches import Rectangle

from scripts.report.blocks import Figures
from scripts.report.views import both_views
from tests.scripts.report.pictured_run import made_run


def test_both_views_of_one_breast(tmp_path: Path, dataset: Path):
    run = made_run(tmp_path / "run", dataset)
    (block,) = both_views(run)
    assert isinstance(block, Figures)
    (figure,) = block.figures
    tiles = figure.drawing.get_axes()
    assert [tile.get_title() for tile in tiles] == ["CC", "", "MLO", ""]
    rows = {row["lesion_id"]: row for row in run.evaluations[0].lesions}
    cc, mlo = (rows[name] for name in rows if name in figure.caption)
    assert (cc["patient_id"], cc["view"], mlo["view"]) == (mlo["patient_id"], "CC", "MLO")
    (box,) = [patch for patch in tiles[0].patches if isinstance(patch, Rectangle)]
    assert (box.get_x() + 0.5, box.get_y() + 0.5) == (cc["box_x0"], cc["box_y0"])
    assert box.get_width() == cc["box_x1"] - cc["box_x0"]
    assert [len(tile.collections) for tile in tiles] == [2, 2, 2, 2]


def test_a_single_view_is_not_shown(tmp_path: Path, dataset: Path):
    assert both_views(made_run(tmp_path / "run", dataset, lesions=1)) == []


def test_breasts_whose_side_is_not_known_are_not_joined(tmp_path: Path, own_dataset: Path):
    for file in (own_dataset / "datalists").glob("*.json"):
        file.write_text(file.read_text().replace('"LEFT"', '"N/A"').replace('"RIGHT"', '"N/A"'))
    assert both_views(made_run(tmp_path / "run", own_dataset)) == []
