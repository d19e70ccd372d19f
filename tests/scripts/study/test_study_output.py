from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from custom.errors import InputError
from scripts.study.output import insert, write_study


def test_the_table_replaces_what_stood_between_the_two_lines(tmp_path: Path):
    study = tmp_path / "filters"
    study.mkdir()
    (study / "table.md").write_text("# filters\n\n![x](figure.png)\n\n![y](cases.png)\n\n## More\n\n| a |\n")
    (study / "figure.png").write_bytes(b"picture")
    document = tmp_path / "docs" / "results.md"
    document.parent.mkdir()
    document.write_text("# Results\n\n<!-- study filters -->\nold\n<!-- end filters -->\n\nWords.\n")
    for _ in range(2):
        insert(document, study)
        assert document.read_text() == (
            "# Results\n\n<!-- study filters -->\n\n### filters\n\n![x](results_filters.png)\n\n#### More\n\n| a |\n\n"
            "<!-- end filters -->\n\nWords.\n"
        )
    assert (document.parent / "results_filters.png").read_bytes() == b"picture"


@pytest.mark.parametrize(
    "text", [None, "", "<!-- study filters -->\n", "<!-- end filters -->\n<!-- study filters -->\n"]
)
def test_a_document_without_a_place_is_left_as_it_is(tmp_path: Path, text: str | None):
    document = tmp_path / "results.md"
    if text is not None:
        document.write_text(text)
    with pytest.raises(InputError, match=r"results.md: no place for the table of study filters"):
        insert(document, tmp_path / "filters")
    assert (document.read_text() if document.exists() else None) == text


def test_the_same_study_gives_the_same_bytes(tmp_path: Path):
    found = []
    for name in ("first", "second"):
        figure = Figure()
        figure.subplots().plot([1, 2])
        write_study(tmp_path / name, [{"arm": "a", "dice": 0.5}], "# Page\n", figure)
        found.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert found[0] == found[1]
    assert found[0]["table.csv"] == b"arm,dice\na,0.5\n"
    assert found[0]["table.md"] == b"# Page\n"
    assert found[0]["figure.png"].startswith(b"\x89PNG")
    assert found[0]["figure.pdf"].startswith(b"%PDF")
