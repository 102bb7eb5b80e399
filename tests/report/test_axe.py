"""No page has a violation of WCAG 2.2 AA that axe-core finds: every command's, and the sign-off page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.report.html import write_html
from harness.report.language import LANGUAGES, language
from harness.report.signoff.page import render
from tests import register as claims
from tests.corpus import today
from tests.rehearsal.unstored import MADE
from tests.report import axe
from tests.report.browser import PHONE_PX, Browser, chromium
from tests.signoff.test_errata import KNOWN
from tests.signoff.test_page import everything

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

#: The stored runs: one of each rehearsal at least, the weeks as they end.
RUNS = today.NAMES
#: Both languages, widths and colour schemes, in two openings, which runs take by turns: the night has all of each.
OPENINGS = (("ja", 1000, False), ("en", PHONE_PX, True))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def opened(browser: Browser, page: Path, width_px: int, *, dark: bool) -> list[str]:
    browser.open(page, width_px=width_px, dark=dark)
    return axe.violations(browser)


@pytest.mark.parametrize(("run", "opening"), [*zip(RUNS, itertools.cycle(OPENINGS), strict=False)])
def test_the_page_of_a_run_has_none(browser: Browser, tmp_path: Path, run: str, opening: tuple[str, int, bool]) -> None:
    code, width_px, dark = opening
    page = write_html(tmp_path, today.result(run), claims.REGISTER, language(code))
    assert opened(browser, page, width_px, dark=dark) == []


@pytest.mark.parametrize(("made", "opening"), [*zip(MADE, itertools.cycle(OPENINGS), strict=False)])
def test_nor_has_the_page_of_a_rehearsal_without_a_stored_run(
    browser: Browser, tmp_path: Path, made: str, opening: tuple[str, int, bool]
) -> None:
    code, width_px, dark = opening
    of = today.result_of(MADE[made](), "19700101T000000Z-made")
    assert opened(browser, write_html(tmp_path, of, claims.REGISTER, language(code)), width_px, dark=dark) == []


@pytest.mark.nightly
@pytest.mark.parametrize("run", RUNS)
def test_no_page_has_one_however_it_is_opened(browser: Browser, tmp_path: Path, run: str) -> None:
    for code in LANGUAGES:
        page = write_html(tmp_path, today.result(run), claims.REGISTER, language(code))
        for width_px in (1000, PHONE_PX):
            for dark in (False, True):
                assert opened(browser, page, width_px, dark=dark) == []


@pytest.mark.parametrize(("code", "width_px", "dark"), OPENINGS)
def test_the_sign_off_page_has_none(browser: Browser, tmp_path: Path, code: str, width_px: int, dark: bool) -> None:
    page = tmp_path / "signoff.html"
    of = (everything(), claims.REGISTER, claims.CHAPTERS, language(code))
    page.write_text(render(*of, other="other.html", errata_file="errata.md", known=KNOWN), "utf-8")
    assert opened(browser, page, width_px, dark=dark) == []


def test_a_violation_is_seen_and_no_script_of_the_page_itself_runs(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        "<script>document.title = 'ran'</script><html><body><img src='data:,'>"
        "<p style='color: #bbb; background: #fff'>pale</p><input></body></html>"
    )
    seen = {each.partition(":")[0] for each in opened(browser, page, 1000, dark=False)}
    assert {"document-title", "html-has-lang", "image-alt", "color-contrast", "label"} <= seen
    assert {each.partition(":")[0] for each in axe.violations(browser, colours_alone=True)} == {"color-contrast"}
    assert browser.title != "ran"
