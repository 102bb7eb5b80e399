"""What the load is made on and by: the ``Load`` protocol, and the ``Runtime`` below its phones and probes."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from harness.load.http1 import PhoneAnswer
from harness.model.stack import Address


class Load(Protocol):
    """Made of a ``LoadPlan``; driven in this order. What ends by itself raises ``PartDied``, or what it met, in every
    call.
    """

    @property
    def spools(self) -> tuple[Path, ...]:
        """Where its evidence grows."""
        ...

    async def start(self) -> None:
        """Begins to admit. Raises ``BadInput``, ``EvidenceNotWritten``."""
        ...

    async def admitted(self, timeout_s: float) -> None:
        """Returns once everybody is; bounded."""
        ...

    async def go(self, origin_ns: int) -> None:
        """Starts schedule and probes: their offsets count from ``origin_ns``, best a little ahead of now."""
        ...

    async def watch(self) -> None:
        """Returns when it was stopped; raises as soon as a part of it ends by itself."""
        ...

    async def stop(self) -> None:
        """Lets requests under way finish or time out. Idempotent."""
        ...


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

    def exchange(self, method: str, path: str, token: str, body: bytes, timeout_s: float) -> PhoneAnswer:
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

    async def exchange(self, address: Address, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        """One exchange on a new connection, in an event loop, as ``harness.load.http1`` says."""
        ...
