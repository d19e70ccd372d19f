"""The encoder that PSPNet and LinkNet share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets.resnet import ResNet
from torch import nn


class ResNet18Encoder(ResNet):
    """The four stages of a 2-D ResNet-18 (He 2016, doi 10.1109/CVPR.2016.90), without its classifier.

    Args:
        in_channels: of the image.
        features: of the four stages; ResNet-18 has 64, 128, 256 and 512.
        dilated: the last two stages keep the resolution of the second; their convolutions reach as far by dilation.
    """

    def __init__(self, in_channels: int, features: Sequence[int], dilated: bool = False) -> None:
        super().__init__(
            block="basic",
            layers=[2, 2, 2, 2],
            block_inplanes=list(features),
            spatial_dims=2,
            n_input_channels=in_channels,
            conv1_t_stride=2,
            feed_forward=False,
            bias_downsample=False,
        )
        if dilated:
            _dilate(self.layer3, 2)
            _dilate(self.layer4, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """The stages of `(B, C, H, W)` at 1/4, 1/8, 1/16 and 1/32 of the size; the last two at 1/8 if dilated."""
        stage_1 = self.layer1(self.maxpool(self.act(self.bn1(self.conv1(x)))))
        stage_2 = self.layer2(stage_1)
        stage_3 = self.layer3(stage_2)
        return stage_1, stage_2, stage_3, self.layer4(stage_3)


def _dilate(stage: nn.Module, dilation: int) -> None:
    """Turn the stage's stride into dilation. MONAI's `ResNet` has no argument for it."""
    for part in stage.modules():
        if isinstance(part, nn.Conv2d):
            part.stride = (1, 1)
            if part.kernel_size == (3, 3):
                part.dilation = part.padding = (dilation, dilation)
