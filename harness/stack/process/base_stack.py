"""What a ``Stack`` of real processes does on any rung: brought up once, followed, taken down once, its traces kept."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, NotRequired, TypedDict, Unpack

from harness.base.clock import Clock
from harness.base.errors import PartDied, RehearsalError, StackNotStarted
from harness.base.typed import PROGRAM
from harness.model.evidence import EventRow, SampleRow
from harness.model.flag import Template
from harness.model.manifests import Manifests
from harness.model.message import ProgressCallback, message, of_error
from harness.model.stack import Endpoints, Target
from harness.stack.firebase import admin
from harness.stack.process.processes import Feed
from harness.stack.state import RunState, holder_of
from harness.stack.state.leaks import NOT_DOWN, Traces, leaks, shared_files
from harness.stack.state.ports import can_bind


class Common(TypedDict):
    """What every stack of real processes is made of. ``service_port`` ``None`` takes a free one."""

    run_id: str
    manifests: Manifests
    target: Target
    folder: Path
    clock: Clock
    service_port: NotRequired[int | None]
    fault_proxy: NotRequired[bool]
    progress: ProgressCallback


class BaseStack(ABC):
    """The first part of a stack; who inherits makes the others, says where they answer, and takes them away again."""

    def __init__(self, **common: Unpack[Common]) -> None:
        self._run_id = common["run_id"]
        self._manifests = common["manifests"]
        self._target = common["target"]
        self._logs_folder = common["folder"] / "logs"
        self._clock = common["clock"]
        self._service_port = common.get("service_port")
        self._with_fault_proxy = common.get("fault_proxy", False)
        self._progress = common["progress"]
        self._feed = Feed(self._clock)
        self._state: RunState | None = None
        self._down: asyncio.Task[None] | None = None
        self._shared_before: frozenset[str] = frozenset()
        self._traces: Traces | None = None

    @abstractmethod
    def endpoints(self) -> Endpoints:
        """Valid after ``up``."""

    @abstractmethod
    async def _take_parts_down(self) -> None:
        """Everything that ``up`` made, as far as it came."""

    def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        """Every event and sample from the first moment of ``up``; ends after ``down``; raises ``PartDied``."""
        return self._feed.follow()

    async def set_flag(self, template: Template) -> int:
        """Publishes to the Remote Config emulator."""
        endpoints = self.endpoints()
        return await admin.publish(endpoints.remote_config, endpoints.project_id, template)

    async def down(self) -> None:
        """Bounded, whatever state the stack is in. When cancelled it goes on; a second call waits for the first."""
        if self._down is None:
            self._down = asyncio.ensure_future(self._take_down())
        await asyncio.shield(self._down)

    def leaks(self) -> list[str]:
        """Valid after ``down``; of one that did not come to its end that is a leak itself."""
        if self._traces is not None:
            return leaks(self._traces)
        return [] if self._state is None or self._down is None else [NOT_DOWN]

    def _begin(self) -> RunState:
        """The run's state on this machine. Raises ``StackNotStarted`` the second time, or when its port is taken."""
        if self._state is not None or self._down is not None:
            raise StackNotStarted("a stack is brought up once", remedy="make a new one")
        self._refuse_taken_port()
        self._shared_before = shared_files()
        self._state = RunState.begin(self._run_id)
        self._logs_folder.mkdir(parents=True, exist_ok=True)
        return self._state

    def _refuse_taken_port(self) -> None:
        port = self._service_port
        if port is None or can_bind(port):
            return
        holder = holder_of(port)
        raise StackNotStarted(
            f"the service's port {port} is taken" + (f" by {holder}" if holder else " or may not be bound"),
            where=f"127.0.0.1:{port}",
            remedy="end that process, or choose another port with --service-port (by default a free one is taken)",
        )

    async def _unless_dead(self, work: Coroutine[Any, Any, None], death: asyncio.Future[None]) -> None:
        """``work``, ended by the first part that dies meanwhile: ``StackNotStarted``. Raises what ``work`` raises."""
        bring_up = asyncio.ensure_future(work)
        try:
            await asyncio.wait([bring_up, death], return_when=asyncio.FIRST_COMPLETED)
            if bring_up.done():
                bring_up.result()
            elif (died := death.exception()) is not None:
                if not isinstance(died, PartDied):
                    raise died
                remedy = message("read the log; `{program} doctor` says what this machine lacks", program=PROGRAM)
                raise StackNotStarted(died.told, where=died.given[1], remedy=remedy) from died
        finally:
            bring_up.cancel()
            await asyncio.gather(bring_up, return_exceptions=True)

    async def _take_down(self) -> None:
        state = self._state
        if state is None:
            self._feed.close()
            return
        try:
            await self._noting(self._take_parts_down())
        finally:  # whatever broke it: what it left is looked for
            self._traces = Traces.of(state, self._shared_before)
            with contextlib.suppress(OSError, StackNotStarted):  # then the leak check names the folder
                state.end()
            self._feed.close()

    async def _noting(self, work: Coroutine[Any, Any, None]) -> None:
        """What could not be taken down is told, and found again by the leak check."""
        try:
            await work
        except RehearsalError as error:
            self._progress(message("tear down: {why}", why=of_error(error)))
