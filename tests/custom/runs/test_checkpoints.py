from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from custom.errors import InputError
from custom.runs.checkpoints import load_weights, read_checkpoint
from custom.runs.folder import epochs_done


class Attack:
    """Makes a file when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return Path.touch, (self.proof,)


@pytest.mark.promise("No code of a checkpoint is run")
def test_no_code_of_a_checkpoint_is_run(tmp_path: Path) -> None:
    model, proof = tmp_path / "model.pt", tmp_path / "proof"
    torch.save({"weight": Attack(proof)}, model)
    with pytest.raises(InputError, match=r"model\.pt: not a readable model"):
        read_checkpoint(model)
    model.write_bytes(pickle.dumps(Attack(proof)))
    with pytest.raises(InputError, match=r"model\.pt: not a readable model"):
        read_checkpoint(model)
    assert not proof.exists()


@pytest.mark.promise("A checkpoint that would unpack to more than the file holds is refused")
def test_a_checkpoint_that_inflates_is_refused(tmp_path: Path) -> None:
    small, bomb = tmp_path / "small.pt", tmp_path / "last.pt"
    torch.save({"weight": torch.zeros(1_000_000)}, small)
    with zipfile.ZipFile(small) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            target.writestr(part, source.read(part))
    assert bomb.stat().st_size < 50_000
    with pytest.raises(InputError, match=r"last\.pt: .*longer than the file"):
        read_checkpoint(bomb)


@pytest.mark.promise("A checkpoint of another network is refused, with what does not fit")
def test_a_checkpoint_of_another_network_and_one_of_nothing(tmp_path: Path) -> None:
    file = tmp_path / "last.pt"
    with pytest.raises(InputError, match="of 2 expected 2 are missing and 0 have another size, and 1 others"):
        load_weights(torch.nn.Linear(2, 3), {"other": torch.zeros(1)}, file, "unetpp")
    with pytest.raises(InputError, match="of 2 expected 0 are missing and 2 have another size, and 0 others"):
        load_weights(torch.nn.Linear(2, 3), torch.nn.Linear(3, 4).state_dict(), file, "unetpp")
    torch.save({"network": {}, "optimizer": {}, "trainer": {"iteration": 4, "epoch_length": 0}}, file)
    with pytest.raises(InputError, match=r"last\.pt: trainer\.epoch_length: input should be greater than 0"):
        epochs_done(tmp_path)
