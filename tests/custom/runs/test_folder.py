"""The run folder: which one a training gets, what is refused, and where an evaluation is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from custom.errors import InputError
from custom.files import LOCK, held
from custom.runs.folder import (
    LAST,
    check_model,
    epochs_done,
    evaluation_folder,
    open_run,
    own_settings,
    read_inference,
    run_folder,
)

BEGUN = ("training.json", "inference.json", "events.out.tfevents.1.host", ".last.pt.part", LOCK)


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("")
    return folder


def test_a_new_run_has_its_name_or_that_of_time_and_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_folder(str(tmp_path), "mine", "unet", "") == str(tmp_path / "mine")
    monkeypatch.setattr("time.strftime", lambda _: "20260102_030405")
    named = [tmp_path / f"20260102_030405_unet{ending}" for ending in ("", "_2", "_3")]
    for folder in named:
        assert run_folder(str(tmp_path), "", "unet", "") == str(folder)
        assert not folder.exists()
        folder.mkdir()
    monkeypatch.chdir(tmp_path)
    assert run_folder("runs", "mine", "unet", "") == str(tmp_path / "runs" / "mine")


def test_a_run_that_has_begun_but_saved_nothing_is_begun_anew(tmp_path: Path) -> None:
    fill(tmp_path / "mine", *BEGUN)
    assert run_folder(str(tmp_path), "mine", "unet", "") == str(tmp_path / "mine")


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("model.pt", LAST), "or go on with it by --resume "),
        (("model.pt",), "or remove that folder, which has no last.pt to go on from"),
        (("notes.txt",), "or remove that folder"),
    ],
)
def test_no_run_is_overwritten(tmp_path: Path, names: tuple[str, ...], hint: str) -> None:
    folder = fill(tmp_path / "mine", *BEGUN, *names)
    with pytest.raises(InputError, match="never overwritten") as caught:
        run_folder(str(tmp_path), "mine", "unet", "")
    assert str(caught.value).startswith(f"{folder}: ")
    assert hint in str(caught.value)


def test_a_file_of_the_name_is_no_new_run(tmp_path: Path) -> None:
    fill(tmp_path, "mine")
    with pytest.raises(InputError, match="never overwritten"):
        run_folder(str(tmp_path), "mine", "unet", "")


def test_what_is_resumed_must_have_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine: no checkpoint last\.pt found"):
        run_folder("runs", "other", "unet", str(tmp_path / "mine"))
    fill(tmp_path / "mine", LAST)
    assert run_folder("runs", "other", "unet", str(tmp_path / "mine")) == str(tmp_path / "mine")


@pytest.mark.parametrize(("number", "world"), [(2, 1), (1, 2)])
def test_another_number_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, world: int) -> None:
    monkeypatch.setattr("ignite.distributed.get_world_size", lambda: world)
    with pytest.raises(InputError, match=f"--processes: found {number}, expected the number that train, {world}"):
        open_run(str(tmp_path / "mine"), "bundle", {"processes": number})
    assert not (tmp_path / "mine").exists()


def test_a_run_that_another_process_has_finished_meanwhile(tmp_path: Path) -> None:
    folder = fill(tmp_path / "mine", LAST)
    settings: dict[str, Any] = dict.fromkeys(("run_name", "resume", "amp", "channels_last", "compile", "threads"))
    with held(folder), pytest.raises(InputError, match="another process has trained in it meanwhile"):
        open_run(str(folder), "bundle", {"processes": 1, **settings})
    assert [file.name for file in folder.iterdir()] == [LAST]


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.pt: no such model; expected the weights of a training"):
        check_model(str(tmp_path / "model.pt"))
    check_model(str(fill(tmp_path, "model.pt") / "model.pt"))


def test_what_is_no_args_file_of_an_inference(tmp_path: Path) -> None:
    file = tmp_path / "inference.json"
    for content, fault in (
        ("{}", "config_file: field required; expected the args file of a training"),
        ('{"config_file": "gone.json"}', r"its config file gone\.json is gone; put it back"),
        ('{"config_file": []}', r"its config files \(none\) have no settings"),
    ):
        file.write_text(content)
        with pytest.raises(InputError, match=rf"inference\.json: {fault}"):
            read_inference(file)


def test_epochs_that_a_run_has_done(tmp_path: Path) -> None:
    assert epochs_done(tmp_path) == 0
    state: dict[str, Any] = {"network": {}, "optimizer": {}, "best": {"metric": 0.5, "epoch": 1}}
    for iteration, done in ((14, 2), (20, 2), (21, 3)):
        torch.save(state | {"trainer": {"iteration": iteration, "epoch_length": 7}}, tmp_path / LAST)
        assert epochs_done(tmp_path) == done


def test_settings_of_the_run_itself() -> None:
    given = {
        "epochs": 3,
        "dataset_dir": "/data",
        "num_workers": 2,
        "run_name": "a",
        "resume": "",
        "seed": 1,
        "amp": True,
    }
    assert own_settings(given) == {"seed": 1, "amp": True}


@pytest.mark.parametrize(
    ("part", "displacement", "head", "name"),
    [
        ("test", 0, 4, "inbreast_patient"),
        ("validation", 0, 4, "inbreast_patient_validation"),
        ("test", 0.2, 4, "inbreast_patient_displaced20"),
        ("training", 0.125, 2, "inbreast_patient_training_displaced12.5_head2"),
    ],
)
def test_an_evaluation_is_called_after_how_it_was_tested(
    tmp_path: Path, part: str, displacement: float, head: int, name: str
) -> None:
    folder = evaluation_folder(str(tmp_path / "model.pt"), "inbreast", "patient", part, displacement, head)
    assert folder == str(tmp_path / "evaluation" / name)
