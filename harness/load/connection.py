"""One phone's HTTP connection to the API: kept alive, reopened when closed, on gevent.

It parses with geventhttpclient, as locust's FastHttpUser does, but keeps the socket itself: geventhttpclient's own
client silently sends a request up to three times, on new connections too, and would hide broken answers from the judge.

A phone's HTTP stack sends a request again only when that cannot do harm: the connection was a kept one, it ended
before a byte of the answer, and the method is idempotent. The same rule holds here, once; POST is never repeated.
"""

from __future__ import annotations

import contextlib
import socket as plain_socket

import gevent
import gevent.socket
import msgspec
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketResponse

from harness.load.errors import of_this_machine
from harness.model.evidence import Outcome
from harness.model.stack import Address

_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    status: int
    body: bytes
    pod: str
    retried: bool


class NoAnswer(Exception):  # noqa: N818 - an outcome, not an error
    """The exchange ended without a whole answer; ``retried`` when the request had been sent twice."""

    def __init__(self, outcome: Outcome, why: str, *, retried: bool = False) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.retried = retried


class PhoneConnection:
    """Not shared between greenlets."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: gevent.socket.socket | None = None
        self._retried = False
        self._head_end = f"\r\nHost: {address}\r\nAccept: application/json\r\nUser-Agent: TekuToko-rehearsal\r\n"

    def exchange(self, method: str, path: str, token: str, body: bytes, timeout_s: float) -> Answer:
        """Sends and reads the whole answer within ``timeout_s``. Raises ``NoAnswer``, and ``MeasurementFailed`` where
        this machine has no room for a connection."""
        request = self._request(method, path, token, body)
        self._retried = False
        try:
            with gevent.Timeout(timeout_s):
                return self._exchange(method, request)
        except gevent.Timeout:
            self.close()
            raise NoAnswer(Outcome.TIMEOUT, f"no whole answer within {timeout_s:g} s", retried=self._retried) from None
        except (OSError, HTTPParseError) as error:
            self.close()
            raise NoAnswer(Outcome.BROKEN, f"{type(error).__name__}: {error}", retried=self._retried) from error
        except BaseException:  # killed in mid-exchange: the connection is in no known state
            self.close()
            raise

    def reopen(self) -> None:
        """Another connection, at once. When it cannot be had, the next exchange opens its own."""
        self.close()
        with contextlib.suppress(NoAnswer):
            self._connect()

    def close(self) -> None:
        """Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, method: str, request: bytes) -> Answer:
        kept = self._kept()
        if kept is not None:
            try:
                return self._send(kept, method, request, retried=False)
            except HTTPConnectionClosed:  # raised only before the first byte of an answer
                self.close()
                if method not in _IDEMPOTENT:
                    raise
            self._retried = True
            return self._send(self._connect(), method, request, retried=True)
        return self._send(self._connect(), method, request, retried=False)

    def _kept(self) -> gevent.socket.socket | None:
        """The kept socket, unless the server has closed it meanwhile (an idle socket has nothing to read)."""
        if self._socket is None:
            return None
        self._socket.settimeout(0.0)
        try:
            self._socket.recv(1, plain_socket.MSG_PEEK)
        except BlockingIOError:
            self._socket.settimeout(None)
            return self._socket
        except OSError:
            pass
        self.close()
        return None

    def _connect(self) -> gevent.socket.socket:
        try:
            self._socket = gevent.socket.create_connection((self._address.host, self._address.port))
        except OSError as error:
            refused = NoAnswer(Outcome.REFUSED, str(error), retried=self._retried)
            raise of_this_machine(error) or refused from error
        self._socket.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        return self._socket

    def _send(self, sock: gevent.socket.socket, method: str, request: bytes, *, retried: bool) -> Answer:
        try:
            sock.sendall(request)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise HTTPConnectionClosed(f"while sending: {error}") from error
        response = HTTPSocketResponse(sock, method=method)
        body = response.read()
        if response.should_close():
            self.close()
        pod = response.get("x-pod-name")
        return Answer(status=response.status_code, body=body, pod=pod if isinstance(pod, str) else "", retried=retried)

    def _request(self, method: str, path: str, token: str, body: bytes) -> bytes:
        head = f"{method} {path} HTTP/1.1{self._head_end}Authorization: Bearer {token}\r\n"
        if method in {"PUT", "POST"}:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body
