from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure as Drawing
from PIL import Image

from custom.errors import InputError
from custom.files import file_sha256
from scripts.report import command
from scripts.report.blocks import Block, Document, Figure, Figures, NotThere, Text
from scripts.report.command import report
from scripts.report.reading import read_run
from scripts.report.sources import StudyResults
from tests.helpers import snapshot
from tests.scripts.report.pictured_run import write_run


def _curve(study: StudyResults) -> list[Block]:
    drawing = Drawing(figsize=(3, 2))
    drawing.subplots().plot([1, 2])
    return [Text(f"About {study.name}"), Figures([Figure("curve", drawing, "A line", "A line.")])]


def _lacking(study: StudyResults) -> list[Block]:
    raise NotThere(f"{study.name} has no calibration; evaluate again")


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two studies and four makers of sections: two have something to show, one lacks something, one has no meaning."""
    made = [
        ("Curve", _curve),
        ("Calibration", _lacking),
        ("Nothing", lambda study: []),
        ("Table", lambda study: [Document(study.folder / "table.md")]),
    ]
    monkeypatch.setattr(command, "STUDY_SECTIONS", made)
    folders = [tmp_path / "studies" / name for name in ("networks", "filters")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "table.md").write_text(f"# {folder.name}\n\n![Arms](figure.png)\n")
        Image.new("RGB", (20, 10)).save(folder / "figure.png")
        (folder / "figure.pdf").write_bytes(b"%PDF")
    return folders


def test_one_source(studies: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    page = tmp_path / "out" / "mine.html"
    report(str(studies[0]), str(page))
    assert f"Written to {page}" in capsys.readouterr().out
    html = page.read_text()
    assert "<title>Study networks</title>" in html
    headings = [line.partition(">")[2].removesuffix("</h2>") for line in html.splitlines() if line.startswith("<h2")]
    assert headings == ["Curve", "Table", "Not in this report"]
    assert "<dt>Calibration</dt>\n<dd>networks has no calibration; evaluate again</dd>" in html
    files = {file.name for file in (page.parent / "figures" / "mine").iterdir()}
    assert files == {"curve.png", "curve.pdf", "networks_figure.png", "networks_figure.pdf"}
    before = snapshot(page.parent)
    report(str(studies[0]), str(page))
    assert snapshot(page.parent) == before


def test_several_sources_on_one_page(studies: list[Path], tmp_path: Path):
    page = tmp_path / "report.html"
    report([str(study) for study in studies], str(page))
    html = page.read_text()
    for title in ("networks: Curve", "networks: Table", "filters: Curve", "filters: Table"):
        assert f">{title}</h2>" in html
    assert "<dt>filters: Calibration</dt>" in html
    files = {file.name for file in (tmp_path / "figures" / "report").glob("*.png")}
    assert files == {"networks_curve.png", "filters_curve.png", "networks_figure.png", "filters_figure.png"}


@pytest.mark.parametrize(
    ("sources", "output", "message"),
    [
        ([0], "page.htm", r"page\.htm: found another kind of file, expected .* page\.html"),
        ([0], ".", r"found a folder, expected .* report\.html"),
        ([], "report.html", "--source: found no folder"),
        ([0, 0], "report.html", "found 2 folders called networks"),
        ([-1], "report.html", r"found neither training\.json nor table\.md"),
    ],
)
def test_what_makes_no_page(
    studies: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: list[int], output: str, message: str
):
    monkeypatch.chdir(tmp_path)
    folders = [*studies, tmp_path / "nothing"]
    with pytest.raises(InputError, match=message):
        report([str(folders[number]) for number in sources], output)
    assert {file.name for file in tmp_path.iterdir()} == {"studies"}


def test_evaluations_of_a_model_that_was_trained_on_are_refused(dataset: Path, tmp_path: Path):
    run = write_run(tmp_path / "run", dataset, lesions=2)
    (run / "model.pt").write_bytes(b"weights")
    summary = run / "evaluation" / "small_patient" / "summary.json"
    content = json.loads(summary.read_text())
    assert read_run(run, []).evaluations  # Nothing is known of the weights behind it.
    summary.write_text(json.dumps(content | {"model_sha256": file_sha256(run / "model.pt")}))
    assert read_run(run, []).evaluations
    (run / "model.pt").write_bytes(b"better weights")
    with pytest.raises(InputError, match=r"small_patient: evaluates an earlier model\.pt of this run; evaluate again"):
        report(str(run), str(tmp_path / "report.html"))
    assert not (tmp_path / "report.html").exists()


def test_a_damaged_picture_of_a_study(studies: list[Path], tmp_path: Path):
    (studies[0] / "figure.png").write_bytes(b"half")
    with pytest.raises(InputError, match=r"figure\.png: cannot be read as a picture .* repeat the study"):
        report(str(studies[0]), str(tmp_path / "report.html"))
    assert not (tmp_path / "report.html").exists()
