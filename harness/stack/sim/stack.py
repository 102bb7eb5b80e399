"""The ``Stack`` in memory: pods, flag, faults in front of the pods; whatever needs more is refused as not capable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from harness.base.errors import NotCapable
from harness.model.command import Ran
from harness.model.evidence import EventRow, SampleRow, happened
from harness.model.flag import Template
from harness.model.manifests import DrainEnd, Eviction, Manifests
from harness.model.message import Message, message
from harness.model.stack import PROXY_FAULTS, Address, Capability, Endpoints, EnvironmentKind, Fault, Version
from harness.stack.protocol import Database, Undo
from harness.stack.sim.world import SimWorld

_ADDRESS = Address(host="127.0.0.1", port=1)
_PUBLISH_S = 0.05


class MemoryStack:
    """Pods of the manifests' number in front of the world's one database; the parts of Firebase beside them.

    Kubernetes, its kubectl and a PostgreSQL are not there. Those calls raise ``NotCapable``: the pods in memory are
    never replaced, scaled or moved.
    """

    rung = EnvironmentKind.SIM
    capabilities: frozenset[Capability] = frozenset()
    cpu_factor = 1.0

    def __init__(self, world: SimWorld, manifests: Manifests) -> None:
        self.world = world
        self._pods = manifests.deployment.replicas
        self._rows: asyncio.Queue[EventRow | SampleRow | None] = asyncio.Queue()
        self._exit = AsyncExitStack()

    async def up(self) -> None:
        """Starts the pods."""
        world = self.world
        await self._exit.enter_async_context(
            world.service.running(self._pods, world.database, world.mirror, world.parts)
        )

    def endpoints(self) -> Endpoints:
        """One address for all, where nobody listens: who asks is told by what is asked."""
        return Endpoints(
            service=_ADDRESS,
            auth=_ADDRESS,
            firestore=_ADDRESS,
            remote_config=_ADDRESS,
            database=_ADDRESS,
            storage=_ADDRESS,
        )

    async def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        """Events of faults, until ``down``."""
        while (row := await self._rows.get()) is not None:
            yield row

    async def set_flag(self, template: Template) -> int:
        """Publishes the template; its version."""
        version = self.world.parts.publish(template)
        await self.world.clock.sleep(_PUBLISH_S)
        return version

    async def inject(self, fault: Fault) -> Undo:
        """A fault in front of the pods. Raises ``NotCapable`` for any other."""
        if fault.kind not in PROXY_FAULTS:
            raise _not_capable(f"inject {fault.kind}")
        number = self.world.service.inject(fault)
        self._tell(fault, message("injected: {fault}", fault=fault.told))

        async def undo() -> None:
            if self.world.service.faults.active.pop(number, None) is not None:
                self._tell(fault, message("undone: {fault}", fault=fault.told))

        return undo

    async def down(self) -> None:
        """Ends the pods. Idempotent."""
        await self._exit.aclose()
        self._rows.put_nowait(None)

    def leaks(self) -> list[str]:
        """Nothing is outside this process."""
        return []

    def _tell(self, fault: Fault, became: Message) -> None:
        self._rows.put_nowait(happened(self.world.clock.now_ns(), "fault", fault.kind, became, {}))

    # -- what is not here: each raises ``NotCapable`` --------------------------------------------------------------

    async def apply(self, manifests: Manifests) -> None:
        """Not here: no controller."""
        raise _not_capable(f"apply {manifests.folder}")

    async def scale(self, replicas: int) -> None:
        """Not here: no controller."""
        raise _not_capable(f"scale to {replicas}")

    async def restart(self) -> None:
        """Not here: no controller."""
        raise _not_capable("restart pods")

    async def build(self, *versions: Version) -> tuple[str, ...]:
        """Not here: no image."""
        raise _not_capable(f"build {len(versions)} versions")

    async def set_image(self, image: str) -> Ran:
        """Not here: no image."""
        raise _not_capable(f"set the image {image}")

    async def rollout_status(self, *, limit_s: float) -> Ran:
        """Not here: no controller."""
        raise _not_capable(f"wait {limit_s:g} s for a roll out")

    async def rollout_undo(self) -> Ran:
        """Not here: no controller."""
        raise _not_capable("undo a roll out")

    async def evict(self, pod: str) -> Eviction:
        """Not here: no eviction."""
        raise _not_capable(f"evict {pod}")

    async def drain(self, node: str = "", *, limit_s: float = 300.0) -> DrainEnd:
        """Not here: no node."""
        raise _not_capable(f"drain {node or 'its pods'} within {limit_s:g} s")

    def database(self) -> Database:
        """Not here: no PostgreSQL."""
        raise _not_capable("give a PostgreSQL")


def _not_capable(what: str) -> NotCapable:
    return NotCapable(
        message("the environment sim cannot {what}: it holds its pods in memory", what=what),
        remedy="use --on local or --on kind",
    )
