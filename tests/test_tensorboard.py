"""TensorBoard on a run, as a user sees it in a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

# All texts and loaded images of a page, those inside its components as well.
SHOWN = """
const shown = [];
const collect = node => {
    if (node.nodeType === Node.TEXT_NODE && node.textContent.trim()) shown.push(node.textContent.trim());
    if (node.localName === "img" && node.naturalWidth > 500) shown.push("an image");
    if (["style", "script"].includes(node.localName)) return;
    for (const root of [node, node.shadowRoot]) if (root) root.childNodes.forEach(collect);
};
collect(document.body);
return shown;
"""
PAGES = {
    "timeseries": ["train", "validation", "outlines"],
    "scalars": [
        *("train", "train/dice", "train/loss", "train/pixel_accuracy"),
        *("validation", "validation/dice", "validation/dice_best", "validation/loss"),
    ],
    "images": ["outlines/T_001_LEFT_CC_1", "an image"],
    # The row of the run, named like it, with what it was trained with and what came of it.
    "hparams": ["run", "batch_size", "4.0000", "image_size", "[32, 32]", "train/dice", "validation/dice_best"],
    "pr_curves": ["validation/precision_recall", "run is at", "step 2"],
}


@contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """TensorBoard on a free port of this machine; its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            yield next(found[0] for line in server.stderr if (found := re.search(r"http://[\d.:]+", line)))
        finally:
            server.terminate()


def test_its_pages_show_a_run(train: Callable, dataset: Path, open_page: Callable[..., Chrome]):
    run = train(dataset)
    with tensorboard(run.parent) as address:
        for page, expected in PAGES.items():
            # The query makes it a page of its own; behind the # alone it would go on in the one that is open.
            browser = open_page(f"{address}/?{page}#{page}")
            missing = set(expected)
            WebDriverWait(browser, 20, poll_frequency=0.2).until(
                lambda browser, page=page, missing=missing: not missing.difference(browser.execute_script(SHOWN)),
                f"{page} lacks some of {expected}",
            )
            assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        open_page("about:blank")
