"""The local rung's PostgreSQL as its operator sees it."""

from __future__ import annotations

from harness.base.errors import BadInput
from harness.model.stack import Address, DatabaseAccess
from harness.stack.local.deployment import DeploymentController
from harness.stack.local.parts import Parts
from harness.stack.local.pod import OTHERS, Ground
from harness.stack.local.postgres import SUPERUSER, Postgres, remove_killed
from harness.stack.local.postgres_template import DATABASE


class LocalDatabase:
    """``Database`` of the protocol."""

    def __init__(self, parts: Parts, ground: Ground, controller: DeploymentController) -> None:
        self._parts = parts
        self._ground = ground
        self._controller = controller

    def access(self) -> DatabaseAccess:
        """The instance that the stack was brought up with, or its standby after ``take_over``."""
        return _access(self._parts.postgres)

    async def register(self, instance: str, address: Address) -> None:
        """Pods started from now on find it."""
        self._ground.instances[instance] = address

    async def lose(self) -> None:
        """SIGKILL, then the data folder goes. Raises ``StackNotStarted`` when it cannot be removed."""
        await self._parts.lose_postgres()
        await remove_killed(self._parts.postgres.data, self._ground.clock)

    def standby(self) -> DatabaseAccess | None:
        """The standby, where one follows."""
        return None if self._parts.standby is None else _access(self._parts.standby)

    async def start_standby(self) -> DatabaseAccess:
        """A second server on this machine. Raises ``BadInput`` when there is one."""
        if self._parts.standby is not None:
            raise BadInput("a standby follows PostgreSQL already")
        return _access(await self._parts.start_standby())

    async def end_standby(self) -> None:
        """Fast shutdown, its data gone."""
        await self._parts.end_standby()

    async def kill(self) -> int:
        """SIGKILL; the data stays where it is."""
        await self._parts.lose_postgres()
        return self._ground.clock.now_ns()

    async def take_over(self) -> None:
        """Pods that start later are led there too."""
        self._parts.take_over()
        address = self._ground.instances[OTHERS] = self._parts.postgres.address
        for pod in self._controller.pods.values():
            pod.lead_to(address)


def _access(postgres: Postgres) -> DatabaseAccess:
    return DatabaseAccess(
        address=postgres.address,
        superuser=SUPERUSER,
        password=postgres.password,
        database=DATABASE,
        server=postgres.programs.named,
    )
