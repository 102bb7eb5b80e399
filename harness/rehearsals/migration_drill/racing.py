"""Writes through the API to walks that are being moved: whatever it acknowledged last, it must show from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from harness.base.clock import Clock
from harness.base.theirs import read_json
from harness.checks.stores import read_stored
from harness.checks.told import unlike
from harness.load.http1 import ASK_LIMIT_S, Answer, answered, exchange
from harness.load.population.marks import EXCERPT_BYTES
from harness.model.message import Message, message
from harness.model.stack import Endpoints
from harness.rehearsals.migration_drill.types import Race
from harness.stack.firebase.sign_up import User

_OK, _ANSWERED = 200, (200, 404)


class Racing:
    """One user of the API, who changes the titles of walks in turn. ``begin`` goes on until it is ``over``; what is
    written once they are ``moved`` is looked at, and no write of the race."""

    def __init__(self, endpoints: Endpoints, clock: Clock, user: User, walk_ids: Sequence[str], every_s: float) -> None:
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

    async def _ask(self, method: str, walk_id: str, body: bytes) -> Answer:
        asked = exchange(self._to.service, method, f"/v1/walks/{walk_id}", self._user.token, body)
        return await answered(asked, ASK_LIMIT_S)


class _Walk(msgspec.Struct):
    title: str
