from __future__ import annotations

import cv2
import numpy as np
import pytest

from scripts.common.phantom.breast import draw_breast
from scripts.common.phantom.tissue import draw_tissue

SHAPE = (400, 250)


@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize("size", [0.5, 0.7, 0.86])
@pytest.mark.parametrize("shape", [SHAPE, (250, 250), (700, 250)])
def test_a_breast_is_one_smooth_piece_on_the_chest_wall(view: str, size: float, shape: tuple[int, int]) -> None:
    for seed in range(6):
        breast = draw_breast(np.random.default_rng(seed), shape, view, size)
        inside = breast.inside
        assert inside.shape == shape
        assert cv2.connectedComponents(inside.astype(np.uint8))[0] == 2
        assert inside[:, 0].sum() > 0.2 * shape[0]
        assert not inside[:, -1].any()
        widest = np.flatnonzero(inside.any(axis=0))[-1]
        assert widest == pytest.approx(size * shape[1], abs=0.06 * shape[1])
        assert breast.thickness[~inside].max() == 0
        assert 0.9 < breast.thickness.max() < 1.1
        assert breast.pectoral.any() == (view == "MLO")
        assert breast.pectoral[~inside].max() == 0


def test_the_pectoral_muscle_is_a_wedge_in_the_upper_corner() -> None:
    for seed in range(6):
        muscle = draw_breast(np.random.default_rng(seed), SHAPE, "MLO", 0.7).pectoral > 0
        widths = muscle.sum(axis=1)
        assert widths[5] > 0.15 * SHAPE[1]
        assert widths[int(0.8 * SHAPE[0]) :].max() == 0
        assert (np.diff(widths[widths > 0].astype(int)) <= 1).all()


def test_thickness_falls_towards_the_skin() -> None:
    breast = draw_breast(np.random.default_rng(0), SHAPE, "CC", 0.7)
    means = [breast.thickness[(breast.depth > low) & (breast.depth <= low + 6)].mean() for low in (0, 6, 12, 18)]
    assert np.all(np.diff(means) > 0.02)


def test_tissue_gets_denser_with_the_density_class() -> None:
    breast = draw_breast(np.random.default_rng(1), SHAPE, "CC", 0.8)
    flat = breast.thickness > 0.9
    means, areas = [], []
    for density in (1, 2, 3, 4):
        over_fat = [
            draw_tissue(np.random.default_rng(seed), breast, density)[flat] / breast.thickness[flat]
            for seed in range(6)
        ]
        means.append(np.mean(over_fat))
        areas.append(np.mean([(values > 1.12).mean() for values in over_fat]))
    assert np.all(np.diff(means) > 0.015)
    assert np.all(np.diff(areas) > 0.05)
