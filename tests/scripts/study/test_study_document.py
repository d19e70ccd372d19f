from __future__ import annotations

from pathlib import Path

import pytest

from custom.errors import InputError
from scripts.study.document import insert


def test_the_table_replaces_what_stood_between_the_two_lines(tmp_path: Path):
    study = tmp_path / "filters"
    study.mkdir()
    (study / "table.md").write_text("# filters\n\n![x](figure.png)\n\n## More\n\n| a |\n")
    (study / "figure.png").write_bytes(b"picture")
    document = tmp_path / "docs" / "results.md"
    document.parent.mkdir()
    document.write_text("# Results\n\n<!-- study filters -->\nold\n<!-- end filters -->\n\nWords.\n")
    for _ in range(2):
        insert(document, "filters", study)
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
        insert(document, "filters", tmp_path)
    assert (document.read_text() if document.exists() else None) == text
