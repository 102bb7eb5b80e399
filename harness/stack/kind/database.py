"""The kind rung's PostgreSQL as its operator sees it."""

from __future__ import annotations

from harness.model.errors import NotCapable
from harness.model.stack import Address, DatabaseAccess
from harness.stack.kind.ground import DATABASE, Ground


class KindDatabase:
    """``Database`` of the protocol."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def access(self) -> DatabaseAccess:
        """The instance that the stack was brought up with."""
        return DatabaseAccess(
            address=self._ground.services[DATABASE].address,
            superuser="postgres",
            password=self._ground.password,
            database="tekutoko",
        )

    def register(self, instance: str, address: Address) -> None:  # noqa: ARG002 - the protocol's
        """Raises ``NotCapable``: pods cannot reach an instance that listens on this machine's loopback alone."""
        raise NotCapable(
            f"the instance {instance} cannot be registered on kind: its pods do not reach this machine's loopback",
            remedy="rehearse the restore with --on local",
        )

    async def lose(self) -> None:
        """The container killed, its volume gone."""
        self._ground.expect_end(DATABASE)
        await self._ground.services[DATABASE].stop()
