"""Writes through the API to walks that are being moved: whatever it acknowledged last, PostgreSQL must hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import h11
import msgspec

from harness.base.clock import Clock
from harness.checks.stores import read_stored
from harness.load.http1 import Refused, exchange
from harness.model.stack import Endpoints
from harness.rehearsals.migration_drill.types import Race
from harness.stack.firebase.sign_up import User

_LIMIT_S = 10.0
_EXAMPLES = 5


class Racing:
    """One user of the API, who changes the titles of walks in turn. ``begin`` goes on until it is ``over``."""

    def __init__(self, endpoints: Endpoints, clock: Clock, user: User, walk_ids: Sequence[str], every_s: float) -> None:
        self._to = endpoints
        self._clock = clock
        self._user = user
        self._walks = walk_ids
        self._every_s = every_s
        self.over = False
        self._written = 0
        #: By walk the titles that it may have: the last acknowledged one, and those sent since and not answered.
        self._perhaps: dict[str, set[str]] = {}

    async def begin(self) -> None:
        """One write after the other."""
        number = 0
        while not self.over:
            walk_id, title = self._walks[number % len(self._walks)], f"raced {number}"
            await self._put(walk_id, title)
            number += 1
            await self._clock.sleep(self._every_s)

    async def found(self) -> Race:
        """What PostgreSQL holds of it."""
        stored = await read_stored(self._to, only=sorted(self._perhaps)) if self._perhaps else None
        titles = {walk.id: walk.columns.get("title") for walk in stored.walks} if stored is not None else {}
        lost = [
            f"{walk_id} is {titles.get(walk_id)!r}, must be {' or '.join(sorted(may))}"
            for walk_id, may in self._perhaps.items()
            if titles.get(walk_id) not in may
        ]
        return Race(walks=len(self._perhaps), written=self._written, lost=tuple(lost[:_EXAMPLES]))

    async def _put(self, walk_id: str, title: str) -> None:
        body = msgspec.json.encode({"title": title})
        sent = self._perhaps.get(walk_id)
        if sent is not None:
            sent.add(title)
        try:
            async with asyncio.timeout(_LIMIT_S):
                answer = await exchange(self._to.service, "PUT", f"/v1/walks/{walk_id}", self._user.token, body)
        except (Refused, OSError, EOFError, h11.RemoteProtocolError):
            return
        if answer.status == 200:
            self._written += 1
            self._perhaps[walk_id] = {title}
