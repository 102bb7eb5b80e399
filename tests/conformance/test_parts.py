"""The parts that need no stack: shapes, requests as curl lines, ids, reports."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.clock import NS, Anchor, MachineClock
from harness.base.errors import BadInput
from harness.checks.contract import shape
from harness.checks.contract.check import Deviates, chosen, must, needs
from harness.checks.contract.http import HttpExchange, send
from harness.checks.contract.people import changed
from harness.checks.contract.reach import NotExercised, spare
from harness.checks.contract.run import CheckRun, Deviation, DeviationKind, Grade, SentenceSource, SourceKind
from harness.checks.contract.runner import keep_request
from harness.checks.contract.shape import location
from harness.evidence.store import Gathered
from harness.model.message import raw_text
from harness.model.result import RunInfo
from harness.model.stack import Address, EnvironmentKind
from harness.rehearsals.conformance.checks import ALL, rate_limit
from harness.rehearsals.conformance.command import ConformanceCommand
from harness.rehearsals.conformance.rehearsal import REHEARSAL
from harness.rehearsals.conformance.types import ConformanceDetails, ConformancePlan
from harness.report.write_all import write_reports
from harness.run.rehearsal import RunRecord
from harness.run.result import Page, build_result, judged
from tests import register as claims

WALK = {
    "id": "5B6F3AFF-0000-4000-8000-0123456789AB",
    "user_id": "u",
    "title": "t",
    "description": "",
    "start_time": None,
    "end_time": "2025-10-20T09:00:00.123456789+09:00",
    "paused_at": None,
    "total_distance": 0,
    "total_steps": 3.0,
    "polyline_data": None,
    "thumbnail_image_url": None,
    "status": "paused",
    "total_paused_duration": 1.5,
    "created_at": "2025-10-20T00:00:00Z",
    "updated_at": "2025-10-20T00:00:00.5Z",
    "extra": "is nobody's harm",
}


FACTS = RunInfo(
    rung=EnvironmentKind.LOCAL,
    target="t",
    target_bundled=False,
    seed=1,
    replay="again",
    started_utc="2025-10-20T00:00:00.000Z",
    anchor=Anchor(unix_ns=0, monotonic_ns=0),
)


def exchange(**changes: object) -> HttpExchange:
    fields = {"method": "PUT", "path": "/v1/walks/x", "sent_headers": (), "sent_body": b"", "raw": b"", "status": 200}
    return HttpExchange(**(fields | changes))  # type: ignore[arg-type]


def test_ids_are_unique_and_sentences_are_there() -> None:
    assert len({check.id for check in ALL}) == len(ALL) >= 100
    assert all(check.sentence for check in ALL)


def test_a_good_walk_has_no_problems() -> None:
    assert shape.problems(WALK, shape.WALK) == []


@pytest.mark.parametrize("name", list(shape.WALK))
def test_a_missing_field_is_named(name: str) -> None:
    (problem,) = shape.problems({k: v for k, v in WALK.items() if k != name}, shape.WALK)
    assert str(problem).startswith(f"{name} is missing")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "x"),
        ("user_id", None),
        ("title", 5),
        ("start_time", "2025-10-20 09:00"),
        ("start_time", "2025-10-20T09:00:00"),
        ("created_at", None),
        ("created_at", "2025-13-20T00:00:00Z"),
        ("total_distance", "0"),
        ("total_distance", True),
        ("total_steps", 1.5),
        ("status", "flying"),
        ("polyline_data", 0),
    ],
)
def test_a_wrong_field_is_named(name: str, value: object) -> None:
    (problem,) = shape.problems(WALK | {name: value}, shape.WALK)
    assert str(problem).startswith(f"{name} is ")


def test_locations_may_lack_what_is_optional() -> None:
    bare = {"latitude": 0, "longitude": 0.5, "timestamp": "2025-10-20T00:00:00Z", "sequence_number": 0}
    assert shape.location_problems(bare | {"speed": None}) == []
    assert shape.location_problems(location(1)) == []
    (wrong,) = shape.location_problems(bare | {"speed": "fast"})
    assert str(wrong) == "speed is 'fast', not a number, null or absent"


@pytest.mark.parametrize(
    ("body", "good"),
    [
        ({"error": {"code": "NOT_FOUND", "message": "x"}}, True),
        ({"error": {"code": "CONFLICT", "message": "x"}}, False),
        ({"error": {"code": "NOT_FOUND", "message": ""}}, False),
        ({"error": {"message": "x"}}, False),
        ({"error": "NOT_FOUND"}, False),
        ("404 page not found", False),
        (None, False),
    ],
)
def test_error_bodies(body: object, good: bool) -> None:
    assert (shape.error_problems(body, "NOT_FOUND") == []) is good


@given(st.integers(86_400_000, 32_000_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_the_same_instant_in_another_offset_is_the_same_time(unix_ms: int, minutes: int) -> None:
    here = datetime.fromtimestamp(unix_ms / 1000, tz=UTC)
    there = here.astimezone(timezone(timedelta(minutes=minutes)))
    assert shape.is_time(here.isoformat()) and shape.is_time(there.isoformat())
    assert shape.same_time(here.isoformat().replace("+00:00", "Z"), there.isoformat())
    if unix_ms % 1000 and (unix_ms + 2) % 1000:  # of whole seconds the second counts
        assert not shape.same_time(here.isoformat(), (there + timedelta(milliseconds=2)).isoformat())


def test_times_are_compared_as_instants() -> None:
    assert shape.same_time("2025-10-20T09:00:00+09:00", "2025-10-20T00:00:00.000Z")
    assert shape.same_time("2025-10-20T09:00:00Z", "2025-10-20T09:00:00.125Z"), (
        "whole seconds are the contract's advice"
    )
    for other in ("2025-10-20T09:00:01.002Z", "2025-10-20T08:59:59.900Z"):
        assert not shape.same_time("2025-10-20T09:00:00Z", other)
    assert not shape.same_time("2025-10-20T09:00:00.125Z", "2025-10-20T09:00:00Z"), "nobody sent a fraction"
    assert not shape.same_time("2025-10-20T09:00:00.124Z", "2025-10-20T09:00:00.126Z")
    assert not shape.same_time("2025-10-20T09:00:00Z", None)


@pytest.mark.process
@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "it\'s"}',
        '{"title": "朝の散歩"}'.encode(),
        b'{"a": "$HOME `x` \\u0000 %s"}',
        b'{"title": "\xff\xfe"}',
        b'{"title": "a\x00b"}',
        b"\n",
        b"x" * 5000,
    ],
)
def test_a_curl_line_sends_the_same_bytes(body: bytes, tmp_path: Path) -> None:
    """Run by bash with a ``curl`` that writes what it would send."""
    result = CheckRun(id="a.check", sentence="s")
    path = '/v1/walks/a$b"c`d'
    sent = exchange(path=path, sent_headers=(("Authorization", "Bearer it's"),), sent_body=body, raw=b"raw " + body)
    kept = keep_request(result, sent, tmp_path)
    assert (tmp_path / kept.request_file).read_bytes() == b"raw " + body
    fake = """curl() { while [ $# -gt 0 ]; do case "$1" in
      --data-binary) case "$2" in @*) cat "${2#@}" > body;; *) printf %s "$2" > body;; esac; shift;;
      -H) printf %s "$2" > header; shift;; http*) printf %s "$1" > url;; esac; shift; done; }
    API=http://x
    """
    subprocess.run(["bash", "-c", fake + kept.curl], cwd=tmp_path, check=True, timeout=20)
    assert (tmp_path / "body").read_bytes() == body
    assert (tmp_path / "header").read_text() == "Authorization: Bearer it's"
    assert (tmp_path / "url").read_text() == f"http://x{path}"


@pytest.mark.process
async def test_a_refused_connection_is_an_answer() -> None:
    answer = await send(Address(host="127.0.0.1", port=1), "GET", "/health", headers={})
    assert answer.status == 0 and "Refused" in answer.broken
    with pytest.raises(Deviates, match="no answer"):
        must(answer, 200)


def test_a_preparation_that_fails_is_not_a_deviation() -> None:
    walk = "/v1/walks/5b6f3aff-0000-4000-8000-0123456789ab?x=1"
    with pytest.raises(NotExercised, match=r"PUT /v1/walks/\{uuid\} to work: status 500"):
        needs(exchange(path=walk, status=500))
    assert needs(exchange(status=201)).status == 201


def test_a_changed_token_keeps_its_other_claims() -> None:
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1IiwiYXVkIjoicCJ9."  # {"sub":"u","aud":"p"}
    assert changed(token) == token
    assert changed(token, aud=None).split(".")[1] == "eyJzdWIiOiJ1In0"


def test_only_chooses_by_pattern() -> None:
    assert {check.id for check in chosen(ALL, ["stop.*"])} == {
        "stop.exit_status",
        "stop.within_limit",
        "stop.finishes_request",
        "stop.stops_accepting",
    }
    assert chosen(ALL, []) == ALL
    with pytest.raises(BadInput, match="stopp"):
        ConformanceCommand(only=("stop.*", "stopp.*")).planned()


def test_a_page_survives_whatever_a_target_answers(tmp_path: Path) -> None:
    nasty = "| <b>*x*</b> {curly} \x00\x1b[31m \ud800".encode("utf-8", "replace").decode()
    deviation = Deviation(expected=nasty, got=nasty, grade=Grade.OPENAPI, finding=DeviationKind.BODY)
    source = SentenceSource(SourceKind.OPENAPI, f"{nasty}:7")
    runs = [
        CheckRun(id="a.b", sentence="s", deviation=deviation, source=source, curl=f"curl {nasty}"),
        CheckRun(id="a.c", sentence="s", lacking=raw_text(nasty)),
        CheckRun(id="a.d", sentence="s", broken=nasty),
    ]
    details = ConformanceDetails(checks=runs)
    seen = RunRecord(facts=FACTS, details=details, evidence=Gathered())
    plan = ConformancePlan(only=("stop.*",))
    judgements = judged(REHEARSAL, plan, seen)
    drawn = Page(REHEARSAL.title(plan), sections=tuple(REHEARSAL.sections(plan, replace(seen, judgements=judgements))))
    result = build_result(REHEARSAL, plan, seen, judgements, drawn, run_id="r")
    write_reports(tmp_path, result, claims.REGISTER)
    page = (tmp_path / "report.html").read_text()
    assert "<b>*x*" not in page and page.count("&lt;b&gt;") >= 4
    root = ET.parse(tmp_path / "junit.xml").getroot()
    found = {case.attrib["name"]: [c.tag for c in case if c.tag != "system-out"] for case in root.iter("testcase")}
    assert found["a.b"] == ["failure"]
    outside_code = (tmp_path / "summary.md").read_text().split("```")[::2]
    assert not any("<b>" in part for part in outside_code)


async def test_a_stack_without_a_program_beside_its_pods_holds_nothing_up() -> None:
    with pytest.raises(NotExercised, match="the environment runs no program") as lacking:
        async with spare(cast(Any, object()), MachineClock(), "x"):
            raise AssertionError("nothing was started")
    assert lacking.value.allowed


async def test_a_limit_that_never_acts_is_not_exercised_however_slowly_it_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asked for a minute, as many as were asked may be let through: without a 429 none was seen."""
    clock = SimpleNamespace(ns=0, anchor=Anchor(monotonic_ns=0, unix_ns=0))
    clock.now_ns = lambda: clock.ns

    async def user() -> None:
        return None

    async def asked(*_: object) -> tuple[int, Any]:
        clock.ns += 70 * NS
        return 205, SimpleNamespace(status=200)

    monkeypatch.setattr(rate_limit, "_until_limited", asked)
    bench = SimpleNamespace(rule=lambda _: 100, user=user, clock=clock)
    with pytest.raises(NotExercised, match="205 requests were let through"):
        await rate_limit.limit(cast(Any, bench))


def test_what_a_target_adds_to_a_walk_is_no_part_of_it() -> None:
    """Fields beyond the contract's are nobody's harm: a counter of versions, when it was served."""
    walk = {"id": "a", "title": "t", "locations": [{"sequence_number": 0, "latitude": 35.0}]}
    more = walk | {"version": 7, "served_at": "now", "locations": [walk["locations"][0] | {"row": 3}]}  # type: ignore[operator]
    assert shape.of_contract(more) == walk == shape.of_contract(walk)
    assert shape.of_contract(walk | {"title": "other"}) != walk
    assert shape.of_contract(None) is None and shape.of_contract([1]) == [1]
    assert shape.of_contract({"locations": [None, 5]}) == {"locations": [None, 5]}
