"""Evidence made by hand: week-like scenarios, and rows as the load processes write them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.base.ticks import NS
from harness.model.evidence import (
    Due,
    DueList,
    EventRow,
    Operation,
    Outcome,
    ProbeRow,
    RequestRow,
    Row,
    SessionRow,
    Side,
    Window,
    probe_call,
)
from harness.model.judgement import Judgement, Kind
from harness.model.scenario import AudiencePlan, By, Comparison, Criterion, Metric, PopulationPlan, Sample, Scenario
from harness.rules.criteria import judge
from harness.rules.ledger import Ledger

KINDS = {"success": Kind.CRITERION, "rollback": Kind.ROLLBACK_LIMIT}
START_NS = 1_000 * NS
MS = 1_000_000


#: What the requests of a scenario do, in turn.
IN_TURN = (Operation.PUT_WALK, Operation.LIST_WALKS, Operation.CREATE_WALK)


def criterion(
    kind: str,
    metric: str,
    comparison: str,
    threshold: float,
    smallest_sample: int = 0,
    *,
    operation: Operation | None = None,
    sample: Sample | None = None,
    by: By = By.BOUND,
    crowded_limit_ms: float | None = None,
) -> Criterion:
    return Criterion(
        id=".".join(filter(None, (kind, metric, operation, sample))),
        claim=f"claim.{metric}",
        kind=KINDS[kind],
        metric=Metric(metric),
        comparison=Comparison(comparison),
        threshold=threshold,
        smallest_sample=smallest_sample,
        operation=operation,
        sample=sample,
        by=by,
        crowded_limit_ms=crowded_limit_ms,
    )


def scenario(*criteria: Criterion, users: int = 250, pace_s: float = 50.0, window_s: float = 120.0) -> Scenario:
    return Scenario(
        name="test",
        title="test",
        claims=(),
        population=PopulationPlan(audiences=(AudiencePlan(name="general", users=users, flag_on=users),), pace_s=pace_s),
        criteria=criteria,
        window_s=window_s,
    )


SUCCESS_ERRORS = criterion("success", "error_ratio", "<", 0.01)
SUCCESS_P95 = criterion("success", "latency_p95", "<", 500.0)
USERS_P95 = criterion("success", "latency_p95", "<", 500.0, crowded_limit_ms=2000.0)
SUCCESS_RATE = criterion("success", "request_rate", ">=", 3.0)

#: The document's table, "段階的ロールアウト計画", with the windows of docs/judging.md#windows; then the rehearsal's own.
WEEKS = {
    1: scenario(
        SUCCESS_ERRORS,
        SUCCESS_P95,
        criterion("rollback", "error_ratio", ">", 0.05),
        criterion("rollback", "error_ratio", ">", 0.05, sample=Sample.PROBES),
        users=50,
        window_s=330.0,
    ),
    2: scenario(
        SUCCESS_ERRORS,
        SUCCESS_P95,
        SUCCESS_RATE,
        criterion("rollback", "error_ratio", ">", 0.03),
        criterion("rollback", "latency_p95", ">", 600.0),
        criterion("rollback", "error_ratio", ">", 0.03, sample=Sample.PROBES),
        users=150,
        pace_s=45.0,
    ),
    3: scenario(
        criterion("success", "concurrent_users", ">=", 250),
        criterion("success", "availability", ">", 0.995),
        criterion("rollback", "availability", "<", 0.99),
        criterion("success", "error_ratio", "<", 0.005, by=By.VALUE),
        USERS_P95,
        criterion("rollback", "availability", "<", 0.99, sample=Sample.USERS),
    ),
    4: scenario(
        criterion("success", "concurrent_users", ">=", 500),
        criterion("success", "availability", ">", 0.999),
        criterion("rollback", "availability", "<", 0.995),
        criterion("success", "error_ratio", "<", 0.001, by=By.VALUE),
        USERS_P95,
        criterion("rollback", "availability", "<", 0.995, sample=Sample.USERS),
        users=500,
        window_s=330.0,
    ),
}


def every_criterion(*, users: int = 250, pace_s: float = 50.0, window_s: float = 120.0) -> Scenario:
    """A scenario with the criteria of all weeks, each once, and with what a team may ask besides."""
    each = {what.id + str(what.threshold): what for week in WEEKS.values() for what in week.criteria}
    own = [criterion("success", metric, "<", 500.0) for metric in ("latency_p50", "latency_p99")]
    own += [criterion("success", "error_ratio", "<", 0.02, operation=operation) for operation in IN_TURN]
    return scenario(*each.values(), *own, users=users, pace_s=pace_s, window_s=window_s)


def window(of: Scenario) -> Window:
    return Window(start_ns=START_NS, end_ns=START_NS + round(of.window_s * NS))


def request(
    due_s: float,
    user: str = "u0000",
    *,
    latency_ms: float = 20.0,
    lag_ms: float = 0.0,
    outcome: Outcome = Outcome.OK,
    status: int = 200,
    side: Side = Side.API,
    pod: str = "",
    operation: Operation = Operation.LIST_WALKS,
) -> RequestRow:
    """Due ``due_s`` after the window's start; ``latency_ms`` counts from then."""
    due_ns = START_NS + round(due_s * NS)
    return RequestRow(
        operation_id=f"{user}-{due_ns}-{side}",
        user=user,
        audience="general",
        side=side,
        operation=operation,
        due_ns=due_ns,
        sent_ns=due_ns + round(lag_ms * MS),
        done_ns=due_ns + round(latency_ms * MS),
        status=status,
        outcome=outcome,
        acknowledged=False,
        payload_digest="",
        flag=side is Side.API,
        pod=pod,
    )


def probe(
    due_s: float, *, good: bool = True, latency_ms: float = 10.0, lag_ms: float = 0.0, number: int | None = None
) -> ProbeRow:
    """``number`` is its own for each time, unless given."""
    due_ns = START_NS + round(due_s * NS)
    number = 1_000_000 + due_ns // 1_000 if number is None else number
    return ProbeRow(
        probe_id=number,
        user=f"canary-{number % 8}",
        method="GET",
        due_ns=due_ns,
        sent_ns=due_ns + round(lag_ms * MS),
        done_ns=due_ns + round(latency_ms * MS),
        status=200 if good else 503,
        outcome=Outcome.OK if good else Outcome.SERVER_ERROR,
    )


def sessions(of: Scenario) -> list[Row]:
    return [
        SessionRow(at_ns=START_NS - 5 * NS, user=f"u{number:04}", audience="general", live=True)
        for number in range(of.population.users)
    ]


def requests(
    of: Scenario, *, failed: int = 0, latency_ms: float = 20.0, slow: int = 0, slow_ms: float = 0.0
) -> list[RequestRow]:
    """The window's requests on the even, staggered schedule; failures and slow ones spread evenly over them."""
    total = round(of.population.flag_on * of.window_s / of.population.pace_s)
    every = of.population.pace_s / of.population.flag_on
    bad, late = spread(failed, total), spread(slow, total)
    return [
        request(
            (number + 0.5) * every,
            f"u{number % of.population.flag_on:04}",
            latency_ms=slow_ms if number in late else latency_ms,
            outcome=Outcome.SERVER_ERROR if number in bad else Outcome.OK,
            status=500 if number in bad else 200,
            operation=IN_TURN[number % len(IN_TURN)],
        )
        for number in range(total)
    ]


def probes(of: Scenario, *, failed: int = 0) -> list[ProbeRow]:
    total = round(of.probes.rate_per_s * of.window_s)
    bad = spread(failed, total)
    return [
        probe((number + 0.5) / of.probes.rate_per_s, good=number not in bad, number=number) for number in range(total)
    ]


def spread(chosen: int, total: int) -> set[int]:
    """``chosen`` of ``total`` numbers, evenly spaced, the first late."""
    return {round((k + 0.9) * total / chosen) - 1 for k in range(chosen)} if chosen else set()


def healthy(of: Scenario) -> list[Row]:
    return [*sessions(of), *requests(of), *probes(of)]


def ledger(*rows: Row) -> Ledger:
    book = Ledger()
    book.extend(rows)
    return book


def due_for(row: RequestRow) -> Due:
    return Due(id=row.operation_id, user=row.user, due_ns=row.due_ns, operation=row.operation)


def due_of(of: Scenario) -> DueList:
    """What is due of ``requests(of)`` and ``probes(of)``."""
    return DueList(
        requests=tuple(map(due_for, requests(of))),
        probes=tuple(Due(id=probe_call(row.probe_id), user=row.user, due_ns=row.due_ns) for row in probes(of)),
    )


def due_as(rows: Sequence[Row]) -> DueList:
    """A schedule that holds just the requests of ``rows``."""
    found = [row for row in rows if isinstance(row, RequestRow)]
    return DueList(requests=tuple(map(due_for, found)), probes=())


def judged(
    of: Scenario, rows: Sequence[Row], at_s: float | None = None, *, due: DueList | None = None
) -> dict[str, Judgement]:
    """The results by id; ``at_s`` after the window's start, at its end when left out."""
    span = window(of)
    now_ns = span.end_ns if at_s is None else START_NS + round(at_s * NS)
    return {result.id: result for result in judge(of, ledger(*rows), span, now_ns, due=due)}


def one(
    what: Criterion, rows: Sequence[Row], at_s: float | None = None, *, due: DueList | None = None, **plan: float
) -> Judgement:
    """The result of a single criterion; ``plan`` changes the scenario."""
    return judged(msgspec.structs.replace(scenario(what), **plan), rows, at_s, due=due)[what.id]


def error(at_s: float, subject: str, message: str = "broke") -> EventRow:
    return EventRow(at_ns=START_NS + round(at_s * NS), kind="measurement_error", subject=subject, message=message)
