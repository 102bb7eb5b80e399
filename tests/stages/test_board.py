"""Who sends what when in a step, on a clock of the test."""

from __future__ import annotations

import itertools
from typing import Any, cast

from harness.load.protocol import Runtime
from harness.load.rest import running_on
from harness.load.stages.board import Board
from harness.load.stages.plan import StepCommand, WorkerPlan
from harness.model.scenario import Arrivals, Step
from harness.model.stack import Address
from tests.load.conftest import plan_for


class Looked:
    """A clock that is another millisecond later at every look, and waits that end at once."""

    def __init__(self) -> None:
        self._looks = itertools.count()

    def now_ns(self) -> int:
        return next(self._looks) * 1_000_000

    def wait_until(self, due_ns: int, ended: Any) -> bool:
        return bool(ended.is_set())


def test_a_closed_loop_begins_no_request_after_the_end_of_its_step() -> None:
    """No step would count it: the evidence holds a request that belongs to none."""
    ended: list[str] = []
    step = Step(name="in_flight_1", arrivals=Arrivals.CLOSED, in_flight=1, users=2, seconds=0.501)
    load = plan_for(Address(host="127.0.0.1", port=9))
    plan = WorkerPlan(run_id="run", seed=1, accounts=2, workers=1, endpoints=load.endpoints, anchor=load.anchor)
    with running_on(cast("Runtime", Looked())):
        board = Board(plan, ["u0000", "u0001"], ended.append)
        board.begin(StepCommand(step=step, origin_ns=0))
        turns = list(board.requests(0))
        assert list(board.requests(1)) == []  # one in flight: the second user has no turn
    dues_ns = [due_ns for due_ns, _ in turns]
    assert len(dues_ns) > 100 and dues_ns == sorted(set(dues_ns)) and dues_ns[-1] < 501_000_000, dues_ns[-1]
    assert {identity for _, identity in turns} == {"u0000", "u0001"}
    assert ended == ["in_flight_1"]
