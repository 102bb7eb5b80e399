"""The end of a population's load: nobody is cut off who is behind the schedule, and nothing is waited for in vain."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.base.clock import NS
from harness.base.virtual import VirtualClock
from harness.evidence.store import Collector, EvidenceStore
from harness.load.population.schedule import probes_due, requests_due
from harness.load.users import Users, UsersPlan
from harness.model.evidence import Due, Operation, Outcome, ProbeRow, RequestRow, Side
from harness.model.scenario import AudiencePlan, PopulationPlan

PLAN = UsersPlan(
    population=PopulationPlan(audiences=(AudiencePlan(name="general", users=4, flag_on=2),), pace_s=5.0), seed=1
)
ASKED_S = 100


class Phones(Collector):
    """One after the other each user's requests are answered, at once but for ``late``'s last ones, which time out. Those
    of ``lost`` are made, and their rows lost."""

    def __init__(self, store: EvidenceStore, clock: VirtualClock, *, late: str, lost: int) -> None:
        super().__init__(store, clock)
        self.rows_of: list[RequestRow | ProbeRow] = []
        free_ns: dict[str, int] = {}
        asked_ns = clock.now_ns() + ASKED_S * NS
        due = requests_due(PLAN.population, PLAN.seed, clock.now_ns(), asked_ns + 100 * NS)
        gone = [each.id for each in due if each.user == late and each.due_ns < asked_ns][-lost:] if lost else ()
        for each in due:
            sent_ns = max(each.due_ns, free_ns.get(each.user, 0))
            slow = each.user == late and each.due_ns > asked_ns - 32 * NS
            free_ns[each.user] = sent_ns + (10 * NS if slow else NS // 50)
            if each.id not in gone:
                self.rows_of.append(answer(each, sent_ns, free_ns[each.user], ok=not slow))
        for number, each in enumerate(probes_due(PLAN.probes, PLAN.seed, clock.now_ns(), 0, asked_ns)):
            times: dict[str, Any] = {"due_ns": each.due_ns, "sent_ns": each.due_ns, "done_ns": each.due_ns + 1}
            self.rows_of.append(
                ProbeRow(probe_id=number, user="c", method="GET", status=200, outcome=Outcome.OK, **times)
            )

    def gather(self, *, last: bool = False) -> None:
        """What is answered by now; of what is sent later nothing is."""
        ready = [row for row in self.rows_of if row.done_ns <= self._clock.now_ns()]
        self.rows_of = [row for row in self.rows_of if row.done_ns > self._clock.now_ns()]
        self.add(ready)


def answer(due: Due, sent_ns: int, done_ns: int, *, ok: bool) -> RequestRow:
    return RequestRow(
        operation_id=due.id, user=due.user, audience="general", side=Side.FIRESTORE, operation=Operation.PUT_WALK,
        due_ns=due.due_ns, sent_ns=sent_ns, done_ns=done_ns, status=0, outcome=Outcome.OK if ok else Outcome.TIMEOUT,
        acknowledged=ok, payload_digest="", flag=False,
    )  # fmt: skip


@pytest.mark.parametrize("lost", [0, 2])
def test_who_is_behind_after_timeouts_in_a_row_is_awaited_and_lost_rows_only_a_timeout_long(
    tmp_path: Path, lost: int
) -> None:
    clock = VirtualClock()
    begun_ns = clock.now_ns()
    due = requests_due(PLAN.population, PLAN.seed, begun_ns, begun_ns + ASKED_S * NS)
    store = EvidenceStore(tmp_path / "evidence.sqlite", "r", clock.anchor)
    phones = Phones(store, clock, late=due[-1].user, lost=lost)
    users = Users(cast(Any, SimpleNamespace(clock=clock, evidence=phones)), PLAN)
    users.origin_ns = begun_ns
    ended: list[int] = []

    async def stop() -> None:
        ended.append(clock.now_ns())

    users._load = cast(Any, SimpleNamespace(stop=stop))

    async def course() -> int:
        await clock.sleep(ASKED_S)
        return await users.end()

    asked_ns = clock.run(course())
    store.close()
    assert asked_ns == begun_ns + ASKED_S * NS
    there = {row.operation_id for row in phones.requests}
    assert len([each for each in due if each.id not in there]) == lost
    last_ns = max(row.done_ns for row in phones.requests if row.due_ns < asked_ns)
    assert last_ns > asked_ns + 11 * NS, "some timeouts in a row are longer than one"
    assert (ended[0] - last_ns) / NS == pytest.approx(11 if lost else 0, abs=0.3)
