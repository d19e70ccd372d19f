from __future__ import annotations

import numpy as np

from custom.outlines import PREDICTION_COLOUR, TRUTH_COLOUR, draw_outlines


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
