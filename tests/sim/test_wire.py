"""What goes over the wire, in virtual time: others' data wherever it is put, bytes behind answers, closed connections."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import msgspec
import pytest

from harness.base.http1 import Answer
from harness.evidence.store import EVIDENCE, EvidenceStore, Gathered
from harness.load.population.schedule import mark
from harness.model.evidence import Outcome, ProbeRow, RequestRow, Row, Side, Wire
from harness.model.judgement import Decision, Judgement, Kind, Verdict
from harness.model.scenario import AudiencePlan, Comparison, Criterion, Metric, Scenario
from harness.rehearsals.rollout.week import REHEARSAL
from harness.rules.judged import combine
from harness.run.rehearsal import RunRecord
from harness.run.result import details_of, judged
from harness.stack.sim.service import Lie, NoAnswerFrom
from harness.stack.sim.world import PlantedFaults
from tests.rehearsal.made import by_id
from tests.sim.week import Week, table, week

pytestmark = pytest.mark.sim
SEED = 1
ERRORS = "errors"
Change = Callable[[Answer, bytes], Answer]


@cache
def small() -> Scenario:
    """Forty users, idle for 2 s between two requests, of whom a criterion asks that 98 % be served. By their names the
    lies know who is a canary."""
    plan = table(3)
    everybody = (AudiencePlan(name="all", users=40, flag_on=40),)
    changes = {"audiences": everybody, "pace_s": 2.0, "fetch_interval_s": 10.0, "lifelike": False}
    population = msgspec.structs.replace(plan.population, **changes)
    served = Criterion(
        id=ERRORS, kind=Kind.CRITERION, metric=Metric.ERROR_RATIO, comparison=Comparison.BELOW, threshold=0.02
    )
    probes = msgspec.structs.replace(plan.probes, rate_per_s=2.0, lifelike=False)
    return msgspec.structs.replace(
        plan, claims=(), criteria=(served,), window_s=20.0, population=population, probes=probes
    )


def once(change: Change, *, canary: bool = False, number: int = 9) -> Lie:
    """A lie in the ``number``-th GET of a walk by somebody of its kind, told of somebody else."""
    seen = 0

    def lie(method: str, path: str, user: str, answer: Answer) -> Answer:
        nonlocal seen
        asked = method == "GET" and path.startswith("/v1/walks/") and answer.status == 200
        seen += asked and user.startswith("canary") is canary
        if not asked or user.startswith("canary") is not canary or seen != number:
            return answer
        return change(answer, b"u0002" if user != "u0002" else b"u0003")

    return lie


def changed(answer: Answer, **fields: object) -> Answer:
    return msgspec.structs.replace(answer, **fields)


def beside(answer: Answer, extra: bytes) -> bytes:
    return answer.body[:-1] + b',"extra":' + extra + b"}"


def cut(answer: Answer, other: bytes) -> Answer:
    raise NoAnswerFrom(Outcome.BROKEN, Wire.CUT, b'{"user_id":"' + other + b'","title":"Wal')


LIES: dict[str, Change] = {
    "a name in an extra field": lambda answer, other: changed(answer, body=beside(answer, b'{"by":"%s"}' % other)),
    "a name as JSON may write it": lambda answer, other: changed(
        answer, body=beside(answer, b'"<b>\\u0075%s\\n%s"' % (other[1:], b"x"))
    ),
    "an owner who is none of the users": lambda answer, _: changed(
        answer, body=beside(answer, b'[{"user_id": "admin"}]')
    ),
    "another's title under one's own name": lambda answer, other: changed(
        answer, body=beside(answer, b'{"title":"Walk 1 %s"}' % mark(SEED, other.decode()).encode())
    ),
    "a header": lambda answer, other: changed(answer, head=answer.head + b"\nx-last-user: " + other),
    "the body of an error": lambda answer, other: changed(
        answer, status=500, body=b'{"error":{"message":"no walk of %s"}}' % other
    ),
    "bytes behind the answer": lambda answer, other: changed(answer, behind=b'HTTP/1.1 200 OK\r\n\r\n"%s"' % other),
    "an answer that was cut": cut,
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """A week that advances."""
    found = week(tmp_path_factory.mktemp("honest"), small(), seed=SEED)
    assert found.run.decision is Decision.ADVANCE, found.why
    return found


def test_an_honest_week_tells_of_nobody_else_and_advances(honest: Week) -> None:
    requests = [row for row in honest.rows if isinstance(row, RequestRow)]
    assert len(requests) >= 400
    assert not any(row.retried or row.wire for row in requests)


@pytest.mark.parametrize("name", LIES)
def test_one_answer_that_tells_of_another_user_holds_the_week(name: str, tmp_path: Path) -> None:
    found = week(tmp_path, small(), seed=SEED, planted=PlantedFaults(lie=once(LIES[name])))
    assert found.run.decision is Decision.HOLD, found.why
    assert (found.told["walks.isolation"].verdict, found.told["walks.isolation"].value) == (Verdict.FAIL, 1.0)


def test_one_that_a_probe_was_told_holds_it_too(tmp_path: Path) -> None:
    found = week(tmp_path, small(), seed=SEED, planted=PlantedFaults(lie=once(LIES["a header"], canary=True)))
    assert found.run.decision is Decision.HOLD, found.why
    assert found.told["walks.isolation"].verdict is Verdict.FAIL


def test_a_refusal_that_says_whose_a_walk_is_holds_it_too(tmp_path: Path) -> None:
    def lie(_method: str, _path: str, user: str, answer: Answer) -> Answer:
        owner = b"u0002" if user != "u0002" else b"u0003"
        return answer if answer.status != 404 else changed(answer, body=b'{"error":{"message":"it is %s\'s"}}' % owner)

    found = week(tmp_path, small(), seed=SEED, planted=PlantedFaults(lie=lie))
    assert found.run.decision is Decision.HOLD, found.why
    assert found.told["walks.isolation"].verdict is Verdict.FAIL


def test_bytes_behind_an_answer_hold_the_week_though_they_tell_of_nobody(tmp_path: Path) -> None:
    lie = once(lambda answer, _: changed(answer, behind=b"x"))
    found = week(tmp_path, small(), seed=SEED, planted=PlantedFaults(lie=lie))
    assert found.run.decision is Decision.HOLD, found.why
    verdicts = {name: found.told[name].verdict for name in ("walks.isolation", "walks.bodies")}
    assert verdicts == {"walks.isolation": Verdict.PASS, "walks.bodies": Verdict.FAIL}


def test_a_target_that_closes_8_of_14_connections_does_not_advance(tmp_path: Path) -> None:
    """Each before a byte of the answer: what came of a second sending was all that was looked at."""
    asked = 0

    def lie(_method: str, _path: str, user: str, answer: Answer) -> Answer:
        nonlocal asked
        asked += not user.startswith("canary")
        if not user.startswith("canary") and asked % 14 < 8:
            raise NoAnswerFrom(Outcome.BROKEN, Wire.CLOSED)
        return answer

    found = week(tmp_path, small(), seed=SEED, planted=PlantedFaults(lie=lie))
    assert found.run.decision is not Decision.ADVANCE, found.why
    assert found.told[ERRORS].verdict is Verdict.FAIL
    assert any(isinstance(row, RequestRow) and row.retried and row.outcome is Outcome.OK for row in found.rows)


def again(found: Week, rows: list[Row]) -> tuple[Judgement, ...]:
    """The stored run judged on other rows."""
    gathered = Gathered()
    gathered.see(rows)
    return judged(
        REHEARSAL, found.plan, RunRecord(found.run.facts, details_of(REHEARSAL, found.run), gathered, ended=True)
    )


def planted(found: Week, kind: type[Row], count: int, **fields: object) -> list[Row]:
    """The rows with ``fields`` in so many of a kind, all of them good and in the window."""
    window = found.window
    good = [
        number
        for number, row in enumerate(found.rows)
        if isinstance(row, kind) and isinstance(row, RequestRow | ProbeRow) and row.outcome is Outcome.OK
        if window.start_ns <= row.due_ns < window.end_ns and getattr(row, "side", Side.API) is Side.API
    ]
    rows = list(found.rows)
    for number in good[:count]:
        rows[number] = msgspec.structs.replace(rows[number], **fields)
    return rows


@pytest.mark.parametrize(
    ("count", "failed", "verdict", "decision"),
    [
        (4, 0, Verdict.PASS, Decision.ADVANCE),
        (5, 5, Verdict.INCONCLUSIVE, Decision.HOLD),
        (40, 40, Verdict.FAIL, Decision.HOLD),
    ],
)
def test_second_sendings_beyond_one_in_a_hundred_are_failures(
    honest: Week, count: int, failed: int, verdict: Verdict, decision: Decision, tmp_path: Path
) -> None:
    """Of 400 requests. The query beside the value gives that value."""
    rows = planted(honest, RequestRow, count, retried=True)
    found = again(honest, rows)
    served = by_id(found)[ERRORS]
    assert (served.verdict, served.value, combine(found)) == (verdict, failed / 400, decision), served.reason
    with EvidenceStore(tmp_path / EVIDENCE, "run", honest.run.facts.anchor) as store:
        store.append(rows)
    with closing(sqlite3.connect(tmp_path / EVIDENCE)) as connection:
        assert connection.execute(served.reproduce).fetchone()[0] == served.value


@pytest.mark.parametrize(
    ("kind", "fields", "check"),
    [
        (RequestRow, {"outcome": Outcome.FOREIGN_ANSWER}, "walks.isolation"),
        (ProbeRow, {"outcome": Outcome.FOREIGN_ANSWER}, "walks.isolation"),
        (RequestRow, {"wire": Wire.BEHIND}, "walks.bodies"),
        (RequestRow, {"outcome": Outcome.BAD_ANSWER, "wire": Wire.TOO_LONG}, "walks.bodies"),
    ],
)
def test_what_the_rows_say_holds_a_stored_week_whatever_its_run_had_told(
    honest: Week, kind: type[Row], fields: dict[str, object], check: str
) -> None:
    found = again(honest, planted(honest, kind, 1, **fields))
    assert by_id(found)[check].verdict is Verdict.FAIL
    assert combine(found) is Decision.HOLD
