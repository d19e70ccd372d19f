"""What every network of the configs keeps, in one class; a network's own class says only what is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser
from monai.networks import convert_to_torchscript

from scripts.common.prediction.engine import as_onnx
from tests.helpers import with_files

SMALL_FEATURES = [4, 4, 8, 8, 16, 4]
ODD = (37, 50)


class NetworkTester:
    """The tests of a network as the config files build it."""

    override: ClassVar[str] = ""
    switches: ClassVar[dict[str, Any]] = {}
    parameters: ClassVar[int]

    def config(self, **switches: Any) -> ConfigParser:
        parser = ConfigParser()
        parser.read_config(with_files(*([self.override] if self.override else [])))
        parser.update(self.switches | switches)
        torch.manual_seed(0)
        return parser

    def small(self) -> torch.nn.Module:
        return self.config(features=SMALL_FEATURES).get_parsed_content("network_def")

    @pytest.mark.parametrize("size", [(32, 32), (64, 96), ODD, (45, 33)])
    @torch.no_grad()
    def test_logits_have_the_size_of_the_image(self, size: tuple[int, int]):
        network, images = self.small().eval(), torch.rand(2, 1, *size)
        logits = network(images)
        assert logits.shape == images.shape
        # What the last convolution adds comes out as it is: nothing squeezes the logits.
        *_, bias = network.parameters()
        bias -= 5
        torch.testing.assert_close(network(images), logits - 5)

    def test_training_on_one_small_lesion_reaches_every_parameter(self):
        config = self.config(features=SMALL_FEATURES)
        network = config.get_parsed_content("network_def").train()
        loss = config.get_parsed_content("train#loss")(network(torch.rand(1, 1, 32, 32)), torch.ones(1, 1, 32, 32))
        loss.backward()
        without = [name for name, value in network.named_parameters() if value.grad is None]
        assert without == []
        assert all(value.grad.isfinite().all() for value in network.parameters())

    @torch.no_grad()
    def test_weights_are_saved_and_loaded_strictly(self, tmp_path: Path):
        saved, loaded = self.small(), self.small()
        for value in (*saved.parameters(), *saved.buffers()):
            value.copy_(torch.rand_like(value.float()))
        torch.save(saved.state_dict(), tmp_path / "model.pt")
        loaded.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True), strict=True)
        images = torch.rand(1, 1, *ODD)
        torch.testing.assert_close(loaded.eval()(images), saved.eval()(images), rtol=0, atol=0)

    @pytest.mark.slow
    @pytest.mark.parametrize("use_trace", [True, False])
    def test_torchscript(self, use_trace: bool):
        network, images = self.small(), torch.rand(1, 1, *ODD)
        exported = convert_to_torchscript(network, inputs=[images], use_trace=use_trace)
        torch.testing.assert_close(exported(images), network(images))

    @pytest.mark.slow
    def test_onnx(self):
        network, images = self.small().eval(), torch.rand(3, 1, *ODD)
        exported = as_onnx(network, ODD)
        (logits,) = onnxruntime.InferenceSession(exported.SerializeToString()).run(None, {"image": images.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), network(images), rtol=1e-4, atol=1e-5)

    def test_number_of_parameters(self):
        network = self.config().get_parsed_content("network_def")
        assert sum(value.numel() for value in network.parameters()) == self.parameters


# Two convolutions with their instance norms from i to o channels have two(i, o) = 9 o (i + o) + 6 o parameters, an
# upsampling from i to u channels has up(i, u) = 4 i u + u. The encoder: two(1, 32), two(32, 64), ..., two(256, 512).
ENCODER = 9_696, 55_680, 221_952, 886_272, 3_542_016
# up(f[i + 1], u) + two(j f[i] + u, f[i]) with u = f[i], but 64 in the first row, for i = 0, 1, ... in the columns j.
NESTED = ((53_504, 143_808, 574_336, 2_295_552), (62_720, 180_672, 721_792), (71_936, 217_536), (81_152,))
HEAD = 33


class TestUNetPlusPlus(NetworkTester):
    parameters = sum(ENCODER) + sum(map(sum, NESTED)) + HEAD


class TestDeepSupervision(NetworkTester):
    switches: ClassVar = {"deep_supervision": True}
    parameters = TestUNetPlusPlus.parameters + 3 * HEAD


class TestPrunedUNetPlusPlus(NetworkTester):
    switches: ClassVar = {"head": 2}
    parameters = sum(ENCODER[:3]) + sum(NESTED[0][:2]) + NESTED[1][0] + HEAD


class TestUNet(NetworkTester):
    override = "networks/unet"
    parameters = sum(ENCODER) + sum(NESTED[0]) + HEAD


# ResNet-18 has 11 689 512 parameters (torchvision's table of weights); without the 513 000 of its classifier and the
# 2 * 64 * 49 of two of its three input channels 11 170 240 are left.
RESNET_18 = 11_170_240


class TestPretrained(NetworkTester):
    override = "networks/pretrained"
    # EfficientNet-Lite0 has 4 652 008 parameters (Google's table), of which 1 281 000 are the classifier's, 2560 and
    # 320 * 1280 those of the convolution before it, and 2 * 288 of the first convolution see two colours. The decoder
    # has 9 weights for each pair of channels, and two for each norm.
    parameters = (
        4_652_008
        - 1_281_000
        - 2_560
        - 409_600
        - 576
        + sum(9 * o * (i + o) + 4 * o for i, o in ((320 + 112, 96), (96 + 40, 64), (64 + 24, 32), (32 + 16, 16)))
        + 9 * 16
        + 1
    )


class TestPSPNet(NetworkTester):
    override = "networks/pspnet"
    # Pyramid 512 * 128 + 128, and three times 512 * 128 + 2 * 128; head 9 * 1024 * 128 + 2 * 128 and 128 + 1.
    parameters = RESNET_18 + 65_664 + 3 * 65_792 + 1_179_904 + 129


class TestLinkNet(NetworkTester):
    override = "networks/linknet"
    # A decoder block from m to n channels has m q + 2 q + 9 q q + 2 q + q n + 2 n with q = m / 4: 246 784, 61 952,
    # 15 616 and 4 544. The head has 9 * 64 * 32 + 64, 9 * 32 * 32 + 64 and 4 * 32 + 1. The paper gives 11.5 million.
    parameters = RESNET_18 + 246_784 + 61_952 + 15_616 + 4_544 + 18_496 + 9_280 + 129
