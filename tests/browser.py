"""A headless Chromium for the tests that open pages."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

PHONE, DESKTOP = 375, 1400


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chrome]:
    """One browser for all tests, since a start takes a second; use `open_page`, which leaves it clean."""
    with start_chromium() as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Chrome) -> Iterator[Callable[..., Chrome]]:
    """Opens a file or an address at a width of so many CSS pixels, as a phone does where it is narrow.

    The logs of the browser then hold nothing but what this page did.
    """

    def open_at(page: Path | str, width: int = DESKTOP, height: int = 900) -> Chrome:
        resize(chromium, width, height)
        for log in ("browser", "performance"):
            chromium.get_log(log)  # also empties it
        chromium.get(page.resolve().as_uri() if isinstance(page, Path) else page)
        return chromium

    yield open_at
    chromium.get("about:blank")


@contextmanager
def start_chromium() -> Iterator[Chrome]:
    """A headless Chromium that keeps its logs; skips the test where the system has none."""
    driver, browser = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("chromium-browser")
    if not (driver and browser):
        missing = " and ".join(name for name, found in (("chromium", browser), ("chromedriver", driver)) if not found)
        pytest.skip(f"{missing} not installed: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = browser
    # Root has no sandbox, and the shared memory of a container is small.
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # The driver's path keeps Selenium from looking for one on the network.
    started = Chrome(options, Service(executable_path=driver))
    try:
        yield started
    finally:
        started.quit()


def resize(browser: Chrome, width: int, height: int = 900) -> None:
    """Give the page a width in CSS pixels; a window would not become as narrow as a phone."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width <= PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def complaints(browser: Chrome) -> list[str]:
    """What the browser's console holds since the page was opened: errors, warnings and broken policies."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def requests(browser: Chrome) -> list[str]:
    """The address of everything that was asked for since the page was opened; also empties the log."""
    return [
        message["params"]["request"]["url"]
        for message in (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
        if message["method"] == "Network.requestWillBeSent"
    ]


def scrolls_sideways(browser: Chrome) -> bool:
    """Whether the page is wider than the screen."""
    # Not `innerWidth`, which grows with the page on a phone.
    page = "document.documentElement"
    return browser.execute_script(f"return {page}.scrollWidth > {page}.clientWidth")


def screenshot(browser: Chrome, file: Path, whole: bool = True) -> None:
    """Write what the page shows as a PNG, the whole of it or what is on the screen."""
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": whole})
    file.write_bytes(base64.b64decode(shot["data"]))
