"""The eight ways to turn and mirror a crop."""

from __future__ import annotations

import torch

from custom.inferers import VIEWS, turned, turned_back


def test_eight_different_views_that_can_be_put_back():
    crop = torch.arange(12.0).reshape(1, 3, 4)
    views = [turned(crop, view) for view in VIEWS]
    assert len({(view.shape, tuple(view.flatten().tolist())) for view in views}) == 8
    assert torch.equal(views[0], crop)
    for view, one in zip(VIEWS, views, strict=True):
        assert torch.equal(turned_back(one, view), crop)
