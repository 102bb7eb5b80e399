"""The kind rung's PostgreSQL as its operator sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from harness.base.errors import BadInput, NotCapable
from harness.model.message import message
from harness.model.stack import Address, DatabaseAccess
from harness.stack.kind.ground import Ground
from harness.stack.kind.outside import Outside
from harness.stack.kubernetes.compose import DATABASE


class KindDatabase:
    """``Database`` of the protocol. ``lead`` makes the pods follow the instance of ``access``."""

    def __init__(self, ground: Ground, lead: Callable[[], Awaitable[None]]) -> None:
        self._ground = ground
        self._lead = lead

    def access(self) -> DatabaseAccess:
        """The instance that the stack was brought up with, or its standby after ``take_over``."""
        return self._access(self._ground.services[DATABASE])

    @property
    def image(self) -> str:
        """The image of the instance of ``access``."""
        return self._ground.services[DATABASE].image

    async def register(self, instance: str, address: Address) -> None:
        """The container that publishes ``address`` joins the cluster's network, where pods reach it.

        Raises ``NotCapable`` when no container does: pods do not reach what listens on this machine's loopback alone.
        """
        if not await self._ground.admit(instance, address):
            raise NotCapable(
                message(
                    "the instance {instance} cannot be registered on kind: no container publishes {address}",
                    instance=instance,
                    address=str(address),
                ),
                remedy="pods reach containers alone; rehearse it with --on local",
            )

    async def lose(self) -> None:
        """The container killed, its volume gone."""
        await self._ground.lose_database()

    def standby(self) -> DatabaseAccess | None:
        """The standby, where one follows."""
        return None if self._ground.standby is None else self._access(self._ground.standby)

    async def start_standby(self) -> DatabaseAccess:
        """A second container of the same image on the cluster's network."""
        if self._ground.standby is not None:
            raise BadInput("a standby follows PostgreSQL already")
        return self._access(await self._ground.start_standby())

    async def end_standby(self) -> None:
        """The container removed with its data."""
        await self._ground.end_standby()

    async def kill(self) -> int:
        """SIGKILL of the container's first process; the container stays, ended."""
        return await self._ground.kill_database()

    async def restart(self) -> None:
        """A fast shutdown and start of the container; the pods are led to its address again should that be another."""
        service = self._ground.services[DATABASE]
        before = service.inside
        await self._ground.restart_database()
        if service.inside != before:
            await self._lead()

    async def take_over(self) -> None:
        """The pods that run are told, those that start later read it from the ConfigMap."""
        self._ground.take_over()
        await self._lead()

    def _access(self, service: Outside) -> DatabaseAccess:
        return DatabaseAccess(
            address=service.address, superuser="postgres", password=self._ground.password, database="tekutoko"
        )
