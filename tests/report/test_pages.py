"""The pages of the commands without criteria: escaped, self-contained, their links arrive, each in its language."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from chaos import catalogue
from harness.model.evidence import EventRow, Row, happened
from harness.model.message import message, verbatim
from harness.model.run import Run
from harness.model.stack import FAULT, Fault, FaultKind
from harness.model.step import Arrivals, Step
from harness.rehearsals.chaos.report import html as chaos_html
from harness.rehearsals.chaos.report import summary as chaos_summary
from harness.rehearsals.conformance.page import html as conformance_html
from harness.rehearsals.conformance.report import write_report as write_conformance
from harness.rehearsals.flag_proof.report import html as flag_proof_html
from harness.rehearsals.flag_proof.report import write_report as write_flag_proof
from harness.rehearsals.load_stages.report import html as load_html
from harness.rehearsals.load_stages.report import step_words
from harness.rehearsals.load_stages.report import summary as load_summary
from harness.rehearsals.mirror_stop.report import html as mirror_stop_html
from harness.rehearsals.mirror_stop.report import write_report as write_mirror_stop
from harness.report.html import render
from harness.report.language import ENGLISH, LANGUAGES, Language, language
from scenarios import claims
from tests.report.others import chaos_report, conformance, flag_proof, load_report, mirror_stop
from tests.report.synthetic import write
from tests.report.test_html import Page

WRITE: dict[str, Callable[[Path, Language], None]] = {
    "flag_proof": lambda folder, say: write_flag_proof(folder, flag_proof(), say),
    "mirror_stop": lambda folder, say: write_mirror_stop(folder, mirror_stop(), say),
    "conformance": lambda folder, say: write_conformance(folder, conformance(), say=say),
}
HTML: dict[str, Callable[[Path, Language], str]] = {
    "flag_proof": lambda folder, say: flag_proof_html(folder, flag_proof(), say),
    "mirror_stop": lambda folder, say: mirror_stop_html(folder, mirror_stop(), say),
    "conformance": lambda folder, say: conformance_html(folder, conformance(), say),
}


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("kind", WRITE)
def test_a_page_is_whole_and_its_links_arrive(tmp_path: Path, kind: str, code: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "api.log").write_text("{}")
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests" / "operations.health.http").write_text("GET /health")
    WRITE[kind](tmp_path, language(code))
    html = (tmp_path / "report.html").read_text()
    page = Page(html)
    assert page.unbalanced == [] and page.open == []
    assert not re.search(r"https?://|url\(|<script", html)
    links = [href for href in page.values("href") if href.startswith("./")]
    assert len(links) >= 2
    assert [href for href in links if not (tmp_path / href).is_file()] == []
    assert page.values("lang")[0] == code


@pytest.mark.parametrize("kind", HTML)
def test_a_japanese_page_says_what_the_english_says(tmp_path: Path, kind: str) -> None:
    english, japanese = (Page(HTML[kind](tmp_path, language(code))) for code in LANGUAGES)
    assert english.values("id") == japanese.values("id")
    assert len(english.tags) == len(japanese.tags)
    for said in ("Run", "Started", "Passed", "erratum", "walks of", "answers", "the document allows", "Correction"):
        assert not re.search(rf"\b{said}\b", japanese.text), said


def test_what_a_target_answers_is_escaped_and_its_token_shortened(tmp_path: Path) -> None:
    html = conformance_html(tmp_path, conformance(), language("en"))
    assert "body &lt;b&gt;oops&lt;/b&gt;" in html
    assert "x" * 30 not in html
    assert './requests/operations.health.http"' in html


def test_an_event_is_said_in_the_pages_language(healthy: tuple[Run, list[Row]], tmp_path: Path) -> None:
    run, rows = healthy
    at_ns = next(row.at_ns for row in rows if isinstance(row, EventRow))
    told = message("injected: {fault}", fault=Fault(kind=FaultKind.LATENCY, delay_ms=300, share=0.12).told)
    more = (message("{what}: {why}", what="week1.errors", why=verbatim("as it was said")), message("the run ended"))
    added: list[Row] = [
        happened(at_ns, "fault", "latency", told, {"share": 0.12}),
        happened(at_ns, "decision", "hold", more, {}),
        EventRow(at_ns=at_ns, kind="component", subject="envoy", message="told of old", data={"told": "no messages"}),
    ]
    folder = write(tmp_path / "run", run, [*rows, *added])
    english, japanese = (Page(render(folder, run, claims.REGISTER, language(code))).text for code in LANGUAGES)
    assert "injected: latency 300 ms on 12 % of requests" in english
    assert "week1.errors: as it was said; the run ended" in english
    assert "注入: リクエストの12 %にレイテンシ 300 ms" in japanese
    assert "week1.errors: as it was said。実行が終了" in japanese
    assert "told of old" in english and "told of old" in japanese


def test_every_fault_has_words() -> None:
    assert set(FAULT) == set(FaultKind)
    assert str(Fault(kind=FaultKind.PART_SLOW, subject="auth")) == "part slow auth"
    assert str(Fault(kind=FaultKind.DATABASE_SLOW, delay_ms=200)) == "database slow 200 ms"
    assert str(Fault(kind=FaultKind.POD_CRASH)) == "a pod crashed"
    assert str(Fault(kind=FaultKind.ERRORS, share=0.1)) == "errors on 10 % of requests"


def test_titles_of_experiments_and_parts_and_load_steps_speak_japanese() -> None:
    say = language("ja")
    chaos = chaos_report()
    title = catalogue.load("pod_kill").title
    first = msgspec.structs.replace(chaos.experiments[0], title=title)
    chaos = msgspec.structs.replace(chaos, experiments=(first, *chaos.experiments[1:]))
    for told in (chaos_html(chaos, say), chaos_summary(chaos, say)):
        assert "Podを猶予0で削除する" in told and title not in told
    assert title in chaos_html(chaos) and title in chaos_summary(chaos)

    load = load_report()
    for told in (load_html(load, claims.REGISTER, say), load_summary(load, say)):
        assert f"性能の限界点 ({load.steps[0].step.name})" in told and "knee (" not in told
    closed = Step(name="in_flight_10", arrivals=Arrivals.CLOSED, seconds=1, users=10, in_flight=10)
    assert (step_words(closed, ENGLISH), step_words(closed, say)) == (
        "10 in flight (in_flight_10)",
        "同時処理10件 (in_flight_10)",
    )
