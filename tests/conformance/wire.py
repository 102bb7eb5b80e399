"""A connection in memory: the bundled API's own HTTP/1.1 protocol on one end, an asyncio stream on the other."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from harness.model.stack import Address

_READ_BYTES = 256 * 1024  # as much as the event loop reads from a socket at once
_HIGH_BYTES = 64 * 1024


class End(asyncio.Transport):
    """One end: what is written comes to the other end's protocol in the loop's next rounds, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, address: Address) -> None:
        super().__init__({"peername": (address.host, 40_000), "sockname": (address.host, address.port)})
        self.other: End
        self.protocol: asyncio.Protocol
        self._loop = loop
        self._waiting: deque[bytes | None] = deque()  # ``None`` is the end
        self._paused = self._planned = self._closing = self._lost = False
        self._high = _HIGH_BYTES
        self._full = False  # the protocol was told to wait

    def write(self, data: Any) -> None:
        """Takes all of it."""
        if not self._closing and data:
            view = memoryview(data)
            for start in range(0, len(view), _READ_BYTES):
                self.other._come(bytes(view[start : start + _READ_BYTES]))
            if not self._full and self.get_write_buffer_size() > self._high:
                self._full = True
                self.protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """As a socket."""
        return True

    def write_eof(self) -> None:
        """The other end reads its end; this one still reads."""
        self.other._come(None)

    def is_closing(self) -> bool:
        """Whether ``close`` was called."""
        return self._closing

    def close(self) -> None:
        """Both ends are lost, the other once it has read what was written."""
        if not self._closing:
            self._closing = True
            self.other._come(None)
            self._loop.call_soon(self._lose)

    def abort(self) -> None:
        """What the other end has not read is gone."""
        self.other._waiting.clear()
        self.close()

    def pause_reading(self) -> None:
        """What comes waits."""
        self._paused = True

    def resume_reading(self) -> None:
        """It goes on."""
        self._paused = False
        self._plan()

    def is_reading(self) -> bool:
        """Whether it does."""
        return not self._paused

    def get_write_buffer_size(self) -> int:
        """What the other end has not taken."""
        return sum(len(each) for each in self.other._waiting if each)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The one above which the protocol waits; it goes on once all was taken."""
        self._high = _HIGH_BYTES if high is None else high

    def _come(self, data: bytes | None) -> None:
        self._waiting.append(data)
        self._plan()

    def _plan(self) -> None:
        if self._waiting and not self._planned and not self._paused:
            self._planned = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._planned = False
        if self._lost or self._paused or not self._waiting:
            return
        data = self._waiting.popleft()
        if self.other._full and not self._waiting:
            self.other._full = False
            self.other.protocol.resume_writing()
        if data is not None:
            self.protocol.data_received(data)
        elif not self.protocol.eof_received():
            self.close()
        self._plan()

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self.protocol.connection_lost(None)


def connected(
    config: uvicorn.Config, state: ServerState, address: Address
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A new connection to the server of ``config``, which is loaded; the client's streams."""
    loop = asyncio.get_running_loop()
    client, server = End(loop, address), End(loop, address)
    client.other, server.other = server, client
    reader = asyncio.StreamReader(loop=loop)
    client.protocol = reads = asyncio.StreamReaderProtocol(reader, loop=loop)
    protocol_class: Any = config.http_protocol_class
    server.protocol = protocol_class(config=config, server_state=state, app_state={}, _loop=loop)
    server.protocol.connection_made(server)
    reads.connection_made(client)
    return reader, asyncio.StreamWriter(client, reads, reader, loop)
