from __future__ import annotations

from math import inf, nan

import pytest

from scripts.report.numbers import number_columns, shown_numbers


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.1 + 0.2, 0.5], ["0.3", "0.5"]),
        ([0.89374, 1.0], ["0.894", "1.000"]),
        ([12.0, 3.0, nan], ["12", "3", ""]),
        ([0.25, inf, -inf], ["0.25", "∞", "-∞"]),
        ([-0.0001, 2.0], ["0", "2"]),
        ([nan], [""]),
        ([], []),
    ],
)
def test_numbers_have_the_decimals_that_their_column_needs(values: list[float], shown: list[str]):
    assert shown_numbers(values) == shown


def test_columns_of_numbers_are_told_from_words():
    rows = [
        ("UNet++", ".894 ± .003 (.880 to .904)", "reference", "", "paper: 92.9 %"),
        ("2D", "< .001", "-.011 (-.013 to -.008)", "", ""),
        ("PSPNet", "151,897", "+.000", "", "paper: 1"),
        ("LinkNet", "2.88 M", "-.013", "", ""),
    ]
    assert number_columns(rows) == [False, True, True, False, False]
    assert number_columns([]) == []
