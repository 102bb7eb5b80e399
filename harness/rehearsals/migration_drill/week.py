"""Week 1 on what the drill made: its users sign in on the same stack, and those of the API find their moved walks.

Those who stay on Firestore while the others are moved: the load goes on until enough was seen of them.
Writes through the API to walks that are being moved: whatever it acknowledged last, it must show from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from harness.base.clock import NS, Clock
from harness.base.theirs import read_json
from harness.checks.stepwise import MOST_FAILED
from harness.checks.stores import read_stored
from harness.checks.told import locations_shown, of_walk, says_nothing, shown_short, unlike
from harness.load.http1 import PhoneAnswer
from harness.load.population.accounts import Account, accounts
from harness.load.population.marks import EXCERPT_BYTES
from harness.load.runtime import ASK_LIMIT_S, answered, exchange
from harness.load.users import Users, users_of
from harness.model.evidence import Side
from harness.model.message import Message, message
from harness.model.scenario import Scenario
from harness.model.stack import Endpoints
from harness.rehearsals.migration_drill.types import DrillDetails, Race, WeekSeen
from harness.rules.bounds import samples_needed
from harness.rules.criteria import judge
from harness.rules.window import Window
from harness.run.context import RunContext
from harness.stack.firebase.rest import SignedUpUser

_LOOK_S = 1.0


async def seen_enough(on: RunContext[DrillDetails], limit_s: float) -> None:
    """Waits until they have sent as many requests as "fewer than 1 %" takes where none fails; ``limit_s`` at most."""
    needed = samples_needed(MOST_FAILED)
    until_ns = on.clock.now_ns() + round(limit_s * NS)
    if _served(on) < needed:
        said = message("the load goes on until those who stay have sent {needed} requests", needed=f"{needed:,}")
        on.phase("staying", said)
    while _served(on) < needed and on.clock.now_ns() < until_ns:
        await on.clock.sleep(_LOOK_S)


def _served(on: RunContext[DrillDetails]) -> int:
    return sum(row.side is Side.FIRESTORE for row in on.evidence.requests)


_OK, _ANSWERED = 200, (200, 404)


class Racing:
    """One user of the API, who changes the titles of walks in turn. ``begin`` goes on until it is ``over``; what is
    written once they are ``moved`` is looked at, and no write of the race."""

    def __init__(
        self, endpoints: Endpoints, clock: Clock, user: SignedUpUser, walk_ids: Sequence[str], every_s: float
    ) -> None:
        self._to = endpoints
        self._clock = clock
        self._user = user
        self._walks = walk_ids
        self._every_s = every_s
        self.over = self.moved = False
        self._raced: list[str] = []  # the walk of each write that was acknowledged meanwhile
        self._ended = asyncio.Event()
        self._sent = self._written = 0
        self._lost: dict[str, Message] = {}
        #: By walk the titles that it may have: the last acknowledged one, and those sent since and not answered.
        self._perhaps: dict[str, set[str]] = {}

    async def begin(self) -> None:
        """One write after the other."""
        try:
            while not self.over:
                walk_id, title = self._walks[self._sent % len(self._walks)], f"raced {self._sent}"
                if walk_id in self._perhaps:
                    await self._look(walk_id)
                self._sent += 1
                await self._put(walk_id, title)
                await self._clock.sleep(self._every_s)
        finally:
            self._ended.set()

    async def settled(self) -> bool:
        """Whether every write was acknowledged, once it is ``over`` and the last has its answer or had its time: one
        without an answer may come to PostgreSQL, and to Firestore, later."""
        await self._ended.wait()
        return self._sent == self._written

    async def found(self) -> Race:
        """What PostgreSQL holds of it."""
        stored = await read_stored(self._to, only=sorted(self._perhaps)) if self._perhaps else None
        titles = {walk.id: walk.columns.get("title") for walk in stored.walks} if stored is not None else {}
        for walk_id in self._perhaps:
            if walk_id in titles:
                self._judge(walk_id, titles[walk_id])
            else:
                self._lost.setdefault(walk_id, message("{walk} is not in PostgreSQL", walk=walk_id))
        return Race(walks=len({*self._raced}), written=len(self._raced), lost=tuple(self._lost.values()))

    def _judge(self, walk_id: str, title: object) -> None:
        if title not in self._perhaps[walk_id]:
            self._lose(walk_id, repr(title))

    def _lose(self, walk_id: str, shown: str) -> None:
        self._lost.setdefault(walk_id, unlike(walk_id, shown, " / ".join(sorted(self._perhaps[walk_id]))))

    async def _look(self, walk_id: str) -> None:
        """Before the next write: what was acknowledged must not have gone meanwhile."""
        answer = await self._ask("GET", walk_id, b"")
        if answer.status in _ANSWERED:
            walk = read_json(answer.body, _Walk) if answer.status == _OK else None
            if walk is not None:
                self._judge(walk_id, walk.title)
            else:
                self._lose(walk_id, f"{answer.status} {answer.body[:EXCERPT_BYTES]!r}")

    async def _put(self, walk_id: str, title: str) -> None:
        body = msgspec.json.encode({"title": title})
        sent = self._perhaps.get(walk_id)
        if sent is not None:
            sent.add(title)
        answer = await self._ask("PUT", walk_id, body)
        if answer.status == _OK:
            self._written += 1
            if not self.moved:
                self._raced.append(walk_id)
            self._perhaps[walk_id] = {title}

    async def _ask(self, method: str, walk_id: str, body: bytes) -> PhoneAnswer:
        asked = exchange(self._to.service, method, f"/v1/walks/{walk_id}", self._user.token, body)
        return await answered(asked, ASK_LIMIT_S)


class _Walk(msgspec.Struct):
    title: str


_EXAMPLES = 5


async def week(
    scenario: Scenario, on: RunContext[DrillDetails], moved: Mapping[str, Sequence[tuple[str, int]]]
) -> None:
    """A population of its own, whose evidence is kept apart: its users have the names of those who were there before,
    and by another seed walks of other ids.

    ``moved`` are walks by their owner, each with its number of locations; those of the owners whom the week has on the
    API are asked for. Raises ``PartDied`` and errors of the measurement.
    """
    seed = on.options.seed + 1
    users = Users(on, users_of(scenario, seed), apart="week1")
    start_ns = await users.begin()
    window = Window(start_ns=start_ns, end_ns=start_ns + round(scenario.window_s * NS))
    lasts = message("week 1 on what was moved, for {seconds} s", seconds=f"{scenario.window_s:g}")
    on.phase("week1", lasts, lasts_s=scenario.window_s)
    seen = await _asked(accounts(scenario.population, seed), on, moved)
    await on.clock.sleep(max(0, window.end_ns - on.clock.now_ns()) / NS)
    due = await users.answered(window)
    found = judge(scenario, users.evidence.ledger, window, on.clock.now_ns(), due=due)
    await users.stop()
    for failure in users.evidence.failures():
        raise failure
    on.details.week = msgspec.structs.replace(seen, criteria=found)
    on.mark("week1")


async def _asked(
    owners: Iterable[Account], on: RunContext[DrillDetails], moved: Mapping[str, Sequence[tuple[str, int]]]
) -> WeekSeen:
    """What owners of moved walks find of them at the API."""
    count, unread, wrong = 0, 0, list[Message]()
    for account in owners:
        if not account.flag_expected or account.user not in moved:
            continue
        token = await on.stores.sign_in(account)
        for walk_id, locations in moved[account.user]:
            count += 1
            answer = await on.stores.exchange("GET", f"/v1/walks/{walk_id}", token, b"")
            there = locations_shown(answer.status, answer.body)
            if says_nothing(answer.status):
                unread += 1
            elif there != locations:
                wrong.append(of_walk(walk_id, account.user, shown_short(answer.status, there, locations)))
    return WeekSeen(criteria=(), asked=count, wrong=len(wrong), unread=unread, examples=tuple(wrong[:_EXAMPLES]))
