from __future__ import annotations

import numpy as np
import pytest

from custom.findings.quality import REASONS, Quality, agreement_of, assess

WINDOW = (10, 20, 50, 70)
BOX = (20.0, 30.0, 30.0, 40.0)
BREAST = np.ones((100, 100), dtype=bool)


def assessed(*pieces: tuple[int, int, int, int], value: float = 0.9, agreement: float = 1.0, threshold: float = 0.5):
    mask = np.zeros((100, 100), dtype=bool)
    for x0, y0, x1, y1 in pieces:
        mask[x0:x1, y0:y1] = True
    return assess(mask, np.where(mask, value, 0.1), WINDOW, threshold, agreement, BOX, BREAST)


@pytest.mark.parametrize(
    ("piece", "pixels"),
    [
        ((10, 30, 20, 35), 5),
        ((49, 30, 50, 32), 2),
        ((20, 20, 23, 30), 3),
        ((20, 60, 24, 70), 4),
        ((11, 21, 49, 69), 0),
        ((10, 20, 50, 70), 2 * 40 + 2 * 48),
    ],
)
def test_the_border_of_the_crop(piece: tuple[int, int, int, int], pixels: int):
    quality = assessed(piece)
    assert quality.border_pixels == pixels
    assert ("touches_border" in quality.flags) == (pixels > 0)


def test_the_edge_of_the_mammogram_is_no_border_of_the_crop():
    mask = np.zeros((30, 30), dtype=bool)
    mask[0:5, 25:30] = True
    assert assess(mask, mask * 0.9, (-5, 10, 25, 40), 0.5, 1.0, (0, 25, 5, 30), np.ones_like(mask)).flags == ()


def test_pieces_that_touch_at_a_corner_are_one():
    assert assessed((20, 30, 22, 32), (22, 32, 24, 34)).pieces == 1
    quality = assessed((20, 30, 22, 32), (23, 32, 24, 34))
    assert (quality.pieces, quality.flags) == (2, ("several_pieces",))


@pytest.mark.parametrize(
    ("value", "threshold", "low"), [(0.76, 0.5, False), (0.74, 0.5, True), (0.89, 0.8, True), (0.91, 0.8, False)]
)
def test_confidence_lies_between_the_threshold_and_1(value: float, threshold: float, low: bool):
    quality = assessed((20, 30, 30, 40), value=value, threshold=threshold)
    assert quality.confidence == pytest.approx(value)
    assert quality.flags == (("low_confidence",) if low else ())


def test_an_empty_mask_is_empty_and_nothing_else():
    quality = assessed()
    assert (quality.flags, quality.confidence, quality.pieces) == (("empty",), None, 0)


@pytest.mark.parametrize(("agreement", "flags"), [(0.81, ()), (0.79, ("disagreement",))])
def test_disagreement(agreement: float, flags: tuple[str, ...]):
    assert assessed((20, 30, 30, 40), agreement=agreement).flags == flags


@pytest.mark.parametrize(
    ("box", "inside", "flags"),
    [
        ((35, 10, 45, 20), 0.5, ()),
        ((36, 10, 46, 20), 0.4, ("outside_breast",)),
        ((35.6, 10, 44.4, 20), 0.5, ()),  # Of a pixel that the box only touches, all counts.
        ((0, 0, 40, 50), 1, ()),
        ((0, 0, 40, 50.5), 1, ("unusual_size",)),
        ((5, 5, 6, 5.9), 1, ()),
        ((5, 5, 6, 5.7), 1, ("unusual_size",)),
        ((0, 0, 100, 100), 0.4, ("outside_breast", "unusual_size")),
    ],
)
def test_the_box_and_the_breast(box: tuple[float, float, float, float], inside: float, flags: tuple[str, ...]):
    """The breast has 4000 pixels, of which a mass takes 1/5000 to half."""
    mask, breast = np.zeros((2, 100, 100), dtype=bool)
    mask[20:22, 30:32] = True
    breast[:40] = True
    quality = assess(mask, mask * 0.9, WINDOW, 0.5, 1.0, box, breast)
    assert quality.flags == flags
    assert quality.box_in_breast == pytest.approx(inside)
    assert quality.box_of_breast == pytest.approx((box[2] - box[0]) * (box[3] - box[1]) / 4000)


def outline(*pixels: tuple[int, int]) -> np.ndarray:
    marked = np.zeros((8, 8), dtype=bool)
    for pixel in pixels:
        marked[pixel] = True
    return marked


def test_agreement_is_the_mean_dice_with_the_first_outline():
    plain = outline((0, 0), (0, 1))
    # Dice with two pixels: 1, 2 * 1 / 3, 2 * 1 / 4 and 0.
    others = [plain, outline((0, 1)), outline((0, 1), (5, 5)), outline()]
    assert agreement_of([plain, *others]) == pytest.approx((1 + 2 / 3 + 1 / 2 + 0) / 4)


def test_nothing_agrees_with_nothing():
    assert agreement_of([outline()] * 8) == 1
    assert agreement_of([outline(), *[outline((0, 0))] * 7]) == 0


def test_each_flag_is_a_sentence_in_a_report():
    sentences = Quality(tuple(REASONS), 0, 1, 0.9, 1.0, 1.0, 0.1).reasons
    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == 7
