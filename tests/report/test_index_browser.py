"""The index of 1,000 runs in Chromium: opened offline within 300 ms, without a violation, filtered and compared."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.report.index import render
from harness.report.language import LANGUAGES, language
from tests.night.test_course import thirty_nights
from tests.report import axe
from tests.report.browser import PHONE_PX, Browser, chromium
from tests.report.test_index import synthetic

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
RUNS = synthetic(1000)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    for code in LANGUAGES:
        (folder / f"{code}.html").write_text(render(RUNS, language(code)), "utf-8")
    (folder / "none.html").write_text(render([], language("en")), "utf-8")
    thirty_nights(folder)
    return {path.stem: path for path in folder.glob("*.html")}


def asked(browser: Browser, expression: str) -> Any:
    answer = browser.do("Runtime.evaluate", expression=f"JSON.stringify({expression})", returnByValue=True)
    return json.loads(answer["result"]["value"])


def chosen(browser: Browser, field: str, value: str) -> None:
    browser.do(
        "Runtime.evaluate",
        expression=f"{{ const of = document.getElementById('{field}'); of.value = {json.dumps(value)}; of.dispatchEvent(new Event('input', {{bubbles: true}})); }}",
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_it_opens_offline_and_at_once(browser: Browser, pages: dict[str, Path], code: str) -> None:
    took_ms = []
    for _ in range(5):
        browser.open(pages[code])
        took_ms.append(asked(browser, "performance.getEntriesByType('navigation')[0].loadEventEnd"))
        assert browser.console() == []
        assert [url for url in browser.requests() if not url.startswith("data:")] == [pages[code].as_uri()]
    assert statistics.median(took_ms) < 300


@pytest.mark.parametrize(
    ("name", "width_px", "dark"),
    [("ja", 1000, False), ("en", PHONE_PX, True), ("none", 1000, True), ("nights", 1000, True), ("nights.ja", PHONE_PX, False)],
)  # fmt: skip
def test_axe_finds_nothing(browser: Browser, pages: dict[str, Path], name: str, width_px: int, dark: bool) -> None:
    browser.open(pages[name], width_px=width_px, dark=dark)
    assert browser.console() == [] and axe.violations(browser) == []
    assert browser.width_px() <= width_px


def test_filters_leave_what_they_say(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["en"])
    assert browser.text("#count") == "1000 of 1000 runs"
    chosen(browser, "plan", "plan3")
    chosen(browser, "decision", "1")
    held = [line for line in RUNS if line.plan == "plan3" and line.exit_status == 10]
    assert browser.text("#count") == f"{len(held)} of 1000 runs"
    rows = asked(browser, "[...document.querySelectorAll('#rows tbody a')].map(each => each.getAttribute('href'))")
    assert rows == [f"./{line.run}/report.html" for line in reversed(held)]
    chosen(browser, "text", held[0].run)
    assert browser.text("#count").startswith(("1 ", "2 ", "3 "))


def test_the_last_good_run_stands_beside_the_first_bad_one(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["en"])
    for plan, environment in {(line.plan, str(line.environment)) for line in RUNS[-6:]}:
        chosen(browser, "plan", plan)
        chosen(browser, "environment", environment)
        of = [
            line
            for line in RUNS
            if (line.plan, line.environment) == (plan, environment) and line.exit_status is not None
        ]
        good, bad = next(pair for pair in zip(of[-2::-1], of[::-1], strict=False) if pair[0].good and not pair[1].good)
        links = asked(
            browser, "[...document.querySelectorAll('#turns tbody a')].map(each => each.getAttribute('href'))"
        )
        assert links == [f"./{good.run}/report.html", f"./{bad.run}/report.html"]
        assert (
            len(asked(browser, "[...document.querySelectorAll('#turns code')].map(each => each.textContent)")) == 2 + 6
        )


def test_each_fact_has_a_trend_with_its_limit(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["en"])
    labels = "[...document.querySelectorAll('#charts svg')].map(each => [each.getAttribute('aria-label'), !!each.querySelector('.limit')])"
    first = asked(browser, labels)
    assert len(first) == 12 and all("limit 500 ms" in label and limited for label, limited in first)
    browser.do("Runtime.evaluate", expression="document.getElementById('facts').click()")
    assert len(asked(browser, labels)) == 40


def test_without_its_script_it_says_what_to_type(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["en"], scripts=False)
    assert "python3 -m harness runs" in browser.text("main")
