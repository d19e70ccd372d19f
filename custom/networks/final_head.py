"""One tensor out of UNet++, which has one head per depth, by no more of the network than that head needs."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.nets import BasicUNetPlusPlus
from torch import fx, nn

from custom.errors import InputError

_HEAD = "final_conv_0_"


def final_head(output: torch.Tensor | list[torch.Tensor]) -> torch.Tensor:
    """The deepest output: the last of a list of heads from shallow to deep, or the tensor itself."""
    return output[-1] if isinstance(output, (list, tuple)) else output


class FinalHead(nn.Module):
    """Prunes MONAI's `BasicUNetPlusPlus` to the parts that one of its heads needs, and returns that head.

    Losses, inferers, postprocessing, `verify_net_in_out` and the exports all expect one tensor. Head `d` lies at the
    end of a UNet++ of depth `d`, so that a network trained with deep supervision can be cut to a smaller and faster one
    (Zhou 2018, doi 10.1007/978-3-030-00889-5_1). What remains loads the weights of the whole network, strictly.

    Args:
        network: takes `(B, C, H, W)`; its four heads give logits `(B, K, H, W)`.
        deep_supervision: keep the heads before `head` as well, one 1x1 convolution each, and return all as a list, from
            shallow to deep, in training mode. Without it only `head` exists.
        head: 1 (shallowest) to 4.
    """

    def __init__(self, network: BasicUNetPlusPlus, deep_supervision: bool = False, head: int = 4) -> None:
        super().__init__()
        self.deep_supervision = deep_supervision
        self.heads = list(range(1, head + 1)) if deep_supervision else [head]
        self.network = _prune(network, self.heads)
        kept = {name for name, _ in self.network.named_children()}
        self.pruned = {name for name, _ in network.named_children()} - kept
        self.register_load_state_dict_pre_hook(_drop_pruned)

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        heads = self.network(x)
        if self.training and self.deep_supervision and not torch.jit.is_scripting():
            return heads
        return heads[-1]


class _Parts(fx.Tracer):
    """Follows a network down to its direct parts, and not into them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _prune(network: BasicUNetPlusPlus, heads: list[int]) -> fx.GraphModule:
    """The same parts under the same names, joined as MONAI joins them, but only those on the way to `heads`."""
    network.deep_supervision = True  # its forward then lists every head
    pruned = fx.GraphModule(network, _Parts().trace(network), type(network).__name__)
    for node in pruned.graph.find_nodes(op="placeholder"):
        node.type = None  # TorchScript does not know the name under which it would be written
    output = pruned.graph.output_node()
    every: Any = output.args[0]
    output.args = ([every[head - 1] for head in heads],)
    pruned.graph.eliminate_dead_code()
    pruned.delete_all_unused_submodules()
    pruned.recompile()
    return pruned


def _drop_pruned(module: FinalHead, state_dict: dict[str, Any], prefix: str, *_: object) -> None:
    """Take the weights of pruned parts out of those to load.

    Raises:
        InputError: the weights have other heads than the network.
    """
    names = f"{prefix}network."
    parts = {key: key.removeprefix(names).split(".")[0] for key in state_dict if key.startswith(names)}
    there = sorted(int(part.removeprefix(_HEAD)) for part in set(parts.values()) if part.startswith(_HEAD))
    if there and not set(module.heads) <= set(there):
        raise InputError(_other_heads(module.heads, there))
    for key, part in parts.items():
        if part in module.pruned:
            del state_dict[key]


def _other_heads(wanted: list[int], there: list[int]) -> str:
    flags = f"--head {wanted[-1]} --deep_supervision {len(wanted) > 1}"
    if len(there) > 1:
        return f"{flags}: the model has the heads 1 to {there[-1]}; pass --head {there[-1]} or less"
    return (
        f"{flags}: the model was trained without deep supervision and has head {there[0]} alone; "
        f"pass --head {there[0]} --deep_supervision False, or a model that was trained with --deep_supervision True"
    )
