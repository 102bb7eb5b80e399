"""The sign-off page in a real browser: offline, on a phone, whole in print."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.stored.signoff import PAGES
from harness.report.language import language
from harness.signoff.page import render
from scenarios import claims
from tests.report.browser import PHONE_PX, chromium, pdf_pages
from tests.signoff.test_page import everything

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_both_languages_open_offline_fit_a_phone_and_print_every_claim(tmp_path: Path) -> None:
    of = everything()
    with chromium(tmp_path / "profile") as browser:
        for code, name in PAGES.items():
            say, path = language(code), tmp_path / name
            path.write_text(
                render(of, claims.REGISTER, claims.CHAPTERS, say, other="other.html", errata="errata.md"), "utf-8"
            )
            browser.open(path)
            assert [url for url in browser.requests() if not url.startswith("data:")] == [path.as_uri()]
            assert browser.text("dl.facts a[href='./errata.md']") == say(
                "every erratum with its evidence and, where one can be given, a patch of the document"
            )
            assert browser.text(".banner strong") == f"✗ {say('Not to be signed yet')}"
            paper = "".join("".join(pdf_pages(browser.printed(tmp_path / "page.pdf"))).split())
            assert [claim for claim in claims.REGISTER if claim not in paper] == []
            browser.open(path, width_px=PHONE_PX)
            assert browser.width_px() == PHONE_PX
            assert browser.console() == []
