"""A realistic week 3 as evidence, drawn from a seed, and the run that the real judge makes of it.

Not recorded: written, so that a test can plant what it wants to see. The judge, its ledger and its summaries are the
harness' own.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.base.clock import NS, Anchor
from harness.evidence.store import EvidenceStore, Gathered
from harness.model.evidence import (
    EventRow,
    FlagRow,
    Operation,
    Outcome,
    ProbeRow,
    RequestRow,
    Row,
    SampleRow,
    SessionRow,
    Side,
    Window,
)
from harness.model.judgement import Decision, Kind
from harness.model.result import Result, RunInfo
from harness.model.scenario import AudiencePlan, Comparison, Criterion, Metric, PopulationPlan, Scenario
from harness.model.stack import Capability, EnvironmentKind
from harness.rehearsals.rollout.observed import WeekDetails
from harness.rehearsals.rollout.week import REHEARSAL
from harness.rules.criteria import judge
from harness.rules.judged import combine
from harness.rules.ledger import Ledger
from harness.run.rehearsal import RunRecord
from harness.run.result import Page, build_result, judged

MS = 1_000_000
ANCHOR = Anchor(monotonic_ns=1_000 * NS, unix_ns=1_790_000_000 * NS)
PODS = ("tekutoko-api-6d9f7c-x2k4p", "tekutoko-api-6d9f7c-q8w1z")


def criterion(id_: str, kind: Kind, metric: Metric, comparison: Comparison, threshold: float) -> Criterion:
    return Criterion(
        id=id_, claim=f"rollout.week3.{id_}", kind=kind, metric=metric, comparison=comparison, threshold=threshold
    )


CRITERIA = (
    criterion("success.concurrent_users", Kind.CRITERION, Metric.CONCURRENT_USERS, Comparison.AT_LEAST, 250),
    criterion("success.availability", Kind.CRITERION, Metric.AVAILABILITY, Comparison.ABOVE, 0.995),
    criterion("rollback.availability", Kind.ROLLBACK_LIMIT, Metric.AVAILABILITY, Comparison.BELOW, 0.99),
)


@dataclass
class Week:
    """What happens. Seconds count from the run's start; a fault spoils ``share`` of requests and probes."""

    seed: int = 7
    users: int = 500
    pace_s: float = 50.0
    stack_up_s: float = 14.0
    window_start_s: float = 24.0
    window_s: float = 120.0
    fault_at_s: float | None = None
    fault_share: float = 0.12
    criteria: tuple[Criterion, ...] = CRITERIA
    rows: list[Row] = field(default_factory=list)

    def at(self, seconds: float) -> int:
        return ANCHOR.monotonic_ns + int(seconds * NS)

    @property
    def scenario(self) -> Scenario:
        half = self.users // 2
        return Scenario(
            name="rollout_week3",
            title="Week 3: half of the users on the API",
            claims=tuple(each.claim for each in self.criteria),
            population=PopulationPlan(
                audiences=(AudiencePlan(name="general", users=self.users, flag_on=half),), pace_s=self.pace_s
            ),
            criteria=self.criteria,
            window_s=self.window_s,
        )


def event(week: Week, at_s: float, kind: str, subject: str, message: str, **data: object) -> None:
    week.rows.append(EventRow(at_ns=week.at(at_s), kind=kind, subject=subject, message=message, data=data))


def generate(week: Week) -> list[Row]:
    """The rows in the order in which a harness would have stored them."""
    dice = random.Random(week.seed)
    end_s = week.window_start_s + week.window_s
    _admission(week, dice)
    _requests(week, dice, week.window_start_s, end_s)
    _probes(week, dice, end_s)
    if week.fault_at_s is not None:
        event(week, week.fault_at_s, "fault", "errors", f"injected errors in {week.fault_share:.0%} of requests")
    decided_s, decision = _judged_live(week, end_s)
    if decision is Decision.ROLL_BACK:
        week.rows = [row for row in week.rows if _known(row) <= week.at(decided_s)]
        event(week, decided_s + 0.1, "flag", "use_go_backend", "published version 2: on for nobody", version=2, on=0)
        _switch(week, dice, decided_s)
    last_s = decided_s + (65 if decision is Decision.ROLL_BACK else 2)
    _samples(week, dice, last_s)
    event(week, last_s, "phase", "end", "the run ended")
    rows = sorted(week.rows, key=_known)
    return _decided(week, rows, decided_s, decision)


def _known(row: Row) -> int:
    return row.done_ns if isinstance(row, RequestRow | ProbeRow) else row.at_ns


def _admission(week: Week, dice: random.Random) -> None:
    event(week, 0, "phase", "stack", "bringing the stack up")
    for number, part in enumerate(("postgres", "auth", "firestore", "remote-config", "envoy"), 2):
        event(week, 0.4 * number, "component", part, "ready")
    for number, pod in enumerate(PODS):
        event(week, 3 + number, "pod", pod, "Pending -> Running")
        event(week, 11 + number, "pod", pod, "Running -> Ready")
    event(
        week,
        week.stack_up_s,
        "flag",
        "use_go_backend",
        f"published version 1: on for {week.users // 2} of {week.users} users",
        version=1,
    )
    event(week, week.stack_up_s + 0.2, "phase", "admission", f"signing in {week.users} simulated users")
    window_ns = {"start_ns": week.at(week.window_start_s), "end_ns": week.at(week.window_start_s + week.window_s)}
    event(
        week,
        week.window_start_s - 1,
        "phase",
        "window",
        f"measuring for {week.window_s:g} s",
        seed=week.seed,
        bucket="photos",
        **window_ns,
    )
    room_s = week.window_start_s - week.stack_up_s - 2
    for number in range(week.users):
        at_s = week.stack_up_s + 0.5 + room_s * number / week.users
        user = f"u{number:04d}"
        week.rows.append(SessionRow(at_ns=week.at(at_s), user=user, audience="general", live=True))
        week.rows.append(
            FlagRow(at_ns=week.at(at_s + 0.05), user=user, value=number % 2 == 0, template_version=1, fetched=True)
        )


def _broken(week: Week, dice: random.Random, at_s: float) -> bool:
    return week.fault_at_s is not None and at_s >= week.fault_at_s and dice.random() < week.fault_share


def _request(week: Week, dice: random.Random, number: int, count: int, due_s: float, side: Side) -> RequestRow:
    latency_s = dice.lognormvariate(-4.4 if side is Side.API else -3.6, 0.55)
    bad = side is Side.API and _broken(week, dice, due_s)
    due_ns = week.at(due_s)
    return RequestRow(
        operation_id=f"u{number:04d}-{count:05d}",
        user=f"u{number:04d}",
        audience="general",
        side=side,
        operation=dice.choice([Operation.PUT_WALK, Operation.PUT_WALK, Operation.LIST_WALKS, Operation.GET_WALK]),
        due_ns=due_ns,
        sent_ns=due_ns + int(dice.random() * 2 * MS),
        done_ns=due_ns + int(latency_s * NS) + 2 * MS,
        status=503 if bad else (200 if side is Side.API else 0),
        outcome=Outcome.SERVER_ERROR if bad else Outcome.OK,
        acknowledged=not bad,
        payload_digest="",
        flag=side is Side.API,
        pod=dice.choice(PODS) if side is Side.API else "",
    )


def _requests(week: Week, dice: random.Random, start_s: float, end_s: float) -> None:
    for number in range(week.users):
        due_s = start_s + week.pace_s * number / week.users
        count = 0
        while due_s < end_s:
            side = Side.API if number % 2 == 0 else Side.FIRESTORE
            week.rows.append(_request(week, dice, number, count, due_s, side))
            due_s += week.pace_s
            count += 1


def _probes(week: Week, dice: random.Random, end_s: float) -> None:
    for number in range(int((end_s - week.window_start_s) * 10)):
        due_s = week.window_start_s + number / 10
        bad = _broken(week, dice, due_s)
        due_ns = week.at(due_s)
        week.rows.append(
            ProbeRow(
                probe_id=number,
                user=f"canary{number % 8}",
                method="GET" if number % 2 else "PUT",
                due_ns=due_ns,
                sent_ns=due_ns + 100_000,
                done_ns=due_ns + int(dice.lognormvariate(-4.2, 0.4) * NS),
                status=503 if bad else 200,
                outcome=Outcome.SERVER_ERROR if bad else Outcome.OK,
                pod=dice.choice(PODS),
            )
        )


def ledger_of(rows: Iterable[Row]) -> Ledger:
    ledger = Ledger()
    ledger.extend(rows)
    return ledger


def _judged_live(week: Week, end_s: float) -> tuple[float, Decision]:
    """Judges once a second, as the harness does, until a limit fires or the window has ended."""
    rows = sorted(week.rows, key=_known)
    window = Window(start_ns=week.at(week.window_start_s), end_ns=week.at(end_s))
    now_s = week.window_start_s + 1
    if week.fault_at_s is not None:
        while now_s < end_s:
            known = [row for row in rows if _known(row) <= week.at(now_s)]
            decision = combine(judge(week.scenario, ledger_of(known), window, week.at(now_s)))
            if decision is Decision.ROLL_BACK:
                return now_s, decision
            now_s += 1
    return end_s + 0.4, combine(judge(week.scenario, ledger_of(rows), window, week.at(end_s + 0.4)))


def _switch(week: Week, dice: random.Random, decided_s: float) -> None:
    for number in range(week.users):
        side = Side.API if number % 2 == 0 else Side.FIRESTORE
        moved_s = decided_s + 0.2 + dice.random() * 50
        if side is Side.API:
            week.rows.append(
                FlagRow(at_ns=week.at(moved_s), user=f"u{number:04d}", value=False, template_version=2, fetched=True)
            )
        due_s = decided_s + 0.2 + dice.random() * week.pace_s
        on = Side.API if side is Side.API and due_s < moved_s else Side.FIRESTORE
        week.rows.append(_request(week, dice, number, 900, due_s, on))
        if side is Side.API and on is Side.API:
            week.rows.append(_request(week, dice, number, 901, moved_s + dice.random() * 8, Side.FIRESTORE))


def _samples(week: Week, dice: random.Random, last_s: float) -> None:
    second = 3
    while second < last_s:
        at_ns = week.at(second)
        ready = sum(second >= 11 + number for number in range(len(PODS)))
        week.rows.append(SampleRow(at_ns=at_ns, metric="replicas", subject="deployment/tekutoko-api", value=2))
        week.rows.append(
            SampleRow(at_ns=at_ns, metric="ready_replicas", subject="deployment/tekutoko-api", value=ready)
        )
        busy = week.window_start_s <= second <= week.window_start_s + week.window_s
        for number, pod in enumerate(PODS):
            cpu = (0.09 if busy else 0.02) * dice.uniform(0.7, 1.4)
            memory = (96 + 6 * number + 0.05 * second) * 1024 * 1024
            week.rows.append(SampleRow(at_ns=at_ns + number, metric="cpu_cores", subject=f"pod/{pod}", value=cpu))
            week.rows.append(SampleRow(at_ns=at_ns + number, metric="memory_bytes", subject=f"pod/{pod}", value=memory))
        second += 2


def _decided(week: Week, rows: list[Row], decided_s: float, decision: Decision) -> list[Row]:
    at_ns = week.at(decided_s)
    decided = EventRow(at_ns=at_ns, kind="decision", subject=decision, message=decision, data={"judged_ns": at_ns})
    place = next((number for number, row in enumerate(rows) if _known(row) > at_ns), len(rows))
    return [*rows[:place], decided, *rows[place:]]


def facts_of(week: Week) -> RunInfo:
    """Those of a run on ``local``."""
    return RunInfo(
        rung=EnvironmentKind.LOCAL,
        target="walk-api",
        target_bundled=True,
        seed=week.seed,
        replay=f"python -m harness run rollout_week3 --on local --seed {week.seed}",
        started_utc="2026-10-01T00:00:00.000Z",
        anchor=ANCHOR,
        capabilities=(Capability.REAL_PROCESSES, Capability.REAL_POSTGRESQL, Capability.DOCUMENT_TEMPO),
    )


def judged_result(week: Week, rows: Iterable[Row]) -> tuple[Result, Gathered]:
    """What the harness makes of ``rows``, without its sections."""
    gathered = Gathered()
    gathered.see(rows)
    seen = RunRecord(facts=facts_of(week), details=WeekDetails(), evidence=gathered)
    found = judged(REHEARSAL, week.scenario, seen)
    plan, run_id = week.scenario, f"rollout_week3-s{week.seed}"
    return build_result(REHEARSAL, plan, seen, found, Page(REHEARSAL.title(plan)), run_id=run_id), gathered


def drawn(week: Week, result: Result, evidence: Gathered) -> Result:
    """The same with its sections, drawn anew."""
    seen = RunRecord(facts=result.facts, details=WeekDetails(), evidence=evidence, judgements=result.judgements)
    sections = tuple(REHEARSAL.sections(week.scenario, seen))
    return msgspec.structs.replace(result, sections=sections)


def write(folder: Path, rows: list[Row]) -> Path:
    """The evidence and a log in ``folder``, as a run leaves them."""
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "envoy.log").write_text("started\n", encoding="utf-8")
    with EvidenceStore(folder / "evidence.sqlite", "synthetic", ANCHOR) as store:
        for first in range(0, len(rows), 5000):
            store.append(rows[first : first + 5000])
    return folder
