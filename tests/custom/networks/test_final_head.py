from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.networks.nets import BasicUNetPlusPlus
from torch.utils.flop_counter import FlopCounterMode

from custom.errors import InputError
from custom.networks import FinalHead, final_head
from tests.helpers import TRAIN

HEADS = (1, 2, 3, 4)


def nested(**kinds: Any) -> BasicUNetPlusPlus:
    return BasicUNetPlusPlus(spatial_dims=2, out_channels=1, features=(4, 4, 8, 8, 16, 4), **kinds)


def parts_of(network: FinalHead) -> set[str]:
    return {name for name, _ in network.network.named_children()}


def weights(deep_supervision: bool = True, head: int = 4) -> dict[str, torch.Tensor]:
    return FinalHead(nested(), deep_supervision, head).state_dict()


@pytest.mark.parametrize("size", [(32, 32), (37, 50)])
@pytest.mark.parametrize("head", HEADS)
@torch.no_grad()
def test_every_head_is_that_of_monai(head: int, size: tuple[int, int]):
    whole, images = nested(deep_supervision=True).eval(), torch.rand(2, 1, *size)
    expected = whole(images)
    state = {f"network.{name}": value for name, value in whole.state_dict().items()}
    for deep_supervision in (False, True):
        network = FinalHead(nested(), deep_supervision, head)
        network.load_state_dict(state, strict=True)
        torch.testing.assert_close(network.eval()(images), expected[head - 1])
        trained = network.train()(images)
        torch.testing.assert_close(trained, expected[:head] if deep_supervision else expected[head - 1])
        torch.testing.assert_close(final_head(trained), expected[head - 1])


@pytest.mark.parametrize("head", HEADS)
def test_only_the_nodes_before_the_head_are_there(head: int):
    nodes = {f"upcat_{row}_{depth - row}" for depth in range(1, head + 1) for row in range(depth)}
    expected = nodes | {f"conv_{row}_0" for row in range(head + 1)}
    assert parts_of(FinalHead(nested(), False, head)) == expected | {f"final_conv_0_{head}"}
    assert parts_of(FinalHead(nested(), True, head)) == expected | {f"final_conv_0_{h}" for h in HEADS[:head]}


@pytest.mark.parametrize("head", HEADS)
def test_only_what_is_there_is_computed(head: int):
    pruned, whole = FinalHead(nested(), head=head).eval(), nested(deep_supervision=True)
    images = torch.rand(1, 1, 64, 64)
    with FlopCounterMode(display=False) as counted:
        pruned(images)
    with FlopCounterMode(display=False) as of_parts:
        whole(images)
    operations = {name: sum(count.values()) for name, count in of_parts.get_flop_counts().items()}
    needed = [operations[f"BasicUNetPlusPlus.{part}"] for part in parts_of(pruned)]
    assert counted.get_total_flops() == sum(needed)


@pytest.mark.parametrize("deep_supervision", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_the_weights_of_the_whole_network_and_its_own_are_loaded_strictly(head: int, deep_supervision: bool):
    network, whole = FinalHead(nested(), deep_supervision, head), weights()
    network.load_state_dict(whole, strict=True)
    assert len(whole) == len(weights())
    own = network.state_dict()
    assert own.keys() <= whole.keys()
    for name, value in own.items():
        torch.testing.assert_close(value, whole[name], rtol=0, atol=0)
    FinalHead(nested(), deep_supervision, head).load_state_dict(own, strict=True)


@pytest.mark.parametrize("name", ["unknown", "upcat_0_4.bias", "network.unknown", "network.upcat_0_4x.weight"])
def test_no_other_weight_is_dropped(name: str):
    with pytest.raises(RuntimeError, match=f'Unexpected key.*"{name}"'):
        FinalHead(nested(), head=2).load_state_dict(weights() | {name: torch.zeros(1)})


def test_a_weight_that_is_missing_is_missed():
    state = weights()
    del state["network.upcat_0_2.convs.conv_0.conv.weight"]
    with pytest.raises(RuntimeError, match="Missing key"):
        FinalHead(nested(), head=2).load_state_dict(state)


def test_heads_that_the_model_does_not_have():
    alone = "the model was trained without deep supervision and has head 4 alone"
    for deep_supervision, head in ((False, 2), (True, 4), (True, 2)):
        with pytest.raises(InputError, match=f"^--head {head} --deep_supervision {deep_supervision}: {alone}"):
            FinalHead(nested(), deep_supervision, head).load_state_dict(weights(deep_supervision=False))
    with pytest.raises(InputError, match="the model has the heads 1 to 2; pass --head 2 or less"):
        FinalHead(nested(), head=3).load_state_dict(weights(head=2))


@pytest.mark.parametrize(("head", "expected"), [(4, [0.125, 0.25, 0.5, 1.0]), (2, [0.5, 1.0]), (1, [1.0])])
def test_the_deepest_head_weighs_most(head: int, expected: list[float]):
    parser = ConfigParser()
    parser.read_config(TRAIN)
    parser.update({"deep_supervision": True, "head": head, "features": [4, 4, 8, 8, 16, 4]})
    network, loss = parser.get_parsed_content("network_def"), parser.get_parsed_content("train#loss")
    logits, truth = network(torch.rand(2, 1, 32, 32)), torch.ones(2, 1, 32, 32)
    # Dice without the square: 1 - (2 sum(p) + 1e-5) / (sum(p) + n + 1e-5) for a mask of n ones.
    shares = [output.sigmoid().sum((2, 3)) for output in logits]
    losses = [(1 - (2 * share + 1e-5) / (share + 1024 + 1e-5)).mean() for share in shares]
    weighted = sum(weight * value for weight, value in zip(expected, losses, strict=True))
    torch.testing.assert_close(loss(logits, truth), weighted)
