"""A sample report of a real run, and the pictures of it, without what would tell whose machine it was made on."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import msgspec

from harness.base.errors import BadInput
from harness.cli.stored.signoff import write_pages
from harness.model.result import Result
from harness.model.stack import EnvironmentKind
from harness.report.html import write_html
from harness.report.language import language
from harness.report.published import RESULT, RESULT_JSON
from harness.report.signoff.gather import DOCUMENT
from harness.report.signoff.types import Signoff
from tests import register as claims
from tests.corpus.scrub import scrubbed
from tests.manual import screen

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "docs" / "samples"
PICTURES = ROOT / "docs" / "pictures"
TERMINAL = "terminal.txt"
#: The page's file by language.
PAGES = {"en": "report.html", "ja": "report.ja.html"}
#: What the machine had of runs of others.
_OF_OTHERS = re.compile(r"^\[.*\] (left by a killed run:|left alone, as made on).*\n", re.MULTILINE)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_VIEW_PX = (1280, 800)  # one screen
LIMIT_S = 120


def take(folder: Path, terminal: Path | None, name: str, host: str = "") -> None:
    """Makes ``docs/samples/NAME`` of a run's folder, or of a sign-off's, and of what its terminal showed, in place of
    what was there.

    Raises ``BadInput`` for a simulated run, which is no sample of a real one.
    """
    kept = DOCUMENT if (folder / DOCUMENT).is_file() else RESULT_JSON
    if kept == RESULT_JSON and RESULT.read(folder / RESULT_JSON).facts.rung is EnvironmentKind.SIM:
        raise BadInput("a simulated run is no sample", where=str(folder), remedy="take a run of local, kind or kube")
    host, target = host or socket.gethostname(), SAMPLES / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / kept).write_text(scrubbed((folder / kept).read_text("utf-8"), host), "utf-8")
    if terminal is not None:
        text = _OF_OTHERS.sub("", screen.shown(terminal.read_bytes().decode("utf-8", errors="replace")))
        (target / TERMINAL).write_text(scrubbed(text, host), "utf-8")
    pages(target)


def pages(target: Path) -> None:
    """The sample's pages anew, from its ``result.json`` or ``signoff.json``, in every language."""
    if (target / DOCUMENT).is_file():
        write_pages(target, msgspec.json.decode((target / DOCUMENT).read_bytes(), type=Signoff))
        return
    result = RESULT.read(target / RESULT_JSON)
    for code, name in PAGES.items():
        (target / name).write_text(page(result, code), "utf-8")


def page(result: Result, code: str) -> str:
    """The page of ``result``, as a folder shows it in which nothing else lies."""
    with tempfile.TemporaryDirectory() as folder:
        return write_html(Path(folder), result, claims.REGISTER, language(code)).read_text("utf-8")


def pictures(name: str) -> None:
    """The pictures of the READMEs: the sample's terminal as SVG, its page in each language as PNG."""
    PICTURES.mkdir(exist_ok=True)
    text = (SAMPLES / name / TERMINAL).read_text("utf-8")
    (PICTURES / "terminal.svg").write_text(screen.drawn(text, f"The terminal of {name}"), "utf-8")
    for file in PAGES.values():
        photograph(SAMPLES / name / file, PICTURES / f"{Path(file).stem}.png")


def photograph(page_: Path, picture: Path) -> None:
    """The top of a page, as Chromium shows it. Raises ``BadInput`` when there is none on this machine."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise BadInput("there is no Chromium", where="PATH", remedy=".ci/browser installs Debian's")
    with tempfile.TemporaryDirectory() as profile:
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}")
        size = f"--window-size={_VIEW_PX[0]},{_VIEW_PX[1]}"
        command = [browser, *flags, size, f"--screenshot={picture}", page_.resolve().as_uri()]
        subprocess.run(command, check=True, timeout=LIMIT_S, capture_output=True)
