"""What processes agree on, with a store in the place of torchrun's and one process that plays both."""

from __future__ import annotations

from itertools import count
from threading import Thread

import pytest
from torch.distributed import HashStore

from custom.errors import InputError
from custom.runs import processes


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> HashStore:
    store = HashStore()
    monkeypatch.setattr(processes, "_store", store)
    return store


def become(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: rank)
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr(processes, "_steps", map(str, count()))


def test_the_others_return_what_the_first_has_found(store: HashStore, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count(1)
    number, nothing = processes.once(lambda: [next(calls)]), processes.once(lambda: None)
    for rank in (0, 1):
        become(monkeypatch, rank)
        assert (number(), nothing(), number()) == ([1], None, [2])


def test_a_process_alone_waits_for_nobody() -> None:
    processes.wait_for_all()
    assert processes.once(lambda text: text)("a") == "a"


def test_all_wait_for_the_last(store: HashStore, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, 0)
    first = Thread(target=processes.wait_for_all, daemon=True)
    first.start()
    first.join(0.2)
    assert first.is_alive()
    become(monkeypatch, 1)
    processes.wait_for_all()
    first.join(10)
    assert not first.is_alive()


def test_one_process_tells_the_error(
    store: HashStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for rank in (1, 0):
        become(monkeypatch, rank)
        processes._tell_once("Error: a.dcm: broken")
    assert capsys.readouterr().err == "Error: a.dcm: broken\n"


def test_more_processes_than_gpus(store: HashStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.distributed.is_torchelastic_launched", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr(processes, "rendezvous", lambda *_, **__: iter([(store, 0, 2)]))
    monkeypatch.setattr(processes, "report_input_errors", lambda tell: None)
    for name, value in (("TORCHELASTIC_RESTART_COUNT", "0"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="--nproc_per_node: found 2, expected at most the 1 GPUs; start fewer"):
        processes.start_processes()
