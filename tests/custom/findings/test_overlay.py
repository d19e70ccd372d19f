from __future__ import annotations

import numpy as np
import pytest

from custom.findings.overlay import (
    BOX_COLOUR,
    PREDICTION_COLOUR,
    TRUTH_COLOUR,
    draw_in_frame,
    draw_outlines,
    draw_overlay,
)
from tests.scripts.common.prediction.phantom import COLUMNS, ROWS, box_of, frame, mass

HEIGHT = 640


def test_outlines_lie_on_the_edge_of_the_mask_with_rows_first():
    image = np.zeros((30, 20))
    image[0, 0] = 5  # the brightest pixel becomes white
    truth, prediction = np.zeros((2, 30, 20), bool)
    truth[4:10, 3:8] = True
    prediction[20:25, 12:18] = True
    picture = draw_outlines(image, truth, prediction)
    assert picture.shape == (20, 30, 3)
    assert picture[0, 0].tolist() == [255, 255, 255]
    edge = truth.copy()
    edge[5:9, 4:7] = False
    np.testing.assert_array_equal((picture == TRUTH_COLOUR).all(-1), edge.T)
    assert (picture == PREDICTION_COLOUR).all(-1).sum() == 2 * (5 + 6) - 4
    assert (draw_outlines(image, None, None)[1:] == 0).all()


def test_in_the_frame_the_box_lies_around_the_outlines():
    truth, prediction = np.zeros((2, 600, 1000), bool)
    truth[100:180, 400:480] = True
    prediction[120:160, 420:460] = True
    picture = draw_in_frame(np.zeros((600, 1000)), truth, prediction, (100.0, 400.0, 180.0, 480.0), height=500)
    assert picture.shape == (500, 300, 3)
    # Half the size, and the box three pixels wide around what it holds.
    for colour, (x0, y0, x1, y1) in {
        TRUTH_COLOUR: (50, 200, 89, 239),
        PREDICTION_COLOUR: (60, 210, 79, 229),
        BOX_COLOUR: (47, 197, 92, 242),
    }.items():
        rows, columns = np.nonzero((picture == colour).all(-1))
        assert (columns.min(), rows.min(), columns.max(), rows.max()) == (x0, y0, x1, y1)


def test_the_overlay_shows_the_mass_in_the_mammogram_and_enlarged():
    x0, y0, x1, y1 = box_of(30, 60)
    mask = mass(30, 60)
    picture = draw_overlay(frame(mask).astype(np.float32), mask, (x0, y0, x1, y1), context=0.6, height=HEIGHT)
    width = round(COLUMNS * HEIGHT / ROWS)
    assert picture.shape == (HEIGHT, width + HEIGHT, 3)
    scale = HEIGHT / ROWS
    rows, columns = np.nonzero((picture[:, :width] == PREDICTION_COLOUR).all(axis=-1))
    assert [columns.min() / scale, columns.max() / scale] == pytest.approx([x0, x1], abs=1)
    assert [rows.min() / scale, rows.max() / scale] == pytest.approx([y0, y1], abs=1)
    # Beside it the box takes 20 of 44 pixels, with 12 on either side.
    for colour in (PREDICTION_COLOUR, BOX_COLOUR):
        rows, columns = np.nonzero((picture[:, width:] == colour).all(axis=-1))
        extent = [columns.min(), columns.max(), rows.min(), rows.max()]
        assert extent == pytest.approx([HEIGHT * edge / 44 for edge in (12, 32, 12, 32)], abs=8)
    # The upper right part of the L's square is outside the outline.
    corner = picture[round(HEIGHT * 15 / 44), width + round(HEIGHT * 28 / 44)]
    inside = picture[round(HEIGHT * 15 / 44), width + round(HEIGHT * 15 / 44)]
    assert corner.max() < inside.min()
