from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from monai.bundle import ConfigParser

from custom.findings.overlay import PREDICTION_COLOUR, TRUTH_COLOUR
from custom.handlers import LesionOutlines
from tests.helpers import TRAIN


@pytest.mark.parametrize("square", [True, False])
def test_a_prediction_is_shown_where_the_lesion_is(dataset: Path, square: bool):
    parser = ConfigParser()
    parser.read_config(TRAIN)
    parser.update({"dataset_dir": str(dataset), "cache_dir": None, "square": square})
    item = parser.get_parsed_content("validate#dataset")[0]
    entries, preprocessing = (parser.get_parsed_content(f"validate#{name}") for name in ("entries", "preprocessing"))
    outlines = LesionOutlines(None, entries, preprocessing, threshold=0.5, epochs={1})
    # As the inferer gives them, without metadata.
    result = item | {"pred": item["label"], "logits": 20 * item["label"].as_tensor() - 10}
    picture = outlines.draw(item, result)
    frame, crop = picture[:, :-512], picture[:, -512:]

    mask = cv2.imread(entries[0]["label"], cv2.IMREAD_UNCHANGED)
    assert frame.shape[:2] == (512, round(512 * mask.shape[1] / mask.shape[0]))
    rows, columns = np.nonzero((frame == PREDICTION_COLOUR).all(-1))
    lesion = np.nonzero(cv2.resize(mask, frame.shape[1::-1]) > 127)
    for found, expected in zip((rows, columns), lesion, strict=True):
        # Within a pixel of the mammogram, which is some five of the picture.
        assert (found.min(), found.max()) == pytest.approx((expected.min(), expected.max()), abs=6)

    # The prediction covers the truth, of which nothing differs; the lesion fills the crop but for the margin.
    assert not (crop == TRUTH_COLOUR).all(-1).any()
    rows, columns = np.nonzero((crop == PREDICTION_COLOUR).all(-1))
    assert max(np.ptp(rows), np.ptp(columns)) == pytest.approx(512 / 1.4, abs=12)
