"""What a full disk, a read-only one or a file in place of a folder makes of each verb: one line, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.phantoms import phantoms
from tests.helpers import SMALL, TRAIN, snapshot
from tests.reliability import write_count
from tests.scripts.common.prediction.phantom import box_of, mass, write_image, write_small_run
from tests.soak.killing import visible
from tests.soak.program import run

pytestmark = pytest.mark.slow

TOY = [part for name, value in SMALL.items() for part in (f"--{name}", value)]
SIZE = 4 << 20
VERBS = ("phantoms", "manifest", "cbis_ddsm", "training", "study", "predict", "report", "package")
QUICK = ("phantoms", "manifest", "training", "report", "package")
_told: dict[str, int] = {}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    """What the verbs read."""
    place = tmp_path_factory.mktemp("sources")
    phantoms(str(place / "manifest"), layout="manifest", patients=5, image_size=[240, 360])
    phantoms(str(place / "cbis_ddsm"), layout="cbis_ddsm", patients=5, image_size=[240, 360])
    write_small_run(place / "run")
    for number in range(2):
        write_image(place / "images" / f"{number}.dcm", mass(30, 60), SOPInstanceUID=f"1.2.3.{number}")
    rows = [f"{number}.dcm,{','.join(map(str, box_of(30, 60)))}" for number in range(2)]
    (place / "boxes.csv").write_text("\n".join(["image,x0,y0,x1,y1", *rows]) + "\n")
    (place / "one.json").write_text(json.dumps({"description": "One", "reference": "a", "arms": {"a": {}}}))
    flags = ["--config_file", TRAIN, "--dataset_dir", str(dataset), *TOY]
    where = ["--output_dir", str(place), "--run_name", "trained"]
    code, said = run(["monai.bundle", "run", "training", *flags, *where], place / "log")
    assert code == 0, said
    return place


def command(verb: str, sources: Path, dataset: Path, out: Path) -> list[str]:
    """The program that writes below `out`."""
    predict = ["--image", str(sources / "images"), "--boxes_file", str(sources / "boxes.csv")]
    return {
        "phantoms": ["scripts", "phantoms", "--patients", "4", "--image_size", "[240,360]", "--output_dir", str(out)],
        "manifest": [
            *["scripts", "prepare", "manifest", "--table", str(sources / "manifest" / "manifest.csv")],
            *["--dataset_dir", str(out), "--copy", "True"],
        ],
        "cbis_ddsm": [
            *["scripts", "prepare", "cbis_ddsm", "--source", str(sources / "cbis_ddsm")],
            *["--dataset_dir", str(out)],
        ],
        "training": [
            *["monai.bundle", "run", "training", "--config_file", TRAIN, "--dataset_dir", str(dataset), *TOY],
            *["--output_dir", str(out), "--run_name", "run"],
        ],
        "study": [
            *["scripts", "study", str(sources / "one.json"), "--dataset_dir", str(dataset), *TOY],
            *["--output_dir", str(out)],
        ],
        "predict": ["scripts", "predict", *predict, "--run_dir", str(sources / "run"), "--output_dir", str(out)],
        "report": ["scripts", "report", "--source", str(sources / "trained"), "--output", str(out / "report.html")],
        "package": ["scripts", "package", "--run_dir", str(sources / "trained"), "--output_dir", str(out)],
    }[verb]  # fmt: skip


def check_refused(code: int, said: str) -> None:
    """Check that a program ended with one clear line and exit code 2."""
    assert code == 2, said[-3000:]
    assert "Traceback" not in said, said[-6000:]
    (line,) = (line for line in said.splitlines() if line.startswith("Error: "))
    assert any(cause in line for cause in ("No space left", "Not a directory", "File exists", "Read-only")), line


def count(case: str) -> None:
    _told[case] = _told.get(case, 0) + 1
    write_count(
        "tests/soak/test_full_disk.py",
        "On a full disk, a read-only one and below a file in place of a folder each verb ends with one line and exit "
        "code 2, all earlier files stay as they were, none is half-written, and once there is room the same command "
        "ends well",
        sum(_told.values()),
        "passed: " + ", ".join(f"{name} {number}" for name, number in sorted(_told.items())),
    )


@pytest.mark.parametrize(
    ("verb", "room"),
    [
        # Those that start no further processes are fast.
        pytest.param(verb, room, marks=() if room == 20_000 and verb in QUICK else pytest.mark.soak)
        for room in (0, 2_000, 20_000, 60_000, 100_000)
        for verb in VERBS
    ],
)
def test_a_full_disk(verb: str, room: int, sources: Path, dataset: Path, disk: Path, tmp_path: Path) -> None:
    """`room`: what is left, in bytes."""
    earlier = disk / "earlier"
    earlier.write_bytes(b"results")
    free = os.statvfs(disk)
    (disk / "filling").write_bytes(bytes(free.f_bavail * free.f_frsize - room // free.f_frsize * free.f_frsize))
    arguments = command(verb, sources, dataset, disk / "out")
    code, said = run(arguments, tmp_path / "full.log")
    check_refused(code, said)
    assert earlier.read_bytes() == b"results"
    written = {str(file.relative_to(disk)): file.read_bytes() for file in visible(disk) if file.name != "filling"}
    (disk / "filling").unlink()
    code, said = run(going_on(arguments, disk / "out"), tmp_path / "again.log")
    assert code == 0, said[-3000:]
    whole = tmp_path / "whole"
    if verb not in ("training", "study", "package"):
        code, said = run(command(verb, sources, dataset, whole), tmp_path / "whole.log")
        assert code == 0, said[-3000:]
        names = {str(file.relative_to(whole)) for file in visible(whole)}
        assert names == {str(file.relative_to(disk / "out")) for file in visible(disk / "out")}
        # Whatever stood there while the disk was full was whole.
        for name, content in written.items():
            if name.startswith("out/") and not name.endswith((".dcm", "predictions.csv")):
                assert content == (whole / name.removeprefix("out/")).read_bytes(), name
    count("full disk")


def going_on(arguments: list[str], out: Path) -> list[str]:
    """The command that goes on: of a training that has a checkpoint, with it."""
    run_dir = out / "run"
    if (run_dir / "last.pt").is_file():
        return ["monai.bundle", "run", "--args_file", str(run_dir / "training.json"), "--resume", str(run_dir)]
    if (run_dir / "model.pt").is_file():
        shutil.rmtree(run_dir)  # as the refusal says
    return arguments


@pytest.mark.parametrize("verb", VERBS)
def test_below_a_file(verb: str, sources: Path, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    code, said = run(command(verb, sources, dataset, tmp_path / "file" / "out"), tmp_path / "log")
    check_refused(code, said)
    assert (tmp_path / "file").read_text() == "a file"
    count("below a file")


@pytest.mark.parametrize("place", ["cache_dir", "output_dir"])
def test_a_training_below_a_file(place: str, dataset: Path, sources: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    places = {"output_dir": str(tmp_path / "runs"), "cache_dir": str(tmp_path / "cache")}
    places[place] = str(tmp_path / "file" / "out")
    arguments = command("training", sources, dataset, tmp_path / "unused")
    arguments = arguments[: arguments.index("--output_dir")]
    code, said = run(
        [*arguments, *(part for name, at in places.items() for part in (f"--{name}", at))], tmp_path / "log"
    )
    check_refused(code, said)
    count("below a file")


@pytest.mark.parametrize("verb", [pytest.param(verb, marks=pytest.mark.soak) for verb in VERBS])
def test_a_read_only_disk(verb: str, sources: Path, dataset: Path, disk: Path, tmp_path: Path) -> None:
    (disk / "earlier").write_bytes(b"results")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    before = snapshot(disk)
    code, said = run(command(verb, sources, dataset, disk / "out"), tmp_path / "log")
    check_refused(code, said)
    assert snapshot(disk) == before
    count("read-only disk")
