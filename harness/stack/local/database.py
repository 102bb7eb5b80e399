"""The local rung's PostgreSQL as its operator sees it."""

from __future__ import annotations

from harness.model.stack import Address, DatabaseAccess
from harness.stack.local.parts import Parts
from harness.stack.local.pod import Ground
from harness.stack.local.postgres import remove_killed
from harness.stack.local.postgres_template import DATABASE

_SUPERUSER = "postgres"


class LocalDatabase:
    """``Database`` of the protocol."""

    def __init__(self, parts: Parts, ground: Ground) -> None:
        self._parts = parts
        self._ground = ground

    def access(self) -> DatabaseAccess:
        """The instance that the stack was brought up with."""
        postgres = self._parts.postgres
        return DatabaseAccess(
            address=postgres.address, superuser=_SUPERUSER, password=postgres.password, database=DATABASE
        )

    def register(self, instance: str, address: Address) -> None:
        """Pods started from now on find it."""
        self._ground.instances[instance] = address

    async def lose(self) -> None:
        """SIGKILL, then the data folder goes. Raises ``StackNotStarted`` when it cannot be removed."""
        await self._parts.lose_postgres()
        await remove_killed(self._parts.postgres.data, self._ground.clock)
