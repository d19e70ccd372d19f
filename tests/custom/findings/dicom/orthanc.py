"""A PACS for the tests: an Orthanc of its own on two free ports, that answers this machine alone."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

_START_S = 30


@dataclass(frozen=True)
class Orthanc:
    """Where it listens."""

    dicom_port: int
    http_port: int

    def get(self, path: str) -> bytes:
        """What its REST API answers."""
        return self._ask(path)

    def find(self, sop_instance_uid: str) -> str:
        """Its own name of an instance."""
        (name,) = json.loads(self._ask("/tools/lookup", sop_instance_uid.encode()))
        return name["ID"]

    def _ask(self, path: str, data: bytes | None = None) -> bytes:
        # Not by way of a proxy that the environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.http_port}{path}", data, timeout=10) as answer:
            return answer.read()


@contextmanager
def start_orthanc(folder: Path) -> Iterator[Orthanc]:
    """Start one that keeps its files in `folder`, and end it; skips the test where it is not installed."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None:
        pytest.skip("Orthanc not installed: apt-get install orthanc")
    orthanc = Orthanc(_free_port(), _free_port())
    configuration: dict[str, Any] = {
        "Name": "tests",
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "Plugins": [],
        "HttpPort": orthanc.http_port,
        "DicomPort": orthanc.dicom_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        _wait(orthanc, process, folder / "log")
        yield orthanc
    finally:
        process.kill()  # It would take three seconds to end, and its archive goes anyway.
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait(orthanc: Orthanc, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            orthanc.get("/system")
            return
        except (URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"Orthanc does not answer:\n{log.read_text(errors='replace')}")
