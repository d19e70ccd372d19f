from __future__ import annotations

import pytest

from custom.handlers import shown_epochs


@pytest.mark.parametrize(
    ("epochs", "val_interval", "shown"),
    [
        (1, 1, {1}),
        (13, 1, {1, 6, 11, 13}),
        (15, 2, {2, 6, 12, 14}),
        (17, 5, {5, 10, 15}),
        (20, 8, {8, 16}),
    ],
)
def test_the_first_about_every_fifth_and_the_last_validation(epochs: int, val_interval: int, shown: set[int]):
    assert shown_epochs(epochs, val_interval) == shown
