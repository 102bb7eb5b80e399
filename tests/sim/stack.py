"""The ``Stack`` in memory, as much of it as a week's run asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from harness.base.clock import Clock
from harness.model.evidence import EventRow, SampleRow, happened
from harness.model.flag import Template
from harness.model.manifests import Manifests
from harness.model.message import message
from harness.model.stack import Address, Capability, Endpoints, Fault, Rung
from harness.stack.protocol import Undo
from tests.sim.database import SimDatabase
from tests.sim.firestore import Mirror
from tests.sim.parts import Parts
from tests.sim.service import Service

ADDRESS = Address(host="127.0.0.1", port=1)
_PUBLISH_S = 0.05


class MemoryStack:
    """Pods of the manifests' number in front of one database; the parts of Firebase beside them."""

    rung = Rung.SIM
    capabilities = frozenset({Capability.LONG_WINDOWS})
    cpu_factor = 1.0

    def __init__(
        self, clock: Clock, manifests: Manifests, service: Service, database: SimDatabase, mirror: Mirror, parts: Parts
    ) -> None:
        self._clock = clock
        self._pods = manifests.deployment.replicas
        self._service = service
        self._database = database
        self._mirror = mirror
        self._parts = parts
        self._rows: asyncio.Queue[EventRow | SampleRow | None] = asyncio.Queue()
        self._exit = AsyncExitStack()

    async def up(self) -> None:
        """Starts the pods."""
        await self._exit.enter_async_context(
            self._service.running(self._pods, self._database, self._mirror, self._parts)
        )

    def endpoints(self) -> Endpoints:
        """One address for all: who asks is told by what is asked."""
        return Endpoints(
            service=ADDRESS,
            auth=ADDRESS,
            firestore=ADDRESS,
            remote_config=ADDRESS,
            database=ADDRESS,
            storage=ADDRESS,
        )

    async def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        """Events of faults, until ``down``."""
        while (row := await self._rows.get()) is not None:
            yield row

    async def set_flag(self, template: Template) -> int:
        """Publishes the template; its version."""
        version = self._parts.publish(template)
        await self._clock.sleep(_PUBLISH_S)
        return version

    async def inject(self, fault: Fault) -> Undo:
        """A fault in front of the pods."""
        number = self._service.inject(fault)
        self._tell(fault, "injected")

        async def undo() -> None:
            if self._service.faults.active.pop(number, None) is not None:
                self._tell(fault, "undone")

        return undo

    async def down(self) -> None:
        """Ends the pods. Idempotent."""
        await self._exit.aclose()
        self._rows.put_nowait(None)

    def leaks(self) -> list[str]:
        """Nothing is outside this process."""
        return []

    def _tell(self, fault: Fault, became: str) -> None:
        said = message("{fault}", fault=fault.told)
        self._rows.put_nowait(happened(self._clock.now_ns(), "fault", became, said, {}))
