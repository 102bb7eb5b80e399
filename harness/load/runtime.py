"""What the load runs on: its clock, its greenlets, its connections.

In the load processes that is the machine: ``CLOCK_MONOTONIC``, gevent, sockets. ``running_on`` puts another in its
place for what is called below it, such as virtual time with every part in memory: the same phones and probes run there.
"""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from harness.model.stack import Address

if TYPE_CHECKING:
    from harness.load.http1 import Answer

NS = 1_000_000_000


class TimedOut(BaseException):
    """What was to end within ``Runtime.timeout`` did not: an outcome, which no ``except Exception`` is to take."""


class Background(Protocol):
    """Work beside the caller's, as gevent's ``Greenlet``: ``dead`` once it has ended, ``value`` what it returned."""

    @property
    def dead(self) -> bool:
        """Whether it has ended."""
        ...

    @property
    def value(self) -> Any:
        """What it returned; ``None`` before, and when it raised."""
        ...

    def kill(self, *, block: bool = True) -> None:
        """Ends it; idempotent."""
        ...


class PhoneHttp(Protocol):
    """One phone's connection to the API; ``harness.load.connection`` says what it promises."""

    def exchange(self, method: str, path: str, token: str, body: bytes, timeout_s: float) -> Answer:
        """The whole answer within ``timeout_s``. Raises ``NoAnswer``."""
        ...

    def reopen(self) -> None:
        """Another connection, at once."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...


class Runtime(Protocol):
    """Everything but the two clocks and ``exchange`` is for greenlets: it blocks its caller alone."""

    def now_ns(self) -> int:
        """The monotonic time."""
        ...

    def wall_ns(self) -> int:
        """The wall clock's time, ns since 1970-01-01 UTC."""
        ...

    def wait_until(self, due_ns: int, ended: Any) -> bool:
        """Returns at ``due_ns`` or as soon after as the greenlet gets its turn; before only when ``ended`` is set: then
        true. ``ended`` is an event of this runtime.
        """
        ...

    def spawn(self, work: Callable[..., Any], *arguments: Any) -> Background:
        """Begins ``work`` beside the caller."""
        ...

    def join(self, works: Sequence[Background], timeout_s: float | None = None) -> None:
        """Returns once all have ended, or after ``timeout_s``."""
        ...

    def timeout(self, seconds: float, error: BaseException) -> AbstractContextManager[Any]:
        """Raises ``error`` in the block that is not left after ``seconds``."""
        ...

    def http(self, address: Address, timeout_s: float) -> http.client.HTTPConnection:
        """A connection to an emulator, opened by its first request."""
        ...

    def phone(self, address: Address) -> PhoneHttp:
        """A phone's connection to the API."""
        ...

    async def exchange(self, address: Address, method: str, path: str, token: str, body: bytes) -> Answer:
        """One exchange on a new connection, in an event loop, as ``harness.load.http1`` says."""
        ...


class Machine:
    """gevent and sockets. Imported late: the probes need no gevent, the phones no event loop."""

    def now_ns(self) -> int:
        """``CLOCK_MONOTONIC``, which all processes of a machine share."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """``CLOCK_REALTIME``, which may be set."""
        return time.time_ns()

    def wait_until(self, due_ns: int, ended: Any) -> bool:
        """As the protocol says; ``ended`` is a gevent ``Event``."""
        while (left_ns := due_ns - time.monotonic_ns()) > 0:
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

        return PhoneConnection(address)

    async def exchange(self, address: Address, method: str, path: str, token: str, body: bytes) -> Answer:
        """Over a socket of its own."""
        from harness.load.http1 import over_socket

        return await over_socket(address, method, path, token, body)


_MACHINE = Machine()
_RUNTIME: ContextVar[Runtime] = ContextVar("runtime", default=_MACHINE)


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
