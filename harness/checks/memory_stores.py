"""The stores of the rung ``sim``, as the checkers reach them: the very objects, with the waits of calls."""

from __future__ import annotations

from harness.checks.dual_write import StoredWalk
from harness.checks.stores import MOST_WALKS, TooManyWalks
from harness.checks.walk_tables import StoredWalks
from harness.load.http1 import PhoneAnswer
from harness.load.population.schedule import Account
from harness.load.rest import ASK_LIMIT_S, answered
from harness.load.sim.runtime import exchange
from harness.model.stack import Endpoints
from harness.stack.sim.firestore import MemoryDocuments
from harness.stack.sim.world import SimWorld


class MemoryStores:
    """``Stores`` of one world."""

    def __init__(self, world: SimWorld, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self._world = world

    async def walks(self, most: int = MOST_WALKS) -> StoredWalks:
        """At once, so as of one moment. Raises ``TooManyWalks``."""
        rows = self._world.database.rows()
        if len(rows) >= most:
            raise TooManyWalks(most, "memory")
        return StoredWalks(walks=[StoredWalk(id=row["id"], columns=row, locations=located) for row, located in rows])

    def documents(self) -> MemoryDocuments:
        """Of Firestore in memory."""
        return MemoryDocuments(self._world.firestore)

    async def photos(self) -> list[str]:
        """Of Storage in memory."""
        await self._world.parts.takes()
        return sorted(self._world.parts.photos)

    async def volume(self) -> dict[tuple[str, str], float]:
        """Objects in memory have no bytes that a bill would count."""
        return {}

    async def sign_in(self, account: Account) -> str:
        """By Auth in memory."""
        await self._world.parts.takes()
        return self._world.parts.token(account.email)

    async def exchange(self, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        """With a pod, as a probe asks it."""
        return await answered(exchange(self._world.service, method, path, token, body), ASK_LIMIT_S)
