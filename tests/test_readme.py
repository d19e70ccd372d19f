"""Every command of the documents runs, in the order in which a reader meets them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.phantoms import phantoms
from scripts.study.definition import read_study
from tests.helpers import ROOT, SMALL

pytestmark = pytest.mark.slow

# Where a command would take a reader's time, the test makes it small; it changes no name and no path.
SHORTER = {
    "make demo": 'make demo DEMO_FLAGS="--patients 5 --unseen_patients 2 --epochs 2"',
    "tensorboard": "timeout 6 tensorboard --port 0 {rest} || test $? = 124",
}


def commands(document: Path) -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def shorter(command: str, scheduler: str) -> str:
    if command in SHORTER:
        return SHORTER[command]
    if command.startswith("tensorboard"):
        return SHORTER["tensorboard"].format(rest=command.removeprefix("tensorboard"))
    if " run training " in command or " study filters " in command:
        small = {name: value for name, value in SMALL.items() if f"--{name} " not in command} | {"epochs": "1"}
        return " ".join([command, *(f'--{name} "{value}"' for name, value in small.items())])
    if re.search(" prepare (cbis_ddsm|inbreast) ", command):
        return f"{command} --scheduler {scheduler}"  # the demo starts clusters of its own
    return command


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the repository with the environment of this test as its `.venv`."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / "copy" / name)
    (tmp_path / "copy" / ".venv").symlink_to(Path(sys.executable).parents[1])
    return tmp_path / "copy"


def test_the_readme(checkout: Path, scheduler: str):
    if not (checkout / ".venv" / ".installed").exists():
        pytest.skip("the tests run outside the .venv that make installs, which `make demo` would have to install first")
    for folder, layout in (
        ("my_data", "manifest"),
        ("downloads/cbis_ddsm", "cbis_ddsm"),
        ("downloads/inbreast", "inbreast"),
    ):
        phantoms(str(checkout / folder), layout, patients=5, image_size=[160, 260])
    lines = [shorter(command, scheduler) for command in commands(ROOT / "README.md")]
    assert len(lines) >= 8
    script = "set -eu\n" + "".join(f"echo {number} >&2\n{line}\n" for number, line in enumerate(lines))
    done = subprocess.run(["bash", "-c", script], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Mean Dice per lesion" in done.stdout
    assert (checkout / "demo" / "cases.png").is_file()
    run = checkout / "runs" / "first"
    for file in ("model.pt", "evaluation/mine_patient/summary.json"):
        assert (run / file).is_file()
    assert list((run / "inference" / "mine_patient").glob("*.png"))
    predicted = (checkout / "predicted" / "predictions.csv").read_text().splitlines()[1:]
    assert predicted
    assert all(",done," in row for row in predicted)
    table = (checkout / "studies" / "filters" / "table.md").read_text()
    assert all(f"| {arm} |" in table for arm in read_study("filters").arms)
    assert "| paper: 92.92 ± .03 % |" in table


def test_links_of_the_documents():
    for document in (ROOT / "README.md", *(ROOT / "bundle" / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
            # A package has the documents of the bundle, and nothing above them.
            assert document.parent == ROOT or not target.startswith("../"), f"{document.name}: {target}"
