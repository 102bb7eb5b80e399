"""Answers to the accounts of load in steps: right ones pass, an old one fails, and what was not kept proves nothing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import msgspec
import pytest

from harness.base.clock import NS, Anchor
from harness.checks.read_facts import reads_of_steps
from harness.load.known import KnownWalks
from harness.load.population.arrivals import due_of_step
from harness.load.population.schedule import PlannedRequest, accounts, slots, user_schedule
from harness.load.result import CallResult
from harness.load.stages.plan import population
from harness.load.stages.sender import Sender, SenderIdentity
from harness.model.evidence import Operation, Outcome, RequestRow
from harness.model.judgement import Judgement, Kind, Verdict
from harness.model.scenario import Arrivals, Step
from harness.rehearsals.scaling.rehearsal import REHEARSAL as SCALING
from harness.rehearsals.scaling.types import ScalingDetails
from harness.rehearsals.secret_rotation.rehearsal import REHEARSAL as ROTATION
from harness.rehearsals.secret_rotation.types import RotationDetails
from harness.run.result import judged as judged_run
from tests.checks.reading import Store, answered, honest
from tests.checks.sending import ANCHOR
from tests.rehearsal.made import by_id, seen
from tests.scaling.test_rehearsal import COSTLY
from tests.secret_rotation.test_rehearsal import PLAN as ROTATING

SEED, COUNT = 7, 20
USERS = accounts(population(COUNT), SEED)
USER = USERS[3].user
PLANNED: list[PlannedRequest] = list(
    islice(user_schedule(USER, slots(population(COUNT), USERS, SEED)[USER], population(COUNT), SEED, ANCHOR), 60)
)
ROWS = honest(PLANNED, Store())
LIST = next(number for number, each in enumerate(PLANNED) if each.operation is Operation.LIST_WALKS and number > 20)


def judged(rows: list[RequestRow]) -> Judgement:
    return word(reads_of_steps(rows, users=COUNT, seed=SEED, anchor_unix_ns=ANCHOR))


def word(words: Iterable[Judgement]) -> Judgement:
    """That of the one check."""
    [found] = words
    return found


def test_right_answers_pass() -> None:
    found = judged(ROWS)
    assert (found.id, found.kind, found.verdict, found.gates) == ("reads.acknowledged", Kind.CHECK, Verdict.PASS, True)
    assert found.samples == sum(row.shown != "" for row in ROWS) > 40


def test_one_answer_as_before_the_last_write_fails_and_holds() -> None:
    before = Store()
    honest(PLANNED[: LIST - 1], before)  # the request before the list is a PUT
    assert PLANNED[LIST - 1].operation is Operation.PUT_WALK
    found = judged([*ROWS[:LIST], answered(PLANNED[LIST], before), *ROWS[LIST + 1 :]])
    assert (found.verdict, found.value, found.holds) == (Verdict.FAIL, 1.0, True)
    assert PLANNED[LIST].operation_id in found.reason


def test_answers_that_were_not_kept_hold() -> None:
    """As the steps' rows were before they kept what they showed."""
    found = judged([msgspec.structs.replace(row, shown="") for row in ROWS])
    assert (found.verdict, found.holds) == (Verdict.INCONCLUSIVE, True)


def test_where_nobody_reads_after_a_write_there_was_nothing_to_see() -> None:
    """Each of many users sends one request, or none: a short step's load."""
    first = next(at for at, each in enumerate(PLANNED) if each.operation is Operation.PUT_WALK)
    assert first == 0
    found = judged(ROWS[:1])
    assert (found.verdict, found.gates, found.holds) == (Verdict.NOT_EXERCISED, False, False)
    assert "0 of them requested from the API after an acknowledged write" in found.reason
    unacknowledged = msgspec.structs.replace(
        ROWS[0], status=500, outcome=Outcome.SERVER_ERROR, acknowledged=False, shown=""
    )
    nothing = judged([unacknowledged])
    assert (nothing.verdict, nothing.holds) == (Verdict.INCONCLUSIVE, True)


def test_another_seed_s_requests_prove_nothing() -> None:
    found = word(reads_of_steps(ROWS, users=COUNT, seed=SEED + 1, anchor_unix_ns=ANCHOR))
    assert (found.verdict, found.holds) == (Verdict.INCONCLUSIVE, True)


def test_without_load_there_is_nothing_to_judge() -> None:
    assert list(reads_of_steps([], users=0, seed=SEED, anchor_unix_ns=ANCHOR)) == []


@pytest.mark.parametrize("step", [Step(name="s", arrivals=Arrivals.EVEN, seconds=30, users=1, rate_per_s=2),
                                  Step(name="s", arrivals=Arrivals.CLOSED, seconds=30, users=1, in_flight=1)])  # fmt: skip
def test_of_load_that_left_no_row_nothing_is_known(step: Step) -> None:
    found = word(reads_of_steps([], users=COUNT, seed=SEED, anchor_unix_ns=ANCHOR, steps=[(step, 0)]))
    assert (found.verdict, found.holds) == (Verdict.INCONCLUSIVE, True)


STEP = Step(name="s", arrivals=Arrivals.EVEN, seconds=30, users=1, rate_per_s=2)
LOADED = [
    msgspec.structs.replace(row, due_ns=at_ns) for row, at_ns in zip(ROWS, due_of_step(STEP, 0, 0) or (), strict=True)
]


@pytest.mark.parametrize("lost", [0, 1, 20, 60])
@pytest.mark.parametrize(
    ("rehearsal", "plan", "details"), [(SCALING, COSTLY, ScalingDetails), (ROTATION, ROTATING, RotationDetails)]
)
def test_what_is_lost_behind_a_user_s_last_row_leaves_nothing_decided(
    rehearsal: Any, plan: Any, details: Any, lost: int
) -> None:
    """Of the parts' loads, whatever they were made for: a drain's are several steps, one after the other."""
    first, last = msgspec.structs.replace(STEP, seconds=20), msgspec.structs.replace(STEP, seconds=10)
    left = details(users=COUNT, steps=[(first, 0), (last, 20 * NS)])
    facts: dict[str, Any] = {"seed": SEED, "anchor": Anchor(monotonic_ns=0, unix_ns=ANCHOR)}
    of = seen(left, LOADED[: len(LOADED) - lost], **facts)
    found = by_id(judged_run(rehearsal, plan, of))["reads.acknowledged"]
    assert found.verdict is (Verdict.INCONCLUSIVE if lost else Verdict.PASS)
    assert (f"{lost} requests that were due have no row" in found.reason) is bool(lost)
    assert msgspec.json.decode(msgspec.json.encode(left), type=details) == left


def test_at_the_end_of_a_part_no_check_of_the_whole_run_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads every request anew: seconds in which nobody follows the stack."""
    asked = Mock(return_value=())
    monkeypatch.setattr(type(SCALING), "checks", asked)
    of = seen(ScalingDetails(users=COUNT), ROWS)
    for part, checks in (("drain", 0), (None, 1)):
        list(SCALING.by_rules(COSTLY, of, part))
        assert asked.call_count == checks


def test_a_step_s_row_keeps_what_the_answer_showed_and_that_it_was_sent_twice() -> None:
    result = CallResult(status=200, outcome=Outcome.OK, acknowledged=False, walk_id="", shown="[[],0]", retried=True)
    written: list[RequestRow] = []
    api = SimpleNamespace(execute=lambda *_, **__: result)
    sender = Sender(cast(Any, api), cast(Any, SimpleNamespace(write=written.append)))
    token = SimpleNamespace(id_token="t")
    sender.send(5, SenderIdentity(account=USERS[3], token=cast(Any, token), plan=iter(PLANNED), known=KnownWalks()))
    [row] = written
    assert (row.due_ns, row.operation_id, row.shown, row.retried) == (5, PLANNED[0].operation_id, "[[],0]", True)
