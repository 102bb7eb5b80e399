"""The kube rung's PostgreSQL as its operator sees it."""

from __future__ import annotations

from harness.base.errors import NotCapable
from harness.model.message import message
from harness.model.stack import Address, DatabaseAccess
from harness.stack.kube.beside import Beside


class KubeDatabase:
    """``Database`` of the protocol."""

    def __init__(self, beside: Beside, address: Address) -> None:
        self._beside = beside
        self._address = address

    def access(self) -> DatabaseAccess:
        """The instance that the stack was brought up with, at its loopback port."""
        return DatabaseAccess(
            address=self._address, superuser="postgres", password=self._beside.password, database="tekutoko"
        )

    async def register(self, instance: str, address: Address) -> None:  # noqa: ARG002 - the protocol's
        """Raises ``NotCapable``: the cluster's pods do not reach this machine."""
        raise NotCapable(
            message(
                "the instance {instance} cannot be registered on kube: its pods do not reach this machine",
                instance=instance,
            ),
            remedy="rehearse the restore with --on local",
        )

    async def lose(self) -> None:
        """The pod killed, its data gone with it."""
        await self._beside.lose_database()

    def standby(self) -> DatabaseAccess | None:
        """There never is one."""
        return None

    async def start_standby(self) -> DatabaseAccess:
        """Raises ``NotCapable``: one pod is all the database there is in somebody's cluster."""
        raise _no_standby()

    async def end_standby(self) -> None:
        """There is none to end."""

    async def kill(self) -> int:
        """Raises ``NotCapable``: nothing could take over."""
        raise _no_standby()

    async def take_over(self) -> None:
        """Raises ``NotCapable``."""
        raise _no_standby()


def _no_standby() -> NotCapable:
    return NotCapable(
        "the environment kube has no standby of PostgreSQL", remedy="rehearse the failover with --on local or kind"
    )
