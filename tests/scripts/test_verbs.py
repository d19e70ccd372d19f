from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from custom.errors import InputError
from scripts.__main__ import main
from scripts.common.command_line import checked

VERBS = "card, datalists, demo, package, phantoms, predict, prepare, release, report, study"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("predct", "predct: no such verb; expected one like predict"),
        ("prepare manifst --help", "manifst: no such verb; expected one like manifest"),
        ("prepare cbis-dsm", "cbis-dsm: no such verb; expected one like cbis_ddsm"),
        ("xyz", f"xyz: no such verb; expected one like {VERBS}"),
        ("predict", "--image is missing: give it on the command line"),
        ("predict --image a.png", "--output_dir is missing: give it on the command line"),
        ("prepare cbis-ddsm", "--source is missing: give it on the command line"),
        ("study", "--name is missing: give it on the command line"),
        ("study filters", "--dataset_dir is missing: give it on the command line"),
        ("prepare manifest --tabel b", "--tabel: no such flag; expected one like --table"),
        ("release a --bogus", "--bogus: no such flag; expected one like --run_dir"),
        ("study denoising --datasetdir a", "--datasetdir: no such flag; expected one like --dataset_dir"),
        ("release a b", "b: belongs to no flag; expected values of --run_dir alone"),
        (
            "predict --image a.png --boxes 5 4 9 8 --output_dir out",
            '4: belongs to no flag; expected values of --image, --output_dir alone, and of several numbers "[1,2]"',
        ),
        ("demo here", "here: belongs to no flag; expected"),
        ("prepare manifest a b --copy maybe", "--copy: found 'maybe', expected a valid boolean"),
        ("prepare manifest 1 b", "--table: found 1, expected a valid string"),
        ("predict --output_dir a b.png --format jpg", "--format: found 'jpg', expected 'png', 'nii.gz' or 'nrrd'"),
        ("study 5 a", "--name: found 5, expected a valid string"),
        ("study denoising nowhere", "nowhere: no such folder; expected a prepared data set"),
    ],
)
def test_a_fault_of_the_command_line_is_told_in_one_line(arguments: str, line: str):
    with pytest.raises(InputError, match=f"^{re.escape(line)}"):
        main(arguments.split())


@pytest.mark.slow
def test_the_line_is_all_that_is_printed():
    done = subprocess.run([sys.executable, "-m", "scripts", "predct"], capture_output=True, text=True)
    line = "Error: predct: no such verb; expected one like predict\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "GROUPS"),
        ("--help", "Outline masses in mammograms"),
        ("prepare", "python -m scripts prepare COMMAND"),
        ("prepare -h", "Prepare the masses of INbreast"),
        ("predict --help", "python -m scripts predict IMAGE OUTPUT_DIR <flags>"),
        ("predict a.png -h", "    --format=FORMAT\n"),
        ("predict -- --help", "Default: 'png'"),
        ("prepare manifest --help", "the prepared data set; made if it is not there"),
        ("demo --help", "holds everything that the demo makes"),
        ("study --help", "python -m scripts study NAME <flags> [ARGUMENTS]..."),
        ("study filters --help", "python -m scripts study NAME <flags> [ARGUMENTS]..."),
    ],
)
def test_help(arguments: str, expected: str, capsys: pytest.CaptureFixture):
    main(arguments.split())
    told = capsys.readouterr()
    assert expected in told.out
    assert "Additional flags" not in told.out
    assert told.err == ""


def test_values_go_to_the_flags_that_are_left():
    taken: list[Any] = []

    def fixed(a: str, b: int = 1, c: bool = False) -> None:
        taken.append((a, b, c))

    def further(a: str, *rest: Any, **switches: Any) -> None:
        taken.append((a, rest, switches))

    checked(fixed)("x", b=2, c=True)
    checked(further)("x", 2, b=3)
    checked(further)(2, a="x")
    assert taken == [("x", 2, True), ("x", (2,), {"b": 3}), ("x", (2,), {})]
