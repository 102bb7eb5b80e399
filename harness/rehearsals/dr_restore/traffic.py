"""The users and probes of a rehearsal on the stack, and what windows of their evidence saw."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.base.clock import NS
from harness.judge.bounds import ratio_lower
from harness.judge.window import Window
from harness.load.users import Users, UsersPlan
from harness.model.evidence import Side
from harness.model.message import Message
from harness.model.scenario import BLACKOUT_S
from harness.rehearsal.running import Running
from harness.rehearsals.dr_restore.types import TrafficPlan
from harness.rehearsals.dr_restore.waiting import NotInTime

REQUEST_TIMEOUT_S = 5.0


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """What a window saw. ``bound``: the availability is at least this, 95 %; ``None`` without a probe.

    ``probes_missing`` and ``requests_missing`` more were due and are not in evidence: bad ones for ``bound``.
    """

    probes: int
    good: int
    bound: float | None
    requests: int
    errors: int
    probes_missing: int = 0
    requests_missing: int = 0

    @property
    def availability(self) -> float | None:
        """Good probes over all."""
        return self.good / self.probes if self.probes else None


class Traffic:
    """The load of a run on its stack, which is up, and what windows of its evidence saw."""

    def __init__(self, on: Running[Any], plan: TrafficPlan) -> None:
        self.evidence = on.evidence
        self._plan = plan
        self._clock = on.clock
        users = UsersPlan(
            population=plan.population,
            probes=plan.probes,
            request_timeout_s=REQUEST_TIMEOUT_S,
            seed=on.options.seed,
        )
        self._users = Users(on, users)

    async def flag_on(self) -> None:
        """Everybody's requests go to the API."""
        await self._users.set_flag(on=True)

    async def begin(self) -> None:
        """Everybody admitted, and the schedule begun."""
        await self._users.admit()
        await self._users.go()

    def event(self, kind: str, subject: str, said: Message) -> int:
        """An event of the rehearsal, now; the time."""
        now_ns = self._clock.now_ns()
        self.evidence.event(now_ns, kind, subject, said)
        return now_ns

    async def blackout(self, after_ns: int, limit_s: float) -> int:
        """Returns the time at which ``BLACKOUT_S`` had passed since the last good probe. Raises ``NotInTime``."""
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while (now_ns := self._clock.now_ns()) < give_up_ns:
            last_ns = max(self._last_good_ns(), after_ns)
            if now_ns - last_ns >= BLACKOUT_S * NS:
                return now_ns
            await self._clock.sleep(0.05)
        raise NotInTime(
            f"the disaster was not noticed: good probes still come {limit_s:g} s after it",
            where="the probes through the service",
            remedy="do the pods read a database other than the stack's own? See the manifests, and the pods' logs",
        )

    async def first_good(self, after_ns: int, limit_s: float) -> int | None:
        """When the first probe sent after ``after_ns`` was good: its answer's time; ``None`` without one in time."""
        give_up_ns = self._clock.now_ns() + round(limit_s * NS)
        while self._clock.now_ns() < give_up_ns:
            rows = self.evidence.ledger.probes
            good = rows["done_ns"][rows["ok"] & (rows["sent_ns"] > after_ns)]
            if len(good):
                return int(good.min())
            await self._clock.sleep(0.05)
        return None

    @property
    def last_answer_s(self) -> float:
        """By so long after a window the last call that was due in it is answered or given up."""
        return max(self._plan.probes.timeout_s, REQUEST_TIMEOUT_S)

    def seen(self, start_ns: int, end_ns: int) -> Calls:
        """What was due in ``[start_ns, end_ns)`` and answered so far."""
        window = Window(start_ns=start_ns, end_ns=end_ns)
        probes = self.evidence.ledger.probe_rows_due(window)
        requests = self.evidence.ledger.requests_due(window, Side.API)
        good, count = int(probes["ok"].sum()), len(probes)
        due, there = self._users.due(window), self.evidence.ledger.calls
        probes_missing = sum(each.id not in there for each in due.probes)
        return Calls(
            probes=count,
            good=good,
            bound=ratio_lower(good, count + probes_missing) if count else None,
            requests=len(requests),
            errors=int((~requests["ok"]).sum()),
            probes_missing=probes_missing,
            requests_missing=sum(each.id not in there for each in due.requests),
        )

    def _last_good_ns(self) -> int:
        rows = self.evidence.ledger.probes
        good = rows["done_ns"][rows["ok"]]
        return int(good.max()) if len(good) else 0
