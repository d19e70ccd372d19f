from __future__ import annotations

import io
import time
from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing
from PIL import Image
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from scripts.report.blocks import Block, Document, Figure, Figures, SortableTable, Table, Text
from scripts.report.figures import STYLE, figure_style
from scripts.report.markdown_page import number_columns
from scripts.report.page import render_page, shown_numbers
from tests.browser import DESKTOP, PHONE, complaints, requests, resize, scrolls_sideways

HOSTILE = """<script>document.title='ran'</script>"><img src=x onerror="document.title='ran'">'&amp;"""
SMALLEST_TEXT, SMALLEST_LETTERS = 11, 8
POINT = 96 / 72


def _draw(name: str, width: float = 4.6, photographic: bool = False) -> Figure:
    with figure_style():
        drawing = Drawing(figsize=(width, 3.4))
        axes = drawing.subplots()
        axes.imshow([[0, 1], [1, 0]]) if photographic else axes.plot([1, 3, 2])
        axes.set_xlabel("epoch")
    return Figure(name, drawing, f"A line, called {HOSTILE}", "Its caption.", photographic)


def _thumbnail(size: int = 96) -> bytes:
    pixels = np.random.default_rng(0).normal(120, 15, (size, size)).clip(0, 255).astype(np.uint8)
    jpeg = io.BytesIO()
    Image.fromarray(pixels).save(jpeg, format="jpeg", quality=75)
    return jpeg.getvalue()


def _lesions(rows: list[tuple[str | float, ...]], filters: tuple[str, ...] = ("density",)) -> SortableTable:
    thumbnail = _thumbnail()
    columns = ("lesion_id", "density", "dice", "hausdorff95")
    return SortableTable(columns, filters, rows, {row[0]: thumbnail for row in rows})


FEW = [
    ("P_10_LEFT_CC", "2", 0.51234, 12.0),
    ("P_9_LEFT_CC", "", 0.51229, 3.0),
    (HOSTILE, "3", float("nan"), 100.0),
    ("P_2_RIGHT_MLO", "2", 0.9, ""),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every kind of block and with cells that try to run something."""
    folder = tmp_path_factory.mktemp("page")
    study = folder / "networks"
    study.mkdir()
    (study / "table.md").write_text(
        f"# networks\n\n![The arms](figure.png)\n\n![Elsewhere](http://example.com/x.png)\n\n"
        f"| arm | Dice |\n| --- | --- |\n| {HOSTILE} | .894 |\n| [a](javascript:alert) | .880 |\n"
    )
    Image.new("RGB", (1300, 400)).save(study / "figure.png", dpi=(130, 130))
    sections: dict[str, list[Block]] = {
        "Run card": [Text(HOSTILE), Text(f"python -m scripts {'x' * 300}", command=True)],
        "Metrics": [Table(["metric", "mean"], [[HOSTILE, ".5"], ["Dice", ".894"]], f"Over {'lesions ' * 30}")],
        "Figures": [Figures([_draw("narrow"), _draw("other")]), Figures([_draw("wide", 10, True)])],
        "Lesions": [_lesions(FEW)],
        "Study": [Document(study / "table.md")],
    }
    made = render_page(f"Run {HOSTILE}", sections, {"Calibration": HOSTILE})
    file = folder / "report.html"
    file.write_text(made.html)
    return file


def _first_cells(browser: Chrome) -> list[str]:
    rows = "[...document.querySelectorAll('.lesions tbody tr')]"
    return browser.execute_script(f"return {rows}.filter(row => !row.hidden).map(row => row.cells[1].innerText)")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_page_is_quiet_and_legible(open_page: Callable[..., Chrome], page: Path, width: int):
    browser = open_page(page, width)
    assert complaints(browser) == []
    addresses = requests(browser)
    assert addresses[0].startswith("file:")
    assert not [address[:80] for address in addresses[1:] if not address.startswith("data:")]
    assert not scrolls_sideways(browser)
    sizes = browser.execute_script(
        "const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), sizes = [];"
        "while (walker.nextNode()) if (walker.currentNode.data.trim() && walker.currentNode.parentElement.offsetParent)"
        "  sizes.push(parseFloat(getComputedStyle(walker.currentNode.parentElement).fontSize));"
        "return sizes"
    )
    assert len(sizes) > 40
    assert min(sizes) >= SMALLEST_TEXT
    shown = browser.execute_script(
        "return [...document.querySelectorAll('.figure img')].map(i => i.width / i.getAttribute('width'))"
    )
    assert len(shown) == 4
    smallest = min(size for name, size in STYLE.items() if name.endswith("size") and name != "figure.figsize")
    assert min(shown) * smallest * POINT >= SMALLEST_LETTERS
    assert all(browser.execute_script("return [...document.images].map(i => i.naturalWidth > 0 && i.alt !== '')"))


def test_what_is_in_cells_does_not_run(open_page: Callable[..., Chrome], page: Path):
    browser = open_page(page)
    assert browser.title == f"Run {HOSTILE}"
    assert browser.find_element(By.CSS_SELECTOR, "section p").text == HOSTILE
    assert HOSTILE in _first_cells(browser)
    # Markdown alone turns the entity into what it stands for.
    assert HOSTILE.replace("&amp;", "&") in browser.find_element(By.CSS_SELECTOR, ".document table").text
    assert browser.execute_script("return document.querySelectorAll('main script, main a, [onerror]').length") == 0


def test_columns_sort(open_page: Callable[..., Chrome], page: Path):
    browser = open_page(page)
    buttons = {button.text: button for button in browser.find_elements(By.CSS_SELECTOR, "th button")}
    assert list(buttons) == ["lesion_id", "density", "dice", "hausdorff95"]
    ten, nine, hostile, two = [row[0] for row in FEW]
    assert _first_cells(browser) == [ten, nine, hostile, two]
    # The two smallest are shown alike and still differ; what is missing is last, upwards and downwards.
    buttons["dice"].click()
    assert _first_cells(browser) == [nine, ten, two, hostile]
    assert browser.find_element(By.CSS_SELECTOR, "th[aria-sort]").get_attribute("aria-sort") == "ascending"
    buttons["dice"].send_keys(Keys.ENTER)
    assert _first_cells(browser) == [two, ten, nine, hostile]
    assert browser.find_element(By.CSS_SELECTOR, "th[aria-sort]").get_attribute("aria-sort") == "descending"
    buttons["hausdorff95"].click()
    assert _first_cells(browser) == [nine, ten, hostile, two]
    buttons["lesion_id"].click()
    assert _first_cells(browser) == [hostile, two, nine, ten]
    assert len(browser.find_elements(By.CSS_SELECTOR, "th[aria-sort]")) == 1
    dice = browser.execute_script(
        "return [...document.querySelectorAll('.lesions td:nth-child(4)')].map(c => c.innerText)"
    )
    assert dice == ["", "0.900", "0.512", "0.512"]


def test_rows_are_filtered_and_printed_all_the_same(open_page: Callable[..., Chrome], page: Path):
    browser = open_page(page)
    ten, nine, hostile, two = [row[0] for row in FEW]
    search, count = browser.find_element(By.CSS_SELECTOR, "input"), browser.find_element(By.CSS_SELECTOR, "output")
    density = Select(browser.find_element(By.CSS_SELECTOR, "select"))
    assert [option.text for option in density.options] == ["all", "2", "3", "not known"]
    density.select_by_visible_text("2")
    assert (_first_cells(browser), count.text) == ([ten, two], "2 of 4 lesions")
    search.send_keys("mlo RIGHT")
    assert (_first_cells(browser), count.text) == ([two], "1 of 4 lesions")
    density.select_by_visible_text("not known")
    assert (_first_cells(browser), count.text) == ([], "0 of 4 lesions")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    seen = "return [...document.querySelectorAll(arguments[0])].filter(e => e.getClientRects().length).length"
    try:
        assert browser.execute_script(seen, ".lesions tbody tr") == 4
        assert browser.execute_script(seen, ".controls, nav") == 0
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    browser.execute_async_script("setTimeout(arguments[0])")
    assert (_first_cells(browser), count.text) == ([ten, nine, hostile, two], "4 of 4 lesions")


def test_two_thousand_lesions(open_page: Callable[..., Chrome], tmp_path: Path):
    rng = np.random.default_rng(0)
    rows = [(f"P_{number:05d}_LEFT_CC", str(number % 4), *rng.random(2).tolist()) for number in range(2000)]
    table = _lesions(rows)
    assert 2000 < len(table.pictures[table.rows[0][0]]) < 3500
    started = time.perf_counter()
    html = render_page("Run", {"Lesions": [table]}).html
    assert time.perf_counter() - started < 10
    assert len(html) < 15e6
    (tmp_path / "report.html").write_text(html)
    browser = open_page(tmp_path / "report.html", PHONE)
    click = (
        "const t = performance.now(); arguments[0].click(); document.body.offsetHeight; return performance.now() - t"
    )
    dice = browser.find_elements(By.CSS_SELECTOR, "th button")[2]
    assert browser.execute_script(click, dice) < 2000  # milliseconds
    assert _first_cells(browser) == [row[0] for row in sorted(rows, key=lambda row: row[2])]
    assert not scrolls_sideways(browser)
    resize(browser, DESKTOP)
    assert not scrolls_sideways(browser)


def test_the_same_sections_give_the_same_bytes(tmp_path: Path):
    study = tmp_path / "networks"
    study.mkdir()
    (study / "table.md").write_text("# networks\n\n![The arms](figure.png)\n\n![Cases](cases.png)\n")
    for name in ("figure.png", "cases.png"):
        Image.new("RGB", (10, 10)).save(study / name)
    (study / "figure.pdf").write_bytes(b"%PDF")

    def render() -> dict[str, bytes]:
        blocks = [Figures([_draw("curve"), _draw("photo", photographic=True)]), Document(study / "table.md")]
        made = render_page("Run", {"Figures": blocks})
        return made.files | {"page": made.html.encode()}

    first, second = render(), render()
    assert first == second
    names = ["curve.pdf", "curve.png", "networks_cases.png", "networks_figure.pdf", "networks_figure.png", "photo.pdf"]
    assert sorted(first) == [*names[:2], *names[2:5], "page", "photo.pdf", "photo.png"]
    assert first["page"].count(b"data:image/svg+xml") == 1
    assert first["page"].count(b"data:image/jpeg") == 1
    assert first["page"].count(b"data:image/png") == 2


def test_two_figures_of_one_name_are_refused():
    sections = {"Figures": [Figures([_draw("curve"), _draw("curve", width=3)])]}
    with pytest.raises(ValueError, match=r"two figures are called curve\.png"):
        render_page("Run", sections)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.1 + 0.2, 0.5], ["0.3", "0.5"]),
        ([0.89374, 1.0], ["0.894", "1.000"]),
        ([12.0, 3.0, nan], ["12", "3", ""]),
        ([0.25, inf, -inf], ["0.25", "∞", "-∞"]),
        ([-0.0001, 2.0], ["0", "2"]),
        ([nan], [""]),
        ([], []),
    ],
)
def test_numbers_have_the_decimals_that_their_column_needs(values: list[float], shown: list[str]):
    assert shown_numbers(values) == shown


def test_columns_of_numbers_are_told_from_words():
    rows = [
        ("UNet++", ".894 ± .003 (.880 to .904)", "reference", "", "paper: 92.9 %"),
        ("2D", "< .001", "-.011 (-.013 to -.008)", "", ""),
        ("PSPNet", "151,897", "+.000", "", "paper: 1"),
        ("LinkNet", "2.88 M", "-.013", "", ""),
    ]
    assert number_columns(rows) == [False, True, True, False, False]
    assert number_columns([]) == []
