from __future__ import annotations

import numpy as np

from custom.findings.overlay import BOX_COLOUR, PREDICTION_COLOUR, TRUTH_COLOUR, draw_in_frame, draw_outlines


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
