from __future__ import annotations

import numpy as np
import pytest
from made_up_study import ABOUT, arm_result, study
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scripts.study.figure import draw_study
from scripts.study.table import study_rows

LONG = "UNet++ with Wiener filter and CLAHE, trained with boxes displaced by up to 20 %"


def marks(axes: Axes, label: str) -> list[tuple[float, ...]]:
    return [tuple(np.ravel(line.get_xdata())) for line in axes.lines if line.get_label() == label]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_arms_beside_each_other():
    rows = study_rows(study(["UNet++", "U-Net"]), "UNet++")
    figure = draw_study(rows, ABOUT)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["UNet++ (reference)", "U-Net"]
    assert marks(left, "mean with 95 % interval") == [(row["dice"],) for row in rows]
    assert marks(left, "each seed's mean") == [tuple(row["dice_of_seeds"]) for row in rows]
    assert marks(left, "ellipse in the box") == [pytest.approx((0.6,))] * 2
    assert marks(left, "whole box") == [pytest.approx((0.5,))] * 2
    assert marks(left, "paper (other data)") == [pytest.approx((0.9292,))]
    assert (rows[1]["difference_low"], rows[1]["difference_high"]) in [tuple(line.get_xdata()) for line in right.lines]
    assert right.get_xlabel() == "Dice minus that of UNet++"
    title = figure.get_suptitle()
    assert title == "Two networks on the same crops\nmade_up, split patient: 12 lesions of 6 patients"


def test_arms_over_the_tests():
    rows = study_rows(study(["exact", "displaced"], ("10 %", "0 %", "5 %")), "exact")
    figure = draw_study(rows, ABOUT | {"test": "displacement of the box"})
    (axes,) = figure.axes
    assert legend(figure) == ["exact", "displaced", "ellipse in the box"]
    assert marks(axes, "displaced") == marks(axes, "ellipse in the box") == [(0, 5, 10)]
    of_test = {row["test"]: row["dice"] for row in rows if row["arm"] == "displaced"}
    line = next(line for line in axes.lines if line.get_label() == "displaced")
    assert list(line.get_ydata()) == [of_test[test] for test in ("0 %", "5 %", "10 %")]
    assert axes.get_xlabel() == "displacement of the box"
    assert len(axes.collections) == 2


def test_tests_with_names_are_rows():
    figure = draw_study(study_rows(study(["a", "b"], ("INbreast", "5 %")), "a"), ABOUT)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["a, INbreast (reference)", "b, INbreast", "a, 5 % (reference)", "b, 5 %"]


def test_one_arm_one_seed_one_patient():
    figure = draw_study(study_rows([arm_result("a", [[0.7, 0.8]])], "a"), ABOUT)
    (axes,) = figure.axes
    assert legend(figure) == ["mean", "ellipse in the box", "whole box"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a"]


@pytest.mark.parametrize("tests", [("",), ("0", "10"), ("near", "far")])
@pytest.mark.parametrize("arms", [2, 10])
def test_nothing_is_cut_off(arms: int, tests: tuple[str, ...]):
    names = [f"{LONG}, {number}" for number in range(arms)]
    figure = draw_study(study_rows(study(names, tests, lesions=4), names[0]), ABOUT | {"description": LONG * 3})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0
    assert drawn.y0 >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height
    sizes = [axes.get_window_extent() for axes in figure.axes]
    assert all(size.width > 200 and size.height > 100 for size in sizes)
