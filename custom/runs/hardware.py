"""The settings of speed: their defaults on this machine, and what puts them into effect."""

from __future__ import annotations

import ctypes
import logging
import platform

import torch
from torch import nn

from custom.networks.blocks import group_instance_norms

logger = logging.getLogger(__name__)

# Of mallopt in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def has_fast_bfloat16() -> bool:
    """Return whether a network computes faster in bfloat16 than in float32: on GPUs since Ampere, on CPUs with AMX.

    The bfloat16 products of AVX-512 alone (avx512_bf16) are no gain: they reach half the rate of float32.
    """
    if torch.cuda.is_available():
        return torch.cuda.get_device_capability() >= (8, 0)
    return torch.cpu._is_amx_tile_supported()


def compiles_fast() -> bool:
    """Return whether `torch.compile` pays: on GPUs since Volta. On a CPU it takes a minute and saves less than 10 %."""
    return torch.cuda.is_available() and torch.cuda.get_device_capability() >= (7, 0)


def use_hardware(
    device: torch.device, threads: int, amp: bool, channels_last: bool = False, compile: bool = False
) -> None:
    """Make this process compute as the settings say, and write to the log which are on.

    Call it after `set_determinism`: cuDNN then looks for the fastest among its deterministic algorithms.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = True
    if device.type == "cpu":
        _keep_freed_memory()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"the CPU with {threads} threads"
    on_off = {"amp": amp, "channels_last": channels_last, "compile": compile}
    states = ", ".join(f"{setting} {'on' if on else 'off'}" for setting, on in on_off.items())
    logger.info(f"Computes on {name}: {states}")


def place(network: nn.Module, device: torch.device, channels_last: bool = False, compile: bool = False) -> nn.Module:
    """Return `network` itself on `device`, with faster parts; its state dict keeps its names, even if compiled."""
    group_instance_norms(network)
    network.to(device)
    if channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if compile:
        network.compile()
    return network


def _keep_freed_memory() -> None:
    """Let glibc keep the memory of large tensors, which it gives back otherwise, to get it anew page by page."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
