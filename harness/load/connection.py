"""One phone's HTTP connection to the API: kept alive, reopened when closed.

A request is sent once, with one exception: a kept connection that had been idle for ``IDLE_NS`` ends within
``AT_ONCE_NS`` of sending and before a byte of the answer, and the method is idempotent. The server was closing it then,
as any server does, and a phone's HTTP stack sends again on a new one. The row says so (``retried``), and the judge
counts how often it was (``harness.rules.ledger``). Whatever else ends an exchange is its outcome.
"""

from __future__ import annotations

import contextlib
import socket as plain_socket
from abc import ABC, abstractmethod

import gevent.socket
import msgspec

from harness.base import http1
from harness.base.ticks import NS
from harness.load.errors import of_this_machine
from harness.load.http1 import BROKEN, MOST_BYTES, OF_THE_APP, ConnectionRefused, NoAnswer, PhoneAnswer, broken, whole
from harness.load.protocol import Runtime, TimedOut
from harness.model.evidence import Outcome, Wire
from harness.model.stack import Address

IDLE_NS, AT_ONCE_NS = NS, 50_000_000
_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
_HEADERS = {"Connection": "keep-alive", **OF_THE_APP}


class Connection(ABC):
    """When a request is sent again, and what is told of an exchange, whatever carries it. Not shared between
    greenlets."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    _used_ns = 0
    _stale = b""  # what came on the connection since the last answer
    _retried = False
    _reading: http1.AnswerReader | None = None  # of the answer that is under way, where bytes make it

    def exchange(self, method: str, path: str, token: str, body: bytes, timeout_s: float) -> PhoneAnswer:
        """Sends and reads the whole answer within ``timeout_s``. Raises ``NoAnswer``, and ``MeasurementFailed`` where
        this machine has no room for a connection."""
        self._retried, self._reading = False, None
        try:
            with self._runtime.timeout(timeout_s, TimedOut()):
                answer = self._exchange(method, path, token, body)
        except NoAnswer as ended:
            self.close()
            ended.retried, ended.seen = self._retried, self._behind(ended.seen)
            raise
        except TimedOut:
            seen = self._behind(self._reading.seen if self._reading else b"")
            self.close()
            why = f"no whole answer within {timeout_s:g} s"
            raise NoAnswer(Outcome.TIMEOUT, why, seen=seen, retried=self._retried) from None
        except BaseException:  # killed in mid-exchange: the connection is in no known state
            self.close()
            raise
        self._used_ns = self._runtime.now_ns()
        return msgspec.structs.replace(answer, retried=self._retried, behind=self._behind(answer.behind))

    def reopen(self) -> None:
        """Another connection, at once. When it cannot be had, the next exchange opens its own."""
        self.close()
        with contextlib.suppress(NoAnswer):
            self._open()

    def _exchange(self, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        if not self._is_open():
            self._open()
            return self._send(method, path, token, body)
        sent_ns = self._runtime.now_ns()
        try:
            return self._send(method, path, token, body)
        except NoAnswer as ended:
            at_once = ended.wire is Wire.CLOSED and self._runtime.now_ns() - sent_ns <= AT_ONCE_NS
            if not at_once or sent_ns - self._used_ns < IDLE_NS or method not in _IDEMPOTENT:
                raise
        self._retried = True
        self.close()
        self._open()
        return self._send(method, path, token, body)

    def _behind(self, came: bytes) -> bytes:
        came, self._stale = self._stale + came, b""
        return came

    @abstractmethod
    def close(self) -> None:
        """Idempotent."""

    @abstractmethod
    def _is_open(self) -> bool:
        """Whether there is a connection that may be used again."""

    @abstractmethod
    def _open(self) -> None:
        """Raises ``ConnectionRefused``."""

    @abstractmethod
    def _send(self, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        """Once. Raises ``NoAnswer``."""


class PhoneConnection(Connection):
    """Over a socket, on gevent."""

    def __init__(self, address: Address, runtime: Runtime) -> None:
        super().__init__(runtime)
        self._address = address
        self._socket: gevent.socket.socket | None = None

    def close(self) -> None:
        """Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _is_open(self) -> bool:
        """Unless the server has closed it meanwhile; an idle socket has nothing to read, and what it has is stale."""
        if self._socket is not None:
            self._stale += self._waiting()
        return self._socket is not None

    def _waiting(self, limit_s: float = 0.0) -> bytes:
        """What can be read at once, or within ``limit_s``. A connection on which something can be, if only its end, is
        of no use any more."""
        assert self._socket is not None
        came = b""
        self._socket.settimeout(limit_s)
        try:
            came = self._socket.recv(http1.BLOCK_BYTES)
        except (BlockingIOError, TimeoutError):
            self._socket.settimeout(None)
            return b""
        except OSError:
            pass
        self.close()
        return came

    def _open(self) -> None:
        try:
            self._socket = gevent.socket.create_connection((self._address.host, self._address.port))
        except OSError as error:
            raise of_this_machine(error) or ConnectionRefused(str(error)) from error
        self._socket.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)

    def _send(self, method: str, path: str, token: str, body: bytes) -> PhoneAnswer:
        assert self._socket is not None
        at = str(self._address)
        asked = http1.asking(method, path, host=at, token=token, headers=_HEADERS, body=body, most_bytes=MOST_BYTES)
        sending, self._reading = asked
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before
                self._socket.sendall(sending)
            while (answer := self._reading.add(self._socket.recv(http1.BLOCK_BYTES))) is None:
                pass
        except BROKEN as error:
            raise broken(error, self._reading) from error
        found = whole(answer)
        if not found.behind:
            found = msgspec.structs.replace(
                found, behind=self._waiting(0.0 if self._reading.reusable else http1.BEHIND_S)
            )
        if not self._reading.reusable or found.behind:
            self.close()
        return found
