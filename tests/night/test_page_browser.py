"""The page of thirty nights in Chromium: offline, without a violation, and no wider than a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from night import page

from harness.report.language import LANGUAGES
from tests.night.test_course import NIGHTS, made
from tests.report import axe
from tests.report.browser import PHONE_PX, Browser, chromium

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize(("width_px", "dark"), [(1000, False), (PHONE_PX, True)])
def test_it_opens_offline_and_axe_finds_nothing(
    browser: Browser, tmp_path: Path, code: str, width_px: int, dark: bool
) -> None:
    shown = dict(zip(LANGUAGES, page.write([made(number) for number in range(NIGHTS)], tmp_path), strict=True))[code]
    browser.open(shown, width_px=width_px, dark=dark)
    assert browser.console() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [shown.as_uri()]
    assert axe.violations(browser) == []
    assert browser.width_px() <= width_px
