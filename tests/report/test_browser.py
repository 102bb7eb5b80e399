"""The reports in a real browser, from the disk: nothing asked of the network, readable on a phone, whole in print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.report.rollout_pages import write_rollout_reports

from harness.model.evidence import Row
from harness.model.message import Message, Told
from harness.model.run import Run
from harness.rehearsals.chaos.report import html as chaos_html
from harness.rehearsals.conformance.page import html as conformance_html
from harness.rehearsals.dr_restore.report import html as recovery_html
from harness.rehearsals.flag_proof.report import html as flag_proof_html
from harness.rehearsals.load_stages.report import html as load_stages_html
from harness.rehearsals.mirror_stop.report import html as mirror_stop_html
from harness.report.html import write_html
from harness.report.language import LANGUAGES, language
from scenarios import claims
from tests.recovery.test_report import observed
from tests.recovery.test_report import report as recovery_report
from tests.report.browser import PHONE_PX, Browser, chromium, pdf_pages
from tests.report.others import chaos_report, conformance, flag_proof, load_report, mirror_stop
from tests.report.runs import rollout_of
from tests.report.synthetic import write

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

KINDS = (
    "healthy",
    "rolled_back",
    "rollout",
    "load_stages",
    "chaos",
    "recovery",
    "flag_proof",
    "mirror_stop",
    "conformance",
)
PAGES = [(kind, code) for kind in KINDS for code in LANGUAGES]
RECOVERY = recovery_report(observed())
#: What the pages without criteria have to print.
REASONS = {
    "load_stages": [*(c.reason for c in load_report().claims), *(k.reason for k in load_report().knees)],
    "recovery": [finding.reason for finding in RECOVERY.findings],
    "chaos": [*(each.reason for each in chaos_report().experiments), *(c.detail for c in chaos_report().checks)],
}
#: The same, in the page's language.
TOLD: dict[str, list[Told]] = {
    "flag_proof": [case.told for case in flag_proof().cases],
    "mirror_stop": [each.told for each in mirror_stop().judgements],
    "conformance": [(Message(text=check.sentence),) for check in conformance().checks],
}
DECISION = {
    ("healthy", "en"): "Advance",
    ("healthy", "ja"): "前進",
    ("rolled_back", "en"): "Roll back",
    ("rolled_back", "ja"): "ロールバック",
    ("rollout", "en"): "Roll back",
    ("rollout", "ja"): "ロールバック",
    ("load_stages", "en"): "Not all passed",
    ("load_stages", "ja"): "合格でないものあり",
    ("chaos", "en"): "All passed",
    ("chaos", "ja"): "すべて合格",
    ("recovery", "en"): "Recovered as promised",
    ("recovery", "ja"): "約束どおり復旧した",
    ("flag_proof", "en"): "Proved",
    ("flag_proof", "ja"): "実証済み",
    ("mirror_stop", "en"): "Not all passed",
    ("mirror_stop", "ja"): "合格でないものあり",
    ("conformance", "en"): "Does not conform",
    ("conformance", "ja"): "不適合",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(healthy: tuple[Run, list[Row]], rolled_back: tuple[Run, list[Row]]) -> dict[str, Run]:
    return {"healthy": healthy[0], "rolled_back": rolled_back[0]}


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: pytest.TempPathFactory, healthy: tuple[Run, list[Row]], rolled_back: tuple[Run, list[Row]]
) -> dict[tuple[str, str], Path]:
    made: dict[tuple[str, str], Path] = {}
    for code in LANGUAGES:
        parent = tmp_path_factory.mktemp(f"rollout-{code}")
        for kind, (run, rows) in (("healthy", healthy), ("rolled_back", rolled_back)):
            folder = write(parent / kind, run, rows)
            made[kind, code] = write_html(folder, run, claims.REGISTER, language(code))
        rollout = rollout_of(healthy[0], rolled_back[0])
        made["rollout", code] = write_rollout_reports(parent, rollout, claims.REGISTER, language(code))[-1]
        for name in KINDS[3:]:
            made[name, code] = parent / f"{name}.html"
        made["load_stages", code].write_text(load_stages_html(load_report(), claims.REGISTER, language(code)))
        made["chaos", code].write_text(chaos_html(chaos_report(), language(code)))
        made["recovery", code].write_text(recovery_html(parent, RECOVERY, language(code)))
        made["flag_proof", code].write_text(flag_proof_html(parent, flag_proof(), language(code)))
        made["mirror_stop", code].write_text(mirror_stop_html(parent, mirror_stop(), language(code)))
        made["conformance", code].write_text(conformance_html(parent, conformance(), language(code)))
    return made


@pytest.mark.parametrize(("kind", "code"), PAGES)
def test_it_opens_offline_and_says_its_decision(
    browser: Browser, pages: dict[tuple[str, str], Path], kind: str, code: str
) -> None:
    path = pages[kind, code]
    browser.open(path)
    assert browser.console() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == [path.as_uri()]
    assert browser.text(".banner strong").endswith(DECISION[kind, code])
    assert browser.title.startswith(f"{DECISION[kind, code]}: ")
    assert browser.text("h1") in browser.title


@pytest.mark.parametrize(("kind", "code"), PAGES)
def test_nothing_scrolls_sideways_on_a_phone(
    browser: Browser, pages: dict[tuple[str, str], Path], kind: str, code: str
) -> None:
    browser.open(pages[kind, code], width_px=PHONE_PX)
    assert browser.width_px() == PHONE_PX
    assert browser.console() == []


@pytest.mark.parametrize(("kind", "code"), PAGES)
def test_the_criteria_are_whole_in_print(
    browser: Browser, pages: dict[tuple[str, str], Path], runs: dict[str, Run], tmp_path: Path, kind: str, code: str
) -> None:
    browser.open(pages[kind, code])
    sheets = pdf_pages(browser.printed(tmp_path / "report.pdf"))
    assert 1 <= len(sheets) <= 12
    assert DECISION[kind, code] in sheets[0]
    paper = squeezed("".join(sheets))
    shown = [run for name, run in runs.items() if kind in (name, "rollout")]
    say = language(code)
    for criterion in (each for run in shown for each in run.criteria):
        assert squeezed(say.told(criterion.told, criterion.reason)) in paper, criterion.id
        assert squeezed(f"{criterion.samples:,}") in paper
    for reason in REASONS.get(kind, ()):
        assert squeezed(reason) in paper
    for parts in TOLD.get(kind, ()):
        assert squeezed(say.told(parts, "")) in paper


def test_the_japanese_page_speaks_the_documents_terms(browser: Browser, pages: dict[tuple[str, str], Path]) -> None:
    browser.open(pages["rolled_back", "ja"])
    seen = browser.text("body")
    for term in ("成功基準", "ロールバック基準", "稼働率"):
        assert term in seen
    assert browser.text(":lang(ja) h1")


def test_no_script_is_needed(browser: Browser, pages: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    path = pages["healthy", "en"]
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
