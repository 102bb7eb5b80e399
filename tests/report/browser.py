"""Chromium under Selenium, as a person's browser: what a page asks of the network, says on the console, and prints."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

PHONE_PX = 360
_NAMES = {"browser": ("chromium", "chromium-browser", "google-chrome"), "driver": ("chromedriver",)}
#: Chromium's own traffic off, so that what the log shows is the page's.
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def found(what: str) -> str:
    """The program's path; skips the test where there is none."""
    for name in _NAMES[what]:
        if path := shutil.which(name):
            return path
    pytest.skip(f"no {what} on this machine ({', '.join(_NAMES[what])}); .ci/browser installs Debian's")


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended on leaving."""
    options = ChromeOptions()
    options.binary_location = found("browser")
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(found("driver")))
    try:
        yield Browser(driver)
    finally:
        with suppress(ConnectionError):  # its driver may end before it answers that it will
            driver.quit()


class Browser:
    """One tab. Everything is asked over the DevTools protocol, so that it works with the page's scripts forbidden."""

    def __init__(self, driver: Chrome) -> None:
        self._driver = driver

    def do(self, command: str, **arguments: Any) -> dict[str, Any]:
        """A command of the DevTools protocol."""
        answer: dict[str, Any] = self._driver.execute_cdp_cmd(command, arguments)
        return answer

    def open(self, path: Path, *, width_px: int = 1000, dark: bool = False, scripts: bool = True) -> None:
        """Opens a file from the disk in a window of this width; the logs start anew."""
        phone = width_px < 600
        self.do("Emulation.setDeviceMetricsOverride", width=width_px, height=800, deviceScaleFactor=1, mobile=phone)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.do("Emulation.setEmulatedMedia", features=features)
        self.do("Emulation.setScriptExecutionDisabled", value=not scripts)
        for log in ("browser", "performance"):
            self._driver.get_log(log)  # type: ignore[no-untyped-call]
        self._driver.get(path.as_uri())

    @property
    def title(self) -> str:
        """The document's title."""
        return str(self._driver.title)

    def text(self, selector: str) -> str:
        """What a person sees of the first element."""
        return str(self._driver.find_element("css selector", selector).text)

    def console(self) -> list[str]:
        """What was logged on the console since the page was opened."""
        return [entry["message"] for entry in self._driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requests(self) -> list[str]:
        """The addresses asked for since the page was opened."""
        entries = self._driver.get_log("performance")  # type: ignore[no-untyped-call]
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def width_px(self) -> float:
        """How wide the page is: more than the window when it scrolls sideways."""
        return float(self.do("Page.getLayoutMetrics")["cssContentSize"]["width"])

    def screenshot(self, to: Path) -> None:
        """The whole page as a PNG."""
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 12_000), "scale": 1}
        shot = self.do("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        to.write_bytes(base64.b64decode(shot["data"]))

    def printed(self, to: Path) -> Path:
        """The page printed on A4, as a PDF."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
        to.write_bytes(base64.b64decode(self.do("Page.printToPDF", **paper)["data"]))
        return to


def pdf_pages(pdf: Path) -> list[str]:
    """The text of each page, spaces and line ends joined; skips the test where poppler is missing."""
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("no pdftotext on this machine (poppler-utils); .ci/browser installs Debian's")
    told = subprocess.run([program, "-layout", str(pdf), "-"], capture_output=True, text=True, check=True, timeout=60)
    return [" ".join(page.split()) for page in told.stdout.split("\f")[:-1]]
