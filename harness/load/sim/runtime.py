"""What phones and probes run on here (``harness.load.rest``): the loop's time, greenlets on it, parts in memory."""

from __future__ import annotations

import asyncio
import http.client
import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, cast

from harness.base.ticks import NS
from harness.load.connection import Connection
from harness.load.http1 import ConnectionRefused, NoAnswer, PhoneAnswer, whole
from harness.load.protocol import Background, Runtime
from harness.load.sim import greenlets
from harness.model.evidence import Outcome
from harness.model.stack import Address
from harness.stack.sim.parts import SimParts
from harness.stack.sim.service import NoAnswerFrom, SimCaller, SimService
from harness.stack.sim.world import SimWorld


class SimEvent:
    """An event as the phones know it: set once, waited for by many."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: dict[asyncio.Future[bool], None] = {}  # in the order in which they came

    def set(self) -> None:
        """Wakes everybody."""
        self._is_set = True
        for woken in self._waiting:
            _settle(woken, True)

    def is_set(self) -> bool:
        """Whether it was."""
        return self._is_set

    async def within(self, seconds: float) -> bool:
        """Whether it was set within ``seconds``."""
        if self._is_set:
            return True
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[bool] = loop.create_future()
        late = loop.call_later(seconds, _settle, woken, False)
        self._waiting[woken] = None
        try:
            return await woken
        finally:
            late.cancel()
            del self._waiting[woken]


def _settle(woken: asyncio.Future[bool], was_set: bool) -> None:
    if not woken.done():
        woken.set_result(was_set)


class VirtualRuntime:
    """As the protocol says."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        #: What ended greenlets that nobody may be joining: none of it may be silent.
        self.failures: list[BaseException] = []

    def now_ns(self) -> int:
        """The loop's time."""
        return self._world.clock.now_ns()

    def wall_ns(self) -> int:
        """The anchor's time on the loop's."""
        return self._world.clock.wall_ns()

    def wait_until(self, due_ns: int, ended: SimEvent) -> bool:
        """As the protocol says."""
        while (left_ns := due_ns - self.now_ns()) > 0:
            if greenlets.wait(ended.within(left_ns / NS)):
                return True
        return ended.is_set()

    def spawn(self, work: Callable[..., Any], *arguments: Any) -> greenlets.Greenlet:
        """A greenlet on the loop; what it raises is among ``failures``."""
        made = greenlets.Greenlet(work, *arguments)
        made.task.add_done_callback(self.note)
        return made

    def note(self, task: asyncio.Task[Any]) -> None:
        """Keeps what ``task`` ended by, if it was not cancelled."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.failures.append(error)

    def join(self, works: Sequence[Background], timeout_s: float | None = None) -> None:
        """As the protocol says."""
        tasks = [cast("greenlets.Greenlet", each).task for each in works]
        if tasks:
            greenlets.wait(asyncio.wait(tasks, timeout=timeout_s))

    def timeout(self, seconds: float, error: BaseException) -> AbstractContextManager[None]:
        """As the protocol says."""
        return greenlets.timeout(seconds, error)

    def http(self, _address: Address, _timeout_s: float) -> http.client.HTTPConnection:
        """To the part in memory that knows the path."""
        return cast("http.client.HTTPConnection", HttpConnection(self._world.parts))

    def phone(self, _address: Address) -> SimConnection:
        """To one pod, until it is broken."""
        return SimConnection(self._world.service, self)

    async def exchange(self, _address: Address, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        """On a new connection."""
        return await exchange(self._world.service, method, path, token, body)


async def exchange(service: SimService, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
    """One on a connection of its own, as ``harness.load.http1.over_socket``."""
    return await _ask(service, SimCaller.PROBE, service.connect(), method, path, token, body)


async def _ask(  # noqa: PLR0917 - a request
    service: SimService, caller: SimCaller, pod: Any, method: str, path: str, token: str, body: bytes
) -> PhoneAnswer:
    try:
        return whole(await service.ask(caller, pod, method, path, token, body))
    except NoAnswerFrom as ended:
        if ended.outcome is Outcome.REFUSED:
            raise ConnectionRefused(str(ended)) from ended
        raise NoAnswer(ended.outcome, str(ended), wire=ended.wire, seen=ended.seen) from ended


class SimConnection(Connection):
    """One phone's, to one pod; another after an exchange without an answer."""

    def __init__(self, service: SimService, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._service = service
        self._pod: Any = None

    def close(self) -> None:
        """The next exchange is with another pod."""
        self._pod = None

    def _is_open(self) -> bool:
        return self._pod is not None

    def _open(self) -> None:
        self._pod = self._service.connect()

    def _send(self, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        return greenlets.wait(_ask(self._service, SimCaller.PHONE, self._pod, method, path, token, body))


class HttpConnection:
    """As ``http.client.HTTPConnection``, for a greenlet."""

    def __init__(self, parts: SimParts) -> None:
        self._parts = parts
        self._asked: tuple[str, str, bytes] = ("", "", b"")
        self.sock = None

    def request(self, method: str, path: str, body: bytes = b"", _headers: object = None) -> None:
        """Keeps it for ``getresponse``."""
        self._asked = (method, path, body)

    def getresponse(self) -> _Response:
        """The part's answer."""
        greenlets.wait(self._parts.takes())
        return _Response(*self._parts.answer(*self._asked))

    def close(self) -> None:
        """Nothing to close."""


class _Response(io.BytesIO):
    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(body)
        self.status = status

    def __enter__(self) -> _Response:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
