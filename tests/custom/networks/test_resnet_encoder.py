from __future__ import annotations

import torch

from custom.networks.resnet_encoder import ResNet18Encoder


@torch.no_grad()
def test_stages():
    images = torch.rand(1, 1, 64, 96)
    stages = ResNet18Encoder(1, (4, 8, 16, 24)).eval()(images)
    assert [tuple(stage.shape) for stage in stages] == [(1, 4, 16, 24), (1, 8, 8, 12), (1, 16, 4, 6), (1, 24, 2, 3)]


@torch.no_grad()
def test_dilation_keeps_the_resolution_and_the_weights():
    plain, dilated = (ResNet18Encoder(1, (4, 8, 16, 24), dilated).eval() for dilated in (False, True))
    dilated.load_state_dict(plain.state_dict())
    images = torch.rand(1, 1, 64, 96)
    expected, stages = plain(images), dilated(images)
    assert [tuple(stage.shape) for stage in stages[2:]] == [(1, 16, 8, 12), (1, 24, 8, 12)]
    for index in (0, 1):
        torch.testing.assert_close(stages[index], expected[index], rtol=0, atol=0)


def test_the_last_stages_reach_by_two_and_four_pixels():
    """One pixel in the middle, through a stage of ones: the first convolution reaches once its dilation, and so on."""
    encoder = ResNet18Encoder(1, (1, 1, 1, 1), dilated=True).eval()
    for stage, dilation in ((encoder.layer3, 2), (encoder.layer4, 4)):
        for weight in stage.parameters():
            torch.nn.init.ones_(weight)
        pixel = torch.zeros(1, 1, 65, 65)
        pixel[..., 32, 32] = 1
        (rows,) = torch.nonzero((stage(pixel) - stage(pixel * 0))[0, 0, :, 32], as_tuple=True)
        assert rows.tolist() == list(range(32 - 4 * dilation, 32 + 4 * dilation + 1, dilation))
