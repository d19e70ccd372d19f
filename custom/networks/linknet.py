"""LinkNet on a ResNet-18."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks import UpSample
from torch import nn

from custom.networks.blocks import ResNet18Encoder, convolution, pad_to_multiple


class LinkNet(nn.Module):
    """LinkNet (Chaurasia and Culurciello 2017, doi 10.1109/VCIP.2017.8305148): a ResNet-18 whose stages are added to
    the decoder's.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the logits.
        features: Channels of the encoder's four stages; ResNet-18 has 64, 128, 256 and 512.
    """

    def __init__(
        self, in_channels: int = 1, out_channels: int = 1, features: Sequence[int] = (64, 128, 256, 512)
    ) -> None:
        super().__init__()
        first, second, third, fourth = features
        half = max(first // 2, 1)
        self.encoder = ResNet18Encoder(in_channels, features)
        self.decoder_4 = _decoder_block(fourth, third, stride=2)
        self.decoder_3 = _decoder_block(third, second, stride=2)
        self.decoder_2 = _decoder_block(second, first, stride=2)
        self.decoder_1 = _decoder_block(first, first, stride=1)
        self.head = nn.Sequential(
            convolution(first, half, strides=2, is_transposed=True),
            convolution(half, half),
            UpSample(2, half, out_channels, scale_factor=2, mode="deconv"),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `(B, K, H, W)` of the images `(B, C, H, W)`, of any size."""
        # A pixel at the deepest is 32 of the image; one image alone needs more than one there to be normalised.
        padded, top, left = pad_to_multiple(x, 32, at_least=64)
        stage_1, stage_2, stage_3, stage_4 = self.encoder(padded)
        decoded = self.decoder_4(stage_4) + stage_3
        decoded = self.decoder_3(decoded) + stage_2
        decoded = self.decoder_2(decoded) + stage_1
        logits = self.head(self.decoder_1(decoded))
        return logits[:, :, top : top + x.shape[2], left : left + x.shape[3]]


def _decoder_block(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """1x1 convolution to a quarter of the channels, 3x3 transposed convolution, 1x1 convolution."""
    quarter = max(in_channels // 4, 1)
    return nn.Sequential(
        convolution(in_channels, quarter, kernel_size=1),
        convolution(quarter, quarter, strides=stride, is_transposed=True),
        convolution(quarter, out_channels, kernel_size=1),
    )
