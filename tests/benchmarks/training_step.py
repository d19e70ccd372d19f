"""Training steps in a process of their own, so that the memory and threads of one way do not help the other."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch
from monai.bundle import ConfigParser

from custom.inferers import CropInferer
from custom.runs.hardware import place, use_hardware

SIZE = (224, 224)


class Stepper:
    """Steps of the process behind `connection`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __call__(self) -> None:
        self.connection.send("step")
        self.connection.recv()


@contextmanager
def steps(config_files: list[str], device: str, batch_size: int, **settings: Any) -> Iterator[Stepper]:
    """A process that trains the config's network on noise of `SIZE`, one step at each call.

    Args:
        config_files: of the training.
        device: that computes.
        batch_size: of a step.
        **settings: those of `custom.runs.hardware.use_hardware`; none to leave PyTorch as it is.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, config_files, device, batch_size, settings))
    process.start()
    try:
        yield Stepper(here)
    finally:
        here.send("end")
        process.join()


def _serve(
    connection: Connection, config_files: list[str], device: str, batch_size: int, settings: dict[str, Any]
) -> None:
    sys.argv = ["steps"]
    config = ConfigParser()
    config.read_config(config_files)
    torch.manual_seed(0)
    network, where = config.get_parsed_content("network_def"), torch.device(device)
    infer = CropInferer(settings.get("amp", False))
    if settings:
        use_hardware(where, torch.get_num_threads(), **settings)
        place(network, where, settings.get("channels_last", False), settings.get("compile", False))
    network.to(where).train()
    loss = config.get_parsed_content("loss")
    optimizer = torch.optim.Adam(network.parameters(), config["learning_rate"])
    image, label = torch.rand(batch_size, 1, *SIZE, device=where), torch.rand(batch_size, 1, *SIZE, device=where) > 0.5
    while connection.recv() == "step":
        optimizer.zero_grad()
        loss(infer(image, network), label.float()).backward()
        optimizer.step()
        if where.type == "cuda":
            torch.cuda.synchronize()
        connection.send("done")
