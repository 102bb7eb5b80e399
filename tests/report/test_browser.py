"""The page in a real browser, from the disk: nothing asked of the network, readable on a phone, whole in print."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.message import raw_text
from harness.model.result import Part, Result
from harness.model.section import Lines, Pairs
from harness.report.html import write_html
from harness.report.language import LANGUAGES, language
from tests import register as claims
from tests.report import results
from tests.report.browser import PHONE_PX, Browser, chromium, pdf_pages
from tests.report.results import command, judgement
from tests.report.test_html import nasty

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LONG = "x" * 400


def long() -> Result:
    """Words that have no place to break, wherever evidence can bring them."""
    told = (raw_text(LONG),)
    return command(
        Decision.HOLD,
        judgement(
            Verdict.FAIL, id=LONG, claim=LONG, asked=told, told=told, shown=told, notes=told, examples=(LONG,),
            reproduce=LONG, part=LONG,
        ),
        judgement(Verdict.ERRATUM_SHOWN, id="e", erratum=LONG),
        title=told[0], parts=(Part(name="p", title=told[0]),), errors=(LONG,), leaks=(LONG,), replay=LONG,
        sections=(Pairs(pairs=((told[0], LONG),)), Lines(title=told[0], lines=(LONG,)), results.wide_table()),
        rung_changes=(LONG,), run_id=LONG,
    )  # fmt: skip


MADE: dict[str, Callable[[], Result]] = {
    "advanced": results.advanced,
    "rolled_back": results.rolled_back,
    "everything": results.everything,
    "long": long,
    "nasty": nasty,
}
PAGES = [(kind, code) for kind in MADE for code in LANGUAGES]
WORD = {
    ("advanced", "en"): "Advance",
    ("advanced", "ja"): "前進",
    ("rolled_back", "en"): "Roll back",
    ("rolled_back", "ja"): "ロールバック",
    ("everything", "en"): "Not all passed",
    ("everything", "ja"): "合格でないものあり",
    ("long", "en"): "Not finished",
    ("long", "ja"): "未完了",
    ("nasty", "en"): "Hold",
    ("nasty", "ja"): "保留",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    made: dict[tuple[str, str], Path] = {}
    for kind, code in PAGES:
        folder = tmp_path_factory.mktemp(f"{kind}-{code}")
        made[kind, code] = write_html(folder, MADE[kind](), claims.REGISTER, language(code))
    return made


@pytest.mark.parametrize(("kind", "code"), PAGES)
def test_it_opens_offline_and_says_how_it_ended(
    browser: Browser, pages: dict[tuple[str, str], Path], kind: str, code: str
) -> None:
    path = pages[kind, code]
    browser.open(path)
    assert browser.console() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [path.as_uri()]
    assert browser.text(".banner strong").endswith(WORD[kind, code])
    assert browser.title.startswith(f"{WORD[kind, code]}: ")


@pytest.mark.parametrize(("kind", "code"), PAGES)
def test_nothing_scrolls_sideways_on_a_phone(
    browser: Browser, pages: dict[tuple[str, str], Path], kind: str, code: str
) -> None:
    browser.open(pages[kind, code], width_px=PHONE_PX)
    assert browser.width_px() == PHONE_PX
    assert browser.console() == []


def printed(run: Result) -> Iterator[Judgement]:
    """What is on paper: what is folded, too; but for what is told with the errata."""
    return (each for each in run.judgements if each.id != "patch:x")


@pytest.mark.parametrize(("kind", "code"), [page for page in PAGES if page[0] != "nasty"])
def test_the_judgements_are_whole_in_print(
    browser: Browser, pages: dict[tuple[str, str], Path], tmp_path: Path, kind: str, code: str
) -> None:
    browser.open(pages[kind, code])
    sheets = pdf_pages(browser.printed(tmp_path / "report.pdf"))
    assert 1 <= len(sheets) <= 12
    assert WORD[kind, code] in sheets[0]
    if kind == "long":
        return  # columns beside each other are read line by line
    paper = squeezed("".join(sheets))
    say = language(code)
    for each in printed(MADE[kind]()):
        assert squeezed(say.told(each.told, "")) in paper, each.id
        assert squeezed(say.told(each.asked, each.id)) in paper, each.id
        assert not each.samples or f"{each.samples:,}" in paper
    if kind == "everything":
        assert squeezed(say("{count} passed", count=25)) in paper


def test_the_japanese_page_speaks_the_documents_terms(browser: Browser, pages: dict[tuple[str, str], Path]) -> None:
    browser.open(pages["rolled_back", "ja"])
    seen = browser.text("body")
    for term in ("成功基準", "ロールバック基準", "実測値"):
        assert term in seen
    assert browser.text(":lang(ja) h1")


def test_no_script_is_needed(browser: Browser, pages: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    path = pages["everything", "en"]
    browser.open(path)
    with_scripts = pdf_pages(browser.printed(tmp_path / "with.pdf"))
    browser.open(path, scripts=False)
    assert pdf_pages(browser.printed(tmp_path / "without.pdf")) == with_scripts


def test_a_page_that_asks_the_network_or_scrolls_is_seen(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<title>x</title><img src="http://127.0.0.1:9/x.png"><pre style="width:900px">wide</pre>')
    browser.open(page, width_px=PHONE_PX)
    assert browser.width_px() > PHONE_PX
    assert "http://127.0.0.1:9/x.png" in browser.requests()
    assert browser.console()


def squeezed(text: str) -> str:
    """Without what the paper's lines break: blanks, and the hyphen-free ends of lines."""
    return re.sub(r"\s+", "", text)
