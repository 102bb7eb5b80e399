"""A week's stored run: judged again to the same, as it was judged live, its values reproduced by the queries shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from harness.base.clock import NS
from harness.base.errors import BadInput, Exit
from harness.checks.agreement import DUAL_WRITE
from harness.checks.invariants import CHECKS, OFF
from harness.checks.walk_results import READS
from harness.evidence.store import EVIDENCE, Gathered
from harness.model.evidence import EventRow, ProbeRow, RequestRow, Row, Side
from harness.model.judgement import Decision, Judgement, Kind, Verdict, errata_of
from harness.model.message import english
from harness.model.scenario import Scenario
from harness.model.section import Pairs, Table, Timeline
from harness.model.shown import parse, text
from harness.rehearsals.rollout.observed import WeekDetails, observed
from harness.rehearsals.rollout.week import REHEARSAL
from harness.rehearsals.rollout.week import Week as UnderWay
from harness.report.course import gathered
from harness.rules.judged import CHECK_EVENT, combine
from harness.run.rehearsal import RunRecord
from harness.run.result import details_of, judged
from harness.run.scenarios.load import load
from harness.stack.sim.world import PlantedFaults
from tests.rehearsal.again import judged_again
from tests.rehearsal.made import by_id, seen
from tests.sim.week import Week, cut, few, table, week

HEALTHY, BROKEN = PlantedFaults(), PlantedFaults(unavailable=Fraction(1, 20), errors=Fraction(1, 30))
WAYS = {
    "holds": (few(table(3), window_s=8.0), HEALTHY, Decision.HOLD),
    "rolled_back": (few(table(3), window_s=60.0), BROKEN, Decision.ROLL_BACK),
}
ROLLED_BACK = pytest.mark.parametrize("told", ["rolled_back"], indirect=True, scope="module")


def again(found: Week, rows: tuple[Row, ...], details: WeekDetails | None = None) -> tuple[Judgement, ...]:
    """The run judged on other rows."""
    gathered = Gathered()
    gathered.see(rows)
    left = RunRecord(found.run.facts, details or details_of(REHEARSAL, found.run), gathered, ended=True)
    return judged(REHEARSAL, found.plan, left)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Week, list[Judgement]]]:
    """A run of each way, made once."""
    return cache(partial(ran, tmp_path_factory))


def ran(folders: pytest.TempPathFactory, way: str) -> tuple[Week, list[Judgement]]:
    scenario, planted, decision = WAYS[way]
    live: list[Judgement] = []
    decide = UnderWay._decide

    def remembered(self: UnderWay, *arguments: object) -> None:
        live.extend((*self._results, *self._checks))
        decide(self, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UnderWay, "_decide", remembered)
        found = week(folders.mktemp("week"), scenario, planted=planted)
    assert found.run.decision is decision, found.why
    return found, live


@pytest.fixture(scope="module", params=WAYS)
def told(
    request: pytest.FixtureRequest, runs: Callable[[str], tuple[Week, list[Judgement]]]
) -> tuple[Week, list[Judgement]]:
    """A run, which nobody changes, and what its live judge had said when it decided."""
    return runs(request.param)


def test_it_is_judged_again_and_as_it_was_judged_live(told: tuple[Week, list[Judgement]]) -> None:
    found, live = told
    judged_again(REHEARSAL, Scenario, found.folder)
    assert live
    stored = by_id(found.run.judgements)
    for each in live:
        assert msgspec.structs.replace(stored[each.id], notes=(), reproduce="") == each
    assert found.observed.decision is not None
    assert found.observed.decision.subject == found.run.decision == combine(found.run.judgements)
    limits = [each for each in found.criteria if each.kind is Kind.ROLLBACK_LIMIT]
    assert all("By chance alone it fires in" in english(each.notes) for each in limits)


@pytest.mark.parametrize(
    ("told", "verdict"), [("holds", Verdict.INCONCLUSIVE), ("rolled_back", Verdict.INCONCLUSIVE)], indirect=["told"]
)
def test_a_request_of_which_no_row_is_there_leaves_it_undecided_who_moved(
    told: tuple[Week, list[Judgement]], verdict: Verdict
) -> None:
    """Whosever it was: of users on Firestore no criterion asks."""
    found, _ = told
    rows = found.rows
    since_ns = found.window.start_ns
    first = next(n for n, row in enumerate(rows) if isinstance(row, RequestRow) and row.due_ns >= since_ns)
    assert by_id(again(found, rows))["flag.steady"].verdict is Verdict.PASS
    steady = by_id(again(found, (*rows[:first], *rows[first + 1 :])))["flag.steady"]
    assert steady.verdict is verdict and "; 1 of " in steady.reason


def test_the_query_beside_a_value_gives_that_value(told: tuple[Week, list[Judgement]]) -> None:
    found, _ = told
    with sqlite3.connect(found.folder / EVIDENCE) as connection:
        for each in found.criteria:
            assert each.reproduce
            assert connection.execute(each.reproduce).fetchone()[0] == pytest.approx(each.value, rel=1e-12), each.id


def test_every_claim_of_the_plan_is_judged_or_says_why_not(told: tuple[Week, list[Judgement]]) -> None:
    found, _ = told
    about = {claim: each for each in found.run.judgements for claim in each.claims}
    assert {*found.plan.claims, *filter(None, (each.claim for each in found.plan.criteria))} <= set(about)
    steps = [about[f"rollout.rollback.step{number}"] for number in (1, 2, 3)]
    if found.run.decision is Decision.ROLL_BACK:
        assert [each.verdict for each in steps] == [Verdict.PASS, Verdict.PASS, Verdict.NOT_EXERCISED]
        assert steps[2].reason == "the environment lacks real processes"  # of whose pods log and metrics would be kept
        assert found.switch_over is not None and about["rollout.rollback.step2"].samples == found.switch_over.clients
    else:
        assert {each.verdict for each in steps} == {Verdict.NOT_EXERCISED}
        assert {each.reason for each in steps[:2]} == {"the run was not rolled back"}
    assert about["rollout.schedule.week3"].id == "flag.share"


def test_the_page_has_the_plan_the_course_the_window_and_the_events(told: tuple[Week, list[Judgement]]) -> None:
    found, _ = told
    sections = found.run.sections
    assert [each.differs for each in sections if isinstance(each, Pairs)] == [False, True]
    assert isinstance(sections[0], Table) and sections[0].first, "neither week advances"
    (course,) = [each for each in sections if isinstance(each, Timeline)]
    titles = [str(chart.title) for chart in course.charts]
    assert titles[:3] == ["Availability since the window began", "Active users", "Requests, API"]
    assert {"Latency, API", "Errors, users' requests", "Availability probes"} <= set(titles)
    assert any(phase.judged for phase in course.phases)
    assert {"flag", "decision"} <= {mark.kind for mark in course.marks}
    tables = {str(each.title): each for each in sections if isinstance(each, Table)}
    assert "generator.lag_p99_ms" in {each.name for each in found.run.measured}
    in_order = sorted((row for row in found.rows if isinstance(row, EventRow)), key=lambda row: row.at_ns)
    assert len(tables["Events"].rows) == min(300, len(gathered(in_order)))


def left(found: Week) -> RunRecord[WeekDetails]:
    gathered = Gathered()
    gathered.see(found.rows)
    return RunRecord(found.run.facts, details_of(REHEARSAL, found.run), gathered, judgements=found.run.judgements)


def test_bad_rows_in_a_stored_run_are_seen(told: tuple[Week, list[Judgement]]) -> None:
    """A judge that went by what the run had told would say the same."""
    found, _ = told
    start_ns = found.window.start_ns
    worse = tuple(
        msgspec.structs.replace(row, outcome="refused", status=0)
        if isinstance(row, ProbeRow) and row.due_ns >= start_ns
        else row
        for row in found.rows
    )
    failed = by_id(again(found, worse))
    assert failed["rollback.availability"].verdict is Verdict.FAIL
    assert failed["rollback.availability"].value == 0.0


def test_a_check_that_no_word_is_left_of_was_not_shown_to_be_well(told: tuple[Week, list[Judgement]]) -> None:
    found, _ = told
    back = found.run.decision is Decision.ROLL_BACK
    checks = [row.subject for row in found.rows if isinstance(row, EventRow) and row.kind == CHECK_EVENT]
    assert sorted(checks) == sorted((*CHECKS, OFF) if back else CHECKS)
    without = tuple(row for row in found.rows if not isinstance(row, EventRow) or row.kind != CHECK_EVENT)
    left = by_id(again(found, without))
    lost = [check for check in checks if check != OFF]  # a roll back's own is a step of it
    assert {(left[check].verdict, left[check].holds) for check in lost} == {(Verdict.INCONCLUSIVE, True)}


@pytest.mark.parametrize("told", ["holds"], indirect=True, scope="module")
def test_a_mirror_that_mirrored_nothing_holds_a_week(told: tuple[Week, list[Judgement]]) -> None:
    """As an older harness kept it, too, of which it gated nothing."""
    found, _ = told
    assert not by_id(again(found, found.rows))[DUAL_WRITE].holds
    for gates in (True, False):
        nothing: dict[str, object] = {"verdict": "not_exercised", "gates": gates}
        rows = tuple(
            msgspec.structs.replace(row, data={"judgement": {**row.data["judgement"], **nothing}})
            if isinstance(row, EventRow) and row.subject == DUAL_WRITE
            else row
            for row in found.rows
        )
        check = by_id(again(found, rows))[DUAL_WRITE]
        assert (check.verdict, check.holds) == (Verdict.NOT_EXERCISED, True)


#: What a target answers a canary as its walk's time, by the probe's number, its method and what it was in the run.
TIMES: dict[str, tuple[Callable[[int, str, str], str], Verdict]] = {
    "as it was": (lambda _n, _m, was: was, Verdict.PASS),
    "constant": (lambda _n, _m, _w: "2026-01-01T00:00:00Z", Verdict.INCONCLUSIVE),
    "none": (lambda _n, _m, _w: "", Verdict.INCONCLUSIVE),
    "of each answer": (lambda n, _m, _w: str(n), Verdict.INCONCLUSIVE),
    "another at three of four GETs": (lambda n, m, was: was if m == "PUT" or n % 8 > 5 else "x", Verdict.INCONCLUSIVE),
    "in another way at GETs": (lambda _n, m, was: was if m == "PUT" else was.replace("Z", "+00:00"), Verdict.PASS),
    "whole seconds": (lambda _n, _m, was: was[:19], Verdict.PASS),
}


@pytest.mark.parametrize("told", ["holds"], indirect=True, scope="module")
@pytest.mark.parametrize("way", TIMES)
def test_probes_that_cannot_tell_an_old_walk_from_a_new_one_show_nothing(
    told: tuple[Week, list[Judgement]], way: str
) -> None:
    found, _ = told
    time, verdict = TIMES[way]

    def answered(row: Row) -> Row:
        shown = parse(row.shown) if isinstance(row, ProbeRow) and row.good else None
        if not isinstance(row, ProbeRow) or shown is None or not shown.walks:
            return row
        walks = tuple(replace(each, version=time(row.probe_id, row.method, each.version)) for each in shown.walks)
        return msgspec.structs.replace(row, shown=text(replace(shown, walks=walks)))

    check = by_id(again(found, tuple(map(answered, found.rows))))[READS]
    assert (check.verdict, check.holds) == (verdict, verdict is not Verdict.PASS), check.reason


@pytest.mark.parametrize("told", ["holds"], indirect=True, scope="module")
def test_the_last_answer_of_a_user_is_missed_as_any_other(told: tuple[Week, list[Judgement]]) -> None:
    """No later one is behind it that would show that it was due: only the plan of the window does."""
    found, _ = told
    assert by_id(again(found, found.rows))[READS].verdict is Verdict.PASS
    window = observed([row for row in found.rows if isinstance(row, EventRow)]).window
    last = {row.user: row for row in found.rows if isinstance(row, RequestRow) and row.side is Side.API}
    lost = next(row for row in last.values() if window.start_ns <= row.due_ns < window.end_ns)
    reads = by_id(again(found, tuple(row for row in found.rows if row != lost)))[READS]
    assert reads.verdict is Verdict.INCONCLUSIVE and "1 requests that were due have no row" in reads.reason


@ROLLED_BACK
def test_the_switch_over_is_judged_again_and_not_repeated(told: tuple[Week, list[Judgement]]) -> None:
    found, _ = told
    late = tuple(row for row in found.rows if getattr(row, "side", "api") != "firestore")
    assert by_id(again(found, late))[OFF].verdict is Verdict.FAIL


@ROLLED_BACK
def test_a_request_amid_a_switch_over_that_is_not_in_evidence_may_have_gone_to_the_api(
    told: tuple[Week, list[Judgement]],
) -> None:
    found, _ = told
    assert by_id(again(found, found.rows))[OFF].verdict is Verdict.PASS
    off = observed([row for row in found.rows if isinstance(row, EventRow)]).off
    assert off is not None
    checked = next(n for n, row in enumerate(found.rows) if isinstance(row, EventRow) and row.subject == OFF)
    of_users: dict[str, list[RequestRow]] = {}
    for row in found.rows[:checked]:
        if isinstance(row, RequestRow):
            of_users.setdefault(row.user, []).append(row)
    lost = next(
        own[-2]
        for own in of_users.values()
        if len(own) > 2 and own[0].side is Side.API and off.at_ns < own[-1].sent_ns and own[-1].side is Side.FIRESTORE
    )
    seen = by_id(again(found, tuple(row for row in found.rows if row != lost)))[OFF]
    assert seen.verdict is Verdict.INCONCLUSIVE
    assert seen.reason.endswith(f"of 1 users not every request is in evidence that would show it: {lost.user} first")


@ROLLED_BACK
def test_a_killed_run_is_judged_on_everything_there_is(told: tuple[Week, list[Judgement]]) -> None:
    found, _ = told
    decision = next(n for n, row in enumerate(found.rows) if isinstance(row, EventRow) and row.kind == "decision")
    killed = again(found, found.rows[:decision], WeekDetails())
    assert combine(killed) is Decision.ROLL_BACK
    assert by_id(killed)["rollback.availability"].verdict is Verdict.FAIL


def test_a_run_that_broke_is_judged_as_it_last_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came in after its last look might have fired a limit that it never carried out."""

    def broken(*_: object) -> None:
        raise ValueError("nobody joins this greenlet")

    monkeypatch.setattr("harness.load.phone.fetch_flag", broken)
    found = week(tmp_path, cut(table(1), window_s=60.0, fetch_interval_s=10.0))
    assert found.ended == (None, Exit.RUN_BROKEN)
    details = judged_again(REHEARSAL, Scenario, found.folder)
    assert details.judged_ns is not None and 0 < details.judged_rows < len(found.rows)
    assert all(each.reason for each in found.run.judgements)


def test_nothing_began() -> None:
    """Each claim is inconclusive, or says that nothing judges it; sections are there without a value."""
    plan = load("rollout_week3")
    nothing = seen(WeekDetails(), ended=False)
    found = judged(REHEARSAL, plan, nothing)
    assert combine(found) is Decision.HOLD
    about = {claim: each for each in found for claim in each.claims}
    for criterion in filter(lambda each: each.claim, plan.criteria):
        assert about[criterion.claim].verdict is Verdict.INCONCLUSIVE
        assert about[criterion.claim].reason == "not in evidence: the run ended before it was judged"
    assert [type(each) for each in REHEARSAL.sections(plan, nothing)] == [Pairs, Pairs]


def test_a_check_of_another_harness_is_refused() -> None:
    row = EventRow(at_ns=1, kind=CHECK_EVENT, subject="walks.isolation", message="x", data={"id": "x"})
    with pytest.raises(BadInput, match="a check of the evidence cannot be read"):
        judged(REHEARSAL, load("rollout_week3"), seen(WeekDetails(), [row]))


@pytest.mark.parametrize(("pace_s", "shown"), [(50.0, True), (45.0, False)])
def test_a_rate_without_a_margin_is_the_word_on_its_claim_where_just_as_much_is_offered(
    tmp_path: Path, pace_s: float, shown: bool
) -> None:
    """And the week holds. Where what was offered did not come, that is the target's own, and its claim stays open."""
    found = week(tmp_path, cut(table(2), window_s=5.0, pace_s=pace_s))
    margin, claim = "rollout.week2.rate_without_margin", "rollout.week2.success.request_rate"
    assert (margin in errata_of(found.run.judgements)) is shown
    (about,) = (each for each in found.run.judgements if claim in each.claims)
    assert (about.id, about.erratum) == (
        ("rate:success.request_rate", margin) if shown else ("success.request_rate", "")
    )
    rate = by_id(found.run.judgements)["success.request_rate"]
    assert rate.gates and found.run.decision is Decision.HOLD
    if shown:
        assert rate.verdict is Verdict.INCONCLUSIVE
        judged_again(REHEARSAL, Scenario, found.folder)
        rows = [row for n, row in enumerate(found.rows) if n % 3 or not isinstance(row, RequestRow)]
        slower = again(found, tuple(rows))
        assert by_id(slower)["success.request_rate"].claim == claim and margin not in errata_of(slower)
        early = EventRow(
            at_ns=found.window.start_ns + 3 * NS, kind="decision", subject="roll_back", message="", data={}
        )
        broken_off = again(
            found,
            (
                *(
                    row
                    for row in found.rows
                    if not isinstance(row, EventRow) or row.kind == "check" or row.subject == "window"
                ),
                early,
            ),
        )
        assert by_id(broken_off)["success.request_rate"].claim == claim  # of a part of the window nothing is taken over


@pytest.mark.parametrize("end", ["begin", "end"])
def test_an_error_of_the_measurement_holds_a_week_whenever_it_was(told: tuple[Week, list[Judgement]], end: str) -> None:
    """Outside the window no criterion is about it: a limit that fired stands, and nothing else advances."""
    found, _ = told
    at_ns = {"begin": found.window.start_ns - NS, "end": found.window.end_ns + 60 * NS}[end]
    error = EventRow(at_ns=at_ns, kind="measurement_error", subject="clock", message="it was set", data={})
    before, now = again(found, found.rows), again(found, (*found.rows, error))
    assert ("", "measurement") not in {each.key for each in before}
    assert [(each.key, each.verdict) for each in now[:-1]] == [(each.key, each.verdict) for each in before]
    assert (now[-1].id, now[-1].verdict, now[-1].gates) == ("measurement", Verdict.INCONCLUSIVE, True)
    assert now[-1].reason == "the measurement failed: clock: it was set"
    passed = [each for each in before if not each.holds and not each.fired]
    assert combine([*passed, now[-1]]) is Decision.HOLD
    assert combine(now) is found.run.decision
