"""What phones and probes run on here (``harness.load.runtime``): the loop's time, greenlets on it, parts in memory."""

from __future__ import annotations

import asyncio
import http.client
import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, cast

from harness.load.connection import Answer, NoAnswer
from harness.load.http1 import Answer as ProbeAnswer
from harness.load.http1 import Refused
from harness.load.runtime import NS, Background
from harness.load.sim import greenlets
from harness.model.evidence import Outcome
from harness.model.stack import Address
from harness.stack.sim.parts import Parts
from harness.stack.sim.service import Caller, NoAnswerFrom, Service
from harness.stack.sim.world import World


class Ended:
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

    def __init__(self, world: World) -> None:
        self._world = world
        #: What ended greenlets that nobody may be joining: none of it may be silent.
        self.failures: list[BaseException] = []

    def now_ns(self) -> int:
        """The loop's time."""
        return self._world.clock.now_ns()

    def wall_ns(self) -> int:
        """The anchor's time on the loop's."""
        return self._world.clock.wall_ns()

    def wait_until(self, due_ns: int, ended: Ended) -> bool:
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

    def phone(self, _address: Address) -> PhoneConnection:
        """To one pod, until it is broken."""
        return PhoneConnection(self._world.service)

    async def exchange(self, _address: Address, method: str, path: str, token: str, body: bytes) -> ProbeAnswer:
        """On a new connection."""
        return await exchange(self._world.service, method, path, token, body)


async def exchange(service: Service, method: str, path: str, token: str, body: bytes) -> ProbeAnswer:
    """One on a connection of its own, as ``harness.load.http1.over_socket``."""
    try:
        status, answer, name = await service.ask(Caller.PROBE, service.connect(), method, path, token, body)
    except NoAnswerFrom as ended:
        if ended.outcome is Outcome.REFUSED:
            raise Refused(str(ended)) from ended
        raise ConnectionResetError(str(ended)) from ended
    return ProbeAnswer(status=status, body=answer, pod=name)


class PhoneConnection:
    """One phone's, kept; another after an exchange without an answer."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._pod: Any = None

    def exchange(self, method: str, path: str, token: str, body: bytes, timeout_s: float) -> Answer:
        """As the protocol says."""
        return greenlets.wait(self._exchange(method, path, token, body, timeout_s))

    def reopen(self) -> None:
        """Another pod, with the next exchange."""
        self._pod = None

    def close(self) -> None:
        """The same."""
        self._pod = None

    async def _exchange(self, method: str, path: str, token: str, body: bytes, timeout_s: float) -> Answer:
        self._pod = self._pod or self._service.connect()
        pod, self._pod = self._pod, None
        try:
            async with asyncio.timeout(timeout_s):
                status, answer, name = await self._service.ask(Caller.PHONE, pod, method, path, token, body)
        except TimeoutError as error:
            raise NoAnswer(Outcome.TIMEOUT, f"no whole answer within {timeout_s:g} s") from error
        except NoAnswerFrom as ended:
            raise NoAnswer(ended.outcome, str(ended)) from ended
        self._pod = pod
        return Answer(status=status, body=answer, pod=name, retried=False)


class HttpConnection:
    """As ``http.client.HTTPConnection``, for a greenlet."""

    def __init__(self, parts: Parts) -> None:
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
