"""What is waited for where sides change: all that was sent before, and no longer than that takes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from harness.base.clock import NS
from harness.evidence.store import stored
from harness.load.phone import Phone
from harness.load.population.schedule import PlannedRequest
from harness.load.rest import now_ns, runtime
from harness.load.result import CallResult
from harness.model.evidence import RequestRow, Side
from harness.rehearsals.one_stack.rehearsal import LegsCourse
from harness.stack.sim.firestore import MemoryFirestore
from harness.stack.sim.world import PlantedFaults
from tests.one_stack.small import plan, ran

pytestmark = pytest.mark.sim
#: A request's time to answer and a second: what is waited at most, and was once waited always.
MOST_S = 11.0
#: Of the name of a call that no schedule has.
AGAIN = "-again-"
#: How often each leg waits, once after the other.
TIMES = 3


class Wait(NamedTuple):
    """One wait: when it began (monotonic ns), how long it took, and which calls were in evidence at its end."""

    begun_ns: int
    seconds: float
    known: frozenset[str]


class Waits(NamedTuple):
    """Those of a run, and all of its requests."""

    each: list[Wait]
    requests: list[RequestRow]

    def missed(self) -> list[str]:
        """Calls that were sent before a wait began, and that its end knew nothing of."""
        return [
            row.operation_id for at, row in self._with_rows() if row.sent_ns < at.begun_ns and not self.knew(at, row)
        ]

    def under_way(self) -> list[RequestRow]:
        """Those that were on their way when a wait began."""
        return [row for at, row in self._with_rows() if row.sent_ns < at.begun_ns < row.done_ns]

    @staticmethod
    def knew(at: Wait, row: RequestRow) -> bool:
        return row.operation_id in at.known

    def _with_rows(self) -> Iterator[tuple[Wait, RequestRow]]:
        return ((at, row) for at in self.each for row in self.requests)


def waits(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *weeks: int, planted: PlantedFaults | None = None,
    firestore_s: float = 0.0, again_s: float = 0.0, times: int = TIMES,
) -> Waits:  # fmt: skip
    """Of a run that waits as one with a real PostgreSQL does, and then again and again. A call of Firestore takes
    ``firestore_s`` seconds longer, and one that a phone sends again ``again_s``."""
    found = list[Wait]()
    fetched, takes, request, execute = LegsCourse._fetched, MemoryFirestore.takes, Phone._request, Phone._execute
    out_of_schedule: dict[Phone, bool] = {}

    async def waited(self: LegsCourse, version: int, published_ns: int) -> int | None:
        at_ns, on = await fetched(self, version, published_ns), self._on
        for _ in range(times):
            begun_ns = on.clock.now_ns()
            await self._settled()
            known = frozenset(row.operation_id for row in on.evidence.requests)
            found.append(Wait(begun_ns, (on.clock.now_ns() - begun_ns) / NS, known))
            await on.clock.sleep(1.3)
        return at_ns

    async def slowly(self: MemoryFirestore) -> None:
        await takes(self)
        await self._clock.sleep(firestore_s)

    def requested(self: Phone, planned: PlannedRequest, operation_id: str, due_ns: int) -> bool:
        out_of_schedule[self] = AGAIN in operation_id
        return request(self, planned, operation_id, due_ns)

    def executed(self: Phone, planned: PlannedRequest, side: Side) -> CallResult:
        if out_of_schedule[self]:
            runtime().wait_until(now_ns() + round(again_s * NS), self._shared.ended)
        return execute(self, planned, side)

    monkeypatch.setattr(LegsCourse, "_fetched", waited)
    monkeypatch.setattr(MemoryFirestore, "takes", slowly)
    monkeypatch.setattr(Phone, "_request", requested)
    monkeypatch.setattr(Phone, "_execute", executed)
    asked = plan(window="5s", before_s=10.0)
    chosen = tuple(asked.weeks[week - 1] for week in weeks)
    _, run = ran(folder, msgspec.structs.replace(asked, weeks=chosen), planted)
    return Waits(found, stored(run).requests)


def test_where_all_is_answered_the_wait_is_over_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a fiftieth of the time that it once took."""
    found = waits(tmp_path, monkeypatch, 1, 3)
    assert len(found.each) == 2 * TIMES and not found.missed()
    assert max(each.seconds for each in found.each) < 0.5
    assert sum(each.seconds for each in found.each) < MOST_S * len(found.each) / 50


def test_a_write_to_firestore_that_is_under_way_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = waits(tmp_path, monkeypatch, 2, firestore_s=3.0)
    late = [row for row in found.under_way() if row.side is Side.FIRESTORE and row.acknowledged]
    assert late and not found.missed()
    assert 2.0 < max(each.seconds for each in found.each) < 5.0


def test_what_a_phone_sends_again_is_awaited_though_no_schedule_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = waits(tmp_path, monkeypatch, 4, planted=PlantedFaults(errors=Fraction(1, 4)), again_s=4.0, times=4)
    assert [row for row in found.under_way() if AGAIN in row.operation_id], "none of them shows it"
    assert not found.missed()
    assert max(each.seconds for each in found.each) <= MOST_S + 0.2


def test_a_store_that_does_not_answer_is_waited_for_no_longer_than_a_request_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = waits(tmp_path, monkeypatch, 1, firestore_s=60.0)
    assert found.under_way() and not found.missed()
    assert max(each.seconds for each in found.each) == pytest.approx(MOST_S, abs=0.2)
