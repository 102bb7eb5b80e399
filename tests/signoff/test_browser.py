"""The sign-off page in a real browser: offline, on a phone, and what a print has."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.stored.signoff import PAGES
from harness.report.language import language
from harness.report.signoff.page import headline, render
from tests import register as claims
from tests.report.browser import PHONE_PX, chromium, pdf_pages
from tests.signoff.test_errata import KNOWN
from tests.signoff.test_page import everything

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_both_languages_open_offline_fit_a_phone_and_print_the_sheet_to_sign_first(tmp_path: Path) -> None:
    of = everything()
    files = {"other": "other.html", "errata_file": "errata.md"}
    with chromium(tmp_path / "profile") as browser:
        for code, name in PAGES.items():
            say, path = language(code), tmp_path / name
            path.write_text(render(of, claims.REGISTER, claims.CHAPTERS, say, known=KNOWN, **files), "utf-8")
            browser.open(path)
            assert [url for url in browser.requests() if not url.startswith("data:")] == [path.as_uri()]
            assert browser.text(".banner strong") == f"✗ {headline(of, say)}"
            pages = pdf_pages(browser.printed(tmp_path / "page.pdf"))
            sheet = "".join(pages[0].split())
            for each in (headline(of, say), say("Signature"), say("What stands in the way"), of.blockers[0].of):
                assert "".join(each.split()) in sheet
            assert len(pages) <= 15
            browser.open(path, width_px=PHONE_PX)
            assert browser.width_px() == PHONE_PX
            assert browser.console() == []
