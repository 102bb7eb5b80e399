"""A whole week as evidence made by hand: every call that its schedule holds, as somebody says it went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from harness.base.clock import NS
from harness.load.population.schedule import due_list
from harness.model.evidence import (
    BUSY,
    MACHINE,
    WAITED,
    Due,
    EventRow,
    ProbeRow,
    RequestRow,
    Row,
    SampleRow,
    SessionRow,
)
from harness.model.judgement import Judgement
from harness.model.scenario import Scenario
from harness.rehearsals.rollout.expected import beside, deciding
from harness.rehearsals.rollout.observed import WeekDetails
from harness.rehearsals.rollout.week import REHEARSAL
from harness.rules import engine
from harness.rules.rule import Fact
from harness.run.result import judged
from tests.rehearsal.made import by_id, seen
from tests.rules.evidence import probe, request

SEED, START_NS = 3, 10 * NS
MS = 1_000_000
#: What became of the call with that number: changes to a good row, ``None`` where it is not in evidence.
Fate = Callable[[int], dict[str, object] | None]


def good(_: int) -> dict[str, object]:
    """Nothing befell it."""
    return {}


def every(nth: int, **changes: object) -> Fate:
    """These changes for each ``nth`` call, the first among them."""
    return lambda number: changes if number % nth == 0 else {}


def week_rows(plan: Scenario, users: Fate = good, probes: Fate = good) -> Iterator[Row]:
    """The rows of a week that was held to its end. ``latency_ms`` among the changes counts from the due time."""
    end_ns = START_NS + round(plan.window_s * NS)
    began = {"start_ns": START_NS, "end_ns": end_ns, "seed": SEED, "bucket": ""}
    due = due_list(plan, SEED, START_NS, end_ns)
    yield EventRow(at_ns=START_NS, kind="phase", subject="window", message="", data=began)
    for user in sorted({each.user for each in due.requests}):
        yield SessionRow(at_ns=START_NS - NS, user=user, audience="general", live=True)
    for number, each in enumerate(due.requests):
        if (changes := users(number)) is not None:
            row = msgspec.structs.replace(request(0.0, user=each.user), operation_id=each.id, operation=each.operation)
            yield _of(row, each, changes)
    for number, each in enumerate(due.probes):
        if (changes := probes(number)) is not None:
            probed = msgspec.structs.replace(probe(0.0), probe_id=int(each.id.split()[1]), user=each.user)
            yield _of(probed, each, changes)
    judged_ns = end_ns + 20 * NS
    yield EventRow(at_ns=judged_ns, kind="phase", subject="judged", message="", data={"judged_ns": judged_ns})


def _of(row: RequestRow | ProbeRow, due: Due, changes: dict[str, object]) -> RequestRow | ProbeRow:
    more = dict(changes)
    latency_ms = float(str(more.pop("latency_ms", 20.0)))
    times = {"due_ns": due.due_ns, "sent_ns": due.due_ns, "done_ns": due.due_ns + round(latency_ms * MS)}
    return msgspec.structs.replace(row, **times, **more)


def crowd(plan: Scenario, waited: float, busy: float, pods: float = 0.0) -> list[Row]:
    """Samples of a machine on which something waited for ``waited`` seconds a second, ``busy`` processors were used,
    and the target's pods used ``pods`` of them."""
    rows: list[Row] = []
    for second in range(0, round(plan.window_s) + 10, 5):
        at_ns = START_NS + (second - 5) * NS
        rows += [
            SampleRow(at_ns=at_ns, metric=WAITED, subject=MACHINE, value=waited * second),
            SampleRow(at_ns=at_ns, metric=BUSY, subject=MACHINE, value=busy * second),
            SampleRow(at_ns=at_ns, metric="cpu_cores", subject="pod/a", value=pods),
        ]
    return rows


def judged_week(plan: Scenario, rows: Iterable[Row], details: WeekDetails | None = None) -> dict[str, Judgement]:
    """The judgements on that week by their ids, as ``judge RUN`` makes them."""
    return by_id(judged(REHEARSAL, plan, seen(details or WeekDetails(), rows)))


def ruled(plan: Scenario, facts: Iterable[Fact], *, capabilities: Sequence[str] = ()) -> dict[str, Judgement]:
    """What the rules of a week say of these facts alone."""
    expected = (*deciding(plan), *beside(plan, capabilities))
    return by_id(engine.judged(expected, REHEARSAL.rules, facts, plan, capabilities))
