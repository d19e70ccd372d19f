from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from custom.data import Datalist
from custom.errors import InputError
from scripts.study.images import choose_cases, mean_and_range, scaled, to_8_bit


def names(cases: list[dict]) -> list[str]:
    return [case["lesion_id"] for case in cases]


def test_five_cases_are_drawn_by_seed(dataset: Path) -> None:
    draws = [names(choose_cases(Datalist(dataset, "patient"), "training", None, seed)) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert len(set(draws[0])) == 5
    known = names(Datalist(dataset, "patient").part("training"))
    assert draws[0] == sorted(draws[0], key=known.index)


def test_where_there_are_fewer_than_five_all_are_taken(dataset: Path) -> None:
    known = names(Datalist(dataset, "patient").part("validation"))
    assert 0 < len(known) < 5
    assert names(choose_cases(Datalist(dataset, "patient"), "validation", None, 3)) == known


def test_no_mammogram_is_taken_twice(own_dataset: Path) -> None:
    file = own_dataset / "datalists" / "patient.json"
    content = json.loads(file.read_text())
    first = content["training"][0]
    second = first | {"lesion_id": "second"}
    file.write_text(json.dumps(content | {"training": [first, second]}))
    assert names(choose_cases(Datalist(own_dataset, "patient"), "training", None, 0)) == [first["lesion_id"], "second"]
    given = ["second", first["lesion_id"]]
    for cases, expected in ((None, [first["lesion_id"]]), (given, ["second"])):
        assert names(choose_cases(Datalist(own_dataset, "patient"), "training", cases, 0, one_per="image")) == expected


def test_given_cases_keep_their_order(dataset: Path) -> None:
    known = names(Datalist(dataset, "patient").part("training"))
    assert names(choose_cases(Datalist(dataset, "patient"), "training", [known[4], known[1], known[4]], 0)) == [
        known[4],
        known[1],
    ]


@pytest.mark.parametrize(
    ("cases", "seed", "told"),
    [(["T_999"], 0, "--cases: found T_999, expected"), ([], 0, "found none, expected"), (None, -1, "--seed: found -1")],
)
def test_a_wrong_choice_is_told_in_one_line(dataset: Path, cases: list[str] | None, seed: int, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        choose_cases(Datalist(dataset, "patient"), "training", cases, seed)
    assert "\n" not in str(error.value)


def test_frames_are_scaled_and_rounded() -> None:
    frame = scaled(np.array([[100.0, 300.0], [150.0, 500.0]], np.float32))
    assert frame.tolist() == [[0.0, 127.5], [31.875, 255.0]]
    assert to_8_bit(frame + np.array([[-3.0, 0.0], [0.0, 9.0]])).tolist() == [[0, 128], [32, 255]]


def test_mean_and_range() -> None:
    assert mean_and_range([1.0, 2.0, 6.0], 1) == "3.0 (1.0 to 6.0)"
    assert mean_and_range(np.array([-1.0, 2.5]), 2, "+") == "+0.75 (-1.00 to +2.50)"
