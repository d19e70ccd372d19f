"""PSPNet on a ResNet-18."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from custom.networks.blocks import ResNet18Encoder, convolution, pad_to_multiple

POOL_SIZES = (1, 2, 3, 6)


class PSPNet(nn.Module):
    """Pyramid scene parsing network (Zhao 2017, doi 10.1109/CVPR.2017.660) with a ResNet-18 in place of a ResNet-50.

    The last two stages of the encoder are dilated. Its output is averaged over 1x1, 2x2, 3x3 and 6x6 regions, each
    average passes a 1x1 convolution to a quarter of the channels (their number shared among the four), and all are
    joined with the output itself. The head is a 3x3 convolution to a quarter of the channels (2048 to 512 in the
    paper), dropout, and a 1x1 convolution. The auxiliary loss of the paper, which a deeper encoder needs, is left out.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the logits.
        features: Channels of the encoder's four stages; ResNet-18 has 64, 128, 256 and 512.
        dropout: Probability of dropout before the last convolution.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        features: Sequence[int] = (64, 128, 256, 512),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = ResNet18Encoder(in_channels, features, dilated=True)
        deep = features[-1]
        quarter = max(deep // 4, 1)
        self.pyramid = nn.ModuleList(PooledBranch(deep, quarter, size) for size in POOL_SIZES)
        self.head = nn.Sequential(
            convolution(deep + len(POOL_SIZES) * quarter, quarter),
            nn.Dropout2d(dropout),
            nn.Conv2d(quarter, out_channels, kernel_size=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `(B, K, H, W)` of the images `(B, C, H, W)`, of any size."""
        # A pixel of the dilated encoder's output is eight of the image.
        padded, top, left = pad_to_multiple(x, 8)
        deep = self.encoder(padded)[3]
        joined = torch.cat([deep] + [branch(deep) for branch in self.pyramid], dim=1)
        logits = functional.interpolate(self.head(joined), padded.shape[2:], mode="bilinear", align_corners=False)
        return logits[:, :, top : top + x.shape[2], left : left + x.shape[3]]


class PooledBranch(nn.Module):
    """One level of the pyramid: averages over `size` x `size` regions, brought back to the size of the input.

    The average over the whole image is not normalised: with one image in a batch it is one value per channel, which has
    no variance.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(size)
        norm = "batch" if size > 1 else None
        self.conv = convolution(in_channels, out_channels, kernel_size=1, norm=norm, bias=norm is None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`(B, C, H, W)` to `(B, out_channels, H, W)`."""
        return functional.interpolate(self.conv(self.pool(x)), x.shape[2:], mode="bilinear", align_corners=False)
