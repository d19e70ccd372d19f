"""The defaults of the settings of speed, and what puts them into effect."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from custom.runs import hardware


@pytest.fixture
def settings_kept() -> Iterator[None]:
    threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    yield
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = benchmark


@pytest.mark.parametrize(
    ("capability", "tiles", "bfloat16", "compiles"),
    [(None, False, False, False), (None, True, True, False), ((7, 5), True, False, True), ((9, 0), False, True, True)],
)
def test_defaults(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] | None, tiles: bool, bfloat16: bool, compiles: bool
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    assert (hardware.has_fast_bfloat16(), hardware.compiles_fast()) == (bfloat16, compiles)


def test_the_log_says_in_one_line_what_is_on(settings_kept: None, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        hardware.use_hardware(torch.device("cpu"), threads=1, amp=True)
    assert [record.message for record in caplog.records] == [
        "Computes on the CPU with 1 threads: amp on, channels_last off, compile off"
    ]
    assert torch.get_num_threads() == 1


def test_the_placed_network_keeps_the_names_of_its_weights():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.InstanceNorm2d(3, affine=True))
    names = list(network.state_dict())
    placed = hardware.place(network, torch.device("cpu"), channels_last=True, compile=True)
    assert placed is network
    assert list(placed.state_dict()) == names
    assert placed[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert placed._compiled_call_impl is not None
