"""JSON over HTTP to the emulators, with the standard library: under gevent its sockets are greenlet-aware."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import msgspec

from harness.base.errors import NOT_JSON, MeasurementFailed
from harness.base.ticks import NS
from harness.load.http1 import BROKEN, PhoneAnswer, over_socket
from harness.load.protocol import Background, PhoneHttp, Runtime
from harness.model.message import message
from harness.model.stack import Address

# What the load runs on: its clock, its greenlets, its connections.
# In the load processes that is the machine: ``CLOCK_MONOTONIC``, gevent, sockets. ``running_on`` puts another in its
# place for what is called below it, such as virtual time with every part in memory: the same phones and probes run
# there.

ASK_LIMIT_S = 10.0  # of one exchange with the target, by whoever asks it beside the load


class MachineRuntime:
    """gevent and sockets. Imported late: the probes need no gevent, the phones no event loop."""

    ahead_ns = 0  # of this machine's clock before the run's, where the run is another machine's

    def now_ns(self) -> int:
        """The run's monotonic time: ``CLOCK_MONOTONIC``, which all processes of a machine share."""
        return time.monotonic_ns() - self.ahead_ns

    def wall_ns(self) -> int:
        """``CLOCK_REALTIME``, which may be set."""
        return time.time_ns()

    def wait_until(self, due_ns: int, ended: Any) -> bool:
        """As the protocol says; ``ended`` is a gevent ``Event``."""
        while (left_ns := due_ns - self.now_ns()) > 0:
            if ended.wait(left_ns / NS):
                return True
        return bool(ended.is_set())

    def spawn(self, work: Callable[..., Any], *arguments: Any) -> Background:
        """A greenlet."""
        import gevent

        greenlet: Background = gevent.spawn(work, *arguments)
        return greenlet

    def join(self, works: Sequence[Background], timeout_s: float | None = None) -> None:
        """As the protocol says."""
        import gevent

        gevent.joinall(works, timeout=timeout_s)

    def timeout(self, seconds: float, error: BaseException) -> AbstractContextManager[Any]:
        """gevent's."""
        import gevent

        bounded: AbstractContextManager[Any] = gevent.Timeout(seconds, error)
        return bounded

    def http(self, address: Address, timeout_s: float) -> http.client.HTTPConnection:
        """The standard library's: under gevent its sockets are greenlet-aware."""
        return http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)

    def phone(self, address: Address) -> PhoneHttp:
        """A ``PhoneConnection``."""
        from harness.load.connection import PhoneConnection

        return PhoneConnection(address, self)

    async def exchange(self, address: Address, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        """Over a socket of its own."""
        return await over_socket(address, method, path, token, body)


_MACHINE = MachineRuntime()
_RUNTIME: ContextVar[Runtime] = ContextVar("runtime", default=_MACHINE)


def be_ahead(ahead_ns: int) -> None:
    """This machine's clock is so far ahead of the run's: from now on ``now_ns`` is the run's."""
    _MACHINE.ahead_ns = ahead_ns


def runtime() -> Runtime:
    """The one below which the caller runs; the machine unless told otherwise."""
    return _RUNTIME.get()


@contextlib.contextmanager
def running_on(other: Runtime) -> Iterator[None]:
    """``other`` in the machine's place, for the block and for the tasks made in it."""
    token = _RUNTIME.set(other)
    try:
        yield
    finally:
        _RUNTIME.reset(token)


def now_ns() -> int:
    """The monotonic time."""
    return runtime().now_ns()


def wall_ns() -> int:
    """The wall clock's time, ns since 1970-01-01 UTC: servers judge a token by it."""
    return runtime().wall_ns()


async def sleep_until(due_ns: int) -> None:
    """The same in an event loop."""
    while (left_ns := due_ns - now_ns()) > 0:  # noqa: ASYNC110 - a time is awaited, not a state
        await asyncio.sleep(left_ns / NS)


async def sleep(seconds: float) -> None:
    """For periods, such as that of flushing."""
    await asyncio.sleep(seconds)


async def exchange(address: Address, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
    """``over_socket``, or what the runtime has in its place."""
    return await runtime().exchange(address, method, path, token, body)


async def answered(exchanged: Awaitable[PhoneAnswer], limit_s: float) -> PhoneAnswer:
    """What ``exchanged`` returns; an answer of status 0 where none came whole within ``limit_s``."""
    try:
        async with asyncio.timeout(limit_s):
            return await exchanged
    except BROKEN:  # a time-out is an OSError
        return PhoneAnswer(status=0, body=b"", pod="")


async def status_of(address: Address, path: str, limit_s: float) -> int:
    """HTTP's status of a GET by nobody; 0 where no answer came within ``limit_s``."""
    return (await answered(exchange(address, "GET", path, "", b""), limit_s)).status


async def lines_of_stdin() -> asyncio.StreamReader:
    """The standard input, for an event loop."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


class JsonClient:
    """One kept connection to one emulator; used by one greenlet at a time."""

    def __init__(self, name: str, address: Address, timeout_s: float) -> None:
        self._name = name
        self._address = address
        self._connection = runtime().http(address, timeout_s)

    def post(self, path: str, payload: bytes, headers: dict[str, str] | None = None) -> bytes:
        """The body of a 200 answer. Raises ``MeasurementFailed`` for anything else.

        A connection that the emulator closed while idle is opened again once.
        """
        fresh = self._connection.sock is None
        try:
            status, answer = self._exchange(path, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if fresh or isinstance(error, TimeoutError):
                raise self._failed(path, f"{type(error).__name__}: {error}") from error
            return self.post(path, payload, headers)
        if status != 200:
            raise self._failed(path, f"status {status}: {answer[:200].decode(errors='replace')}", status)
        return answer

    def post_json(self, path: str, body: object, headers: dict[str, str] | None = None) -> dict[str, object]:
        """The same with JSON either way; the answer is an object."""
        answer = self.post(path, msgspec.json.encode(body), headers)
        try:
            return msgspec.json.decode(answer, type=dict[str, object])
        except NOT_JSON as error:
            raise self._failed(path, f"not a JSON object: {answer[:200]!r}") from error

    def close(self) -> None:
        """Idempotent; the next call connects again."""
        self._connection.close()

    def _exchange(self, path: str, payload: bytes, headers: dict[str, str] | None) -> tuple[int, bytes]:
        self._connection.request("POST", path, payload, {"Content-Type": "application/json", **(headers or {})})
        with self._connection.getresponse() as response:
            return response.status, response.read()

    def _failed(self, path: str, why: str, status: int = 0) -> MeasurementFailed:
        return MeasurementFailed(
            message("{name} did not answer ({why})", name=self._name, why=why),
            where=f"POST http://{self._address}{path.split('?', maxsplit=1)[0]}",
            remedy=message("see the log of {name}", name=self._name),
            status=status,
        )
