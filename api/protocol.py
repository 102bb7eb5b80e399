"""HTTP/1.1 with limits that hold before anybody is known: the size of a head, of a URL, and the time a head may take.

uvicorn's protocol on httptools has none: a connection may send headers for ever, and one that sends nothing stays. What
is refused here, or is no HTTP, gets an error body (docs/contract/walk-api.md#errors) and its connection ends:

* 414 for a URL and 431 for a head that are too large, 408 for a head that is not whole in time, 400 for what cannot be
  read. A connection that sends nothing at all is closed without an answer: it asked nothing.
* Trailers count as head. What comes after a head, its framing included, is bounded too, in bytes and, once the answer
  is out, in time.

* Of requests that wait for the answer to an earlier one there are ``PIPELINED`` at most; with one more the connection
  ends behind the answers that are owed. A client that reads an answer more slowly than ``Limits.least_bytes_per_s``,
  measured over ``STALL_S``, loses its connection. ``api.edge`` bounds what all answers take together.

* Connections are counted. One beyond ``Limits.connections`` gets 503 for whatever it asks but what the platform asks
  (``/health``, ``/ready``), and ends with its first answer; one beyond ``SPARE`` of those is closed at once.

Memory a connection can take is therefore bounded by these limits and one read of the event loop (256 KiB).
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Callable
from typing import Any

import httptools
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api import answers
from api.edge import ALWAYS_ANSWERED, ALWAYS_SENT_BYTES, DRAINED

LINGER_S = 1.0  # in which what still comes is thrown away, so that the answer is not lost to a reset (RFC 9112, 9.6)
SPARE = 64  # connections beyond the limit that may still ask whether the process is well
PIPELINED = 16  # requests of a connection that wait for the answer to an earlier one
FILL_S = 1.0  # in which what is sent fills the buffers on its way, whether or not the client reads
STALL_S = 20.0  # over which the rate is measured at which a client takes what it is sent
_LINE_BYTES = 4  # ": " and the end of the line, which httptools does not hand over

#: Called with the status of each request refused here; such a request never reaches the application.
Refused = Callable[[int], None]


class Limits(Struct, frozen=True, kw_only=True):
    """``head_bytes`` counts URL, headers and trailers; ``message_bytes`` what follows a head, with its framing.

    ``head_s`` runs from the connection's start and from the first byte of each later head; a message whose answer is
    out has as long to end. ``connections`` may be open at once. ``least_bytes_per_s`` is half of what a phone has whose
    plan is used up (128 kbit/s).
    """

    head_bytes: int = 32 * 1024
    url_bytes: int = 8 * 1024
    head_s: float = 10.0
    message_bytes: int = 8 * 1024 * 1024
    connections: int = 4096
    least_bytes_per_s: int = 8192


class _Refusal(Exception):  # noqa: N818 - an outcome
    """Ends the parsing from within one of its callbacks."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, limits: Limits, refused: Refused, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._refused = refused
        self._ended = False  # nothing that comes is read any more
        self._begun = False  # the first byte of a head has come, and not the last byte of its message
        self._in_head = True
        self._completed = 0  # heads and messages
        self._head_bytes = 0  # handed over by the parser
        self._unread_bytes = 0  # raw, of the part that a message is in: the parser may hold them back
        self._timer: asyncio.TimerHandle | None = None
        self._why: tuple[int, str] | None = None
        self._surplus = False
        self._stall: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self.transport.set_write_buffer_limits(high=ALWAYS_SENT_BYTES)
        beyond = len(self.connections) - self._limits.connections
        if beyond > SPARE:
            self._refused(503)
            self._end()
            return
        self._surplus = beyond > 0
        self._set_timer(self._limits.head_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._unset_timer()
        self._unset_stall()
        self._unset_keepalive_if_required()  # uvicorn forgets it when the connection broke
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._ended:
            return
        self._unset_keepalive_if_required()
        was_in_head, completed = self._in_head, self._completed
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._last_of_its_connection()  # no protocol is upgraded to, and the parser reads no further
        except httptools.HttpParserError:
            self._refuse(*(self._why or (400, "The request is not HTTP/1.1")))
        else:
            # Of a read in which something ended, only what begins after it is of the part that goes on: at most a read.
            self._unread_bytes = self._unread_bytes + len(data) if self._completed == completed else 0
            self._bound(was_in_head)

    def _bound(self, was_in_head: bool) -> None:
        """After a read: is what goes on within its bytes, and is somebody watching its time?"""
        if not self._in_head:
            if self._unread_bytes > self._limits.message_bytes:
                self._refuse(400, f"The body is larger than {self._limits.message_bytes} bytes")
        elif self._unread_bytes > self._limits.head_bytes:
            self._refuse(431, f"The head is larger than {self._limits.head_bytes} bytes")
        elif self._begun or (was_in_head and self._unread_bytes):
            if self._timer is None:
                self._set_timer(self._limits.head_s, self._head_is_late)
        elif self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # The end of a body that was answered before it had come: uvicorn would watch this connection no more.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of a head."""
        self._begun = True
        self._head_bytes = 0
        super().on_message_begin()
        self.scope["extensions"] = {DRAINED: self.flow.drain}  # type: ignore[dict-item] # a callable, for api.edge alone

    def on_url(self, url: bytes) -> None:
        """Called by the parser with each part of the URL."""
        if len(self.url) + len(url) > self._limits.url_bytes:
            self._stop(414, f"The URL is longer than {self._limits.url_bytes} bytes")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser with each header, and with each trailer, which nobody reads."""
        self._head_bytes += len(name) + len(value) + _LINE_BYTES
        if self._head_bytes + len(self.url) > self._limits.head_bytes:
            self._stop(431, f"The head is larger than {self._limits.head_bytes} bytes")
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Called by the parser at the end of a head. What it raises refuses the request."""
        if self._surplus and self.url.partition(b"?")[0].decode("latin-1") not in ALWAYS_ANSWERED:
            self._stop(503, "Too many connections are open; try again")
        if len(self.pipeline) >= PIPELINED:
            self._stop(400, "Too many requests wait for the answers to earlier ones")
        names = [name for name, _ in self.headers]
        if self.parser.get_http_version() == "1.1" and names.count(b"host") != 1:
            self._stop(400, "The request does not have one Host")
        if self.parser.get_http_version() == "1.0" and b"transfer-encoding" in names:
            self._stop(400, "HTTP/1.0 has no Transfer-Encoding")
        self._why = (400, "The request target is not a path in ASCII")
        super().on_headers_complete()
        self._why = None
        if self._surplus:
            self.cycle.keep_alive = False
        self._in_head = False
        self._completed += 1
        self._unset_timer()

    def on_message_complete(self) -> None:
        """Called by the parser at the end of a body."""
        self._begun, self._in_head = False, True
        self._completed += 1
        self._unset_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Called when an answer is out; the rest of a request that was answered before its end may still come."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_stall()
        if not self._in_head and self.cycle.response_complete and not self.transport.is_closing():
            self._set_timer(self._limits.head_s, self._end)

    def pause_writing(self) -> None:
        """Called by the event loop: more waits to be taken by the client than it holds gladly."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._unset_stall()

    def timeout_keep_alive_handler(self) -> None:
        """Called for a connection that is idle."""
        super().timeout_keep_alive_handler()
        self._watch_stall()

    def _watch_stall(self) -> None:
        """Also of a connection that is closed, which ends once the client has taken what was sent."""
        if self._stall is None and self in self.connections:
            self._stall = self.loop.call_later(FILL_S, self._measure)

    def _measure(self) -> None:
        self._unsent_bytes = self._unsent()
        self._stall = self.loop.call_later(STALL_S, self._stalls)

    def _stalls(self) -> None:
        self._stall = None
        if self._unsent() > self._unsent_bytes - self._limits.least_bytes_per_s * STALL_S:
            if (sock := self.transport.get_extra_info("socket")) is not None:  # or the kernel would go on sending
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self._measure()

    def _unsent(self) -> int:
        """The bytes that the client has not taken, of what is held here and in the kernel."""
        held: int = self.transport.get_write_buffer_size()
        sock = self.transport.get_extra_info("socket")
        try:
            found = fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)) if sock is not None else bytes(4)
        except (OSError, ValueError):  # it is closed
            return held
        return held + int.from_bytes(found, sys.byteorder)

    def _unset_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _stop(self, status: int, message: str) -> None:
        self._why = (status, message)
        raise _Refusal

    def _head_is_late(self) -> None:
        if self._begun or self._unread_bytes:
            self._refuse(408, f"The head of the request did not arrive within {self._limits.head_s:g} s")
        else:
            self._end()

    def _refuse(self, status: int, message: str) -> None:
        """Answers, unless an answer to an earlier request is still owed: then the connection ends after that one."""
        if self.transport.is_closing():
            return
        self._refused(status)
        if self._answer_owed() and (self._in_head or self.pipeline):
            self._last_of_its_connection()
            return
        cycle = self.cycle
        unanswered = self._in_head or cycle is None or not cycle.response_started
        self._ended = True
        self._unset_timer()
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # the request whose body cannot be read: nobody hears what it would answer
            cycle.message_event.set()
        if unanswered:
            self.transport.write(self._answer(status, message))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._set_timer(LINGER_S, self._end)

    def _answer_owed(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _last_of_its_connection(self) -> None:
        """Nothing more is read; the connection ends with the answer that is owed."""
        self._ended = True
        self._unset_timer()
        if self._answer_owed():
            self.cycle.keep_alive = False
        else:
            self._end()

    def _answer(self, status: int, message: str) -> bytes:
        """The whole answer in the contract's form."""
        code = "INVALID_REQUEST" if status < 500 else "INTERNAL_ERROR"
        again = {"Retry-After": "1"} if status == 503 else {}
        response = answers.error(status, code, message, {"Connection": "close", **again})
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = [b"%b: %b\r\n" % header for header in headers]
        return b"".join([STATUS_LINE[status], *lines, b"\r\n", response.body])

    def _end(self) -> None:
        self._ended = True
        self._unset_timer()
        if not self.transport.is_closing():
            self.transport.close()
            self._watch_stall()

    def _set_timer(self, seconds: float, ends: Callable[[], None]) -> None:
        self._unset_timer()
        self._timer = self.loop.call_later(seconds, ends)

    def _unset_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
