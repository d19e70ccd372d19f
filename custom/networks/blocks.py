"""Parts that several networks share, and what is known of a network from its parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from monai.networks.blocks import Convolution
from monai.networks.nets.resnet import ResNet
from torch import nn
from torch.nn import functional

# A convolution, 3x3 unless a call says otherwise, with batch normalisation and ReLU.
convolution = partial(Convolution, 2, act="relu", norm="batch", bias=False)


class ResNet18Encoder(ResNet):
    """The four stages of a 2-D ResNet-18 (He 2016, doi 10.1109/CVPR.2016.90), without its classifier.

    Args:
        in_channels: Channels of the image.
        features: Channels of the four stages; ResNet-18 has 64, 128, 256 and 512.
        dilated: Keep the resolution of the second stage in the last two, and reach as far by dilated convolutions.
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


def pad_to_multiple(x: torch.Tensor, multiple: int, at_least: int = 0) -> tuple[torch.Tensor, int, int]:
    """Pad `(B, C, H, W)` on all four sides with its edge pixels.

    Args:
        x: Images `(B, C, H, W)`.
        multiple: Number that both sides become a multiple of.
        at_least: Smallest side, itself a multiple.

    Returns:
        The padded images, and the number of rows and of columns that were added before the first.
    """
    rows = max(-(-x.shape[2] // multiple) * multiple, at_least) - x.shape[2]
    columns = max(-(-x.shape[3] // multiple) * multiple, at_least) - x.shape[3]
    top, left = rows // 2, columns // 2
    return functional.pad(x, [left, columns - left, top, rows - top], mode="replicate"), top, left


class GroupedInstanceNorm(nn.InstanceNorm2d):
    """`InstanceNorm2d` as group normalisation with one channel in a group: the same numbers and weights.

    PyTorch's own copies the images of a batch into the channels of one, and back; where the channels lie side by side
    (channels-last), each time into another layout.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, C, H, W)`, normalised image by image and channel by channel."""
        return functional.group_norm(x, self.num_features, self.weight, self.bias, self.eps)


def group_instance_norms(network: nn.Module) -> None:
    """Make every `InstanceNorm2d` in `network` a `GroupedInstanceNorm`, unless it keeps running statistics."""
    for module in network.modules():
        if type(module) is nn.InstanceNorm2d and not module.track_running_stats:
            module.__class__ = GroupedInstanceNorm


def in_channels(network: nn.Module) -> int:
    """Return the channels of the image that a convolutional network takes: those of its first weights."""
    return next(network.parameters()).shape[1]
