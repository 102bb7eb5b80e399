"""Many TCP connections over one byte stream: the two ends of the way into the cluster.

A port-forward leads to one pod and passes kube-proxy by; it ends whole as soon as the pod resets one of its
connections (kubernetes/kubernetes#111825), as a target under a fault does; and opening one costs several round trips
and two TLS handshakes. So one long port-forward leads to a gateway pod, and every connection of a user or probe is a
stream in it: the gateway opens one connection to the Service's own address for each, and kube-proxy chooses the pod as
for anybody in the cluster. A refusal or reset there resets the stream, and with it the connection here.

Run as a file in the gateway pod: standard library alone, ``mux.py PORT NAME=HOST:PORT ...``. It listens on the pod's
loopback only, so that nobody but a port-forward reaches it, and leads to the named addresses only. A link is open to
one name, in its first frame; a name that is not known ends the link.

Frames: stream (4 bytes), kind (1), length (4), payload. ``WINDOW_BYTES`` of a stream may be under way unread; its
reader gives the room back with ``CREDIT``. ``PING`` is answered by ``PONG`` with the same payload.
"""

import asyncio
import contextlib
import struct
import sys
from collections.abc import Awaitable, Callable

OPEN, DATA, END, RESET, CREDIT, PING, PONG, NAME = range(8)
HEAD = struct.Struct(">IBI")
CHUNK_BYTES = 32768
WINDOW_BYTES = 262144
CONNECT_LIMIT_S = 10.0
SILENT_LIMIT_S = 30.0  # of a link on which somebody pings every few seconds
LOOPBACK = "127.0.0.1"

Read = Callable[[], Awaitable[bytes]]
Send = Callable[[bytes], Awaitable[None]]


class LinkBroken(Exception):  # noqa: N818 - an outcome
    """The byte stream ended, or what came is no frame."""


class MuxStream:
    """One TCP connection at this end."""

    def __init__(self, link: "Link", number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._link = link
        self._number = number
        self._reader = reader
        self._writer = writer
        self._credit = WINDOW_BYTES
        self._room = asyncio.Event()
        self._arrived: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._broken = asyncio.get_running_loop().create_future()  # by the other end

    async def run(self) -> None:
        """Both directions until both have ended, or one broke at either end."""
        halves = asyncio.gather(self._outward(), self._inward())
        try:
            await asyncio.wait([halves, self._broken], return_when=asyncio.FIRST_COMPLETED)
            if halves.done() and halves.exception() is not None:
                self._writer.transport.abort()
                await self._link.send(RESET, self._number)
        finally:
            halves.cancel()
            await asyncio.gather(halves, return_exceptions=True)
            self._writer.close()

    def arrived(self, data: bytes | None) -> None:
        """Data of the other end, or ``None`` for its end."""
        self._arrived.put_nowait(data)

    def credited(self, count: int) -> None:
        """The other end has read ``count`` bytes."""
        self._credit += count
        self._room.set()

    def abort(self) -> None:
        """Breaks the connection at this end."""
        self._writer.transport.abort()
        if not self._broken.done():
            self._broken.set_result(None)

    async def _outward(self) -> None:
        while data := await self._reader.read(CHUNK_BYTES):
            while self._credit <= 0:
                self._room.clear()
                await self._room.wait()
            self._credit -= len(data)
            await self._link.send(DATA, self._number, data)
        await self._link.send(END, self._number)

    async def _inward(self) -> None:
        while (data := await self._arrived.get()) is not None:
            self._writer.write(data)
            await self._writer.drain()
            await self._link.send(CREDIT, self._number, struct.pack(">I", len(data)))
        self._writer.write_eof()


class Early:
    """Stands for a stream whose connection does not stand yet."""

    def __init__(self) -> None:
        self._kept: list[bytes | None] = []
        self._gone = False

    def arrived(self, data: bytes | None) -> None:
        """Keeps what came, or the end of it, for the stream that will stand."""
        self._kept.append(data)

    def credited(self, count: int) -> None:
        """Nothing was sent yet."""

    def abort(self) -> None:
        """The other end gave up."""
        self._gone = True

    def hand_over(self, stream: MuxStream) -> None:
        """To the connection that stands now."""
        for data in self._kept:
            stream.arrived(data)
        if self._gone:
            stream.abort()


class Link:
    """One byte stream. The gateway gives ``connect``, to open what the other end asks for; the other opens."""

    def __init__(self, read: Read, send: Send, connect: Callable[[str], tuple[str, int]] | None = None) -> None:
        self._read = read
        self._send = send
        self._connect = connect
        self._address = ("", 0)
        self._buffer = b""
        self._streams: dict[int, MuxStream | Early] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = 0
        self.ponged: Callable[[bytes], None] = lambda _payload: None

    async def run(self) -> None:
        """Until the byte stream ends; then every connection is broken. Raises ``LinkBroken``."""
        try:
            while True:
                number, kind, payload = await self._frame()
                await self._take(number, kind, payload)
        except (OSError, ValueError, KeyError, struct.error) as error:
            raise LinkBroken(repr(error)) from error
        finally:
            for stream in self._streams.values():
                stream.abort()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A new connection here, led to the other end."""
        self._opened += 1
        number = self._opened
        stream = self._streams[number] = MuxStream(self, number, reader, writer)
        try:
            await self.send(OPEN, number)
            await stream.run()
        except (OSError, LinkBroken):
            stream.abort()
        finally:
            self._streams.pop(number, None)

    async def send(self, kind: int, number: int = 0, payload: bytes = b"") -> None:
        """One frame. Raises ``OSError`` when the byte stream is gone."""
        await self._send(HEAD.pack(number, kind, len(payload)) + payload)

    async def _frame(self) -> tuple[int, int, bytes]:
        await self._fill(HEAD.size)
        number, kind, length = HEAD.unpack_from(self._buffer)
        if length > CHUNK_BYTES:
            raise LinkBroken(f"a frame of {length} bytes")
        await self._fill(HEAD.size + length)
        payload, self._buffer = self._buffer[HEAD.size : HEAD.size + length], self._buffer[HEAD.size + length :]
        return number, kind, payload

    async def _fill(self, count: int) -> None:
        while len(self._buffer) < count:
            async with asyncio.timeout(SILENT_LIMIT_S):
                data = await self._read()
            if not data:
                raise LinkBroken("the other end has gone")
            self._buffer += data

    async def _take(self, number: int, kind: int, payload: bytes) -> None:
        if kind == PING:
            await self.send(PONG, 0, payload)
        elif kind == PONG:
            self.ponged(payload)
        elif kind == NAME and self._connect is not None:
            self._address = self._connect(payload.decode())
        elif kind == OPEN and self._connect is not None:
            early = self._streams[number] = Early()  # at once: the next frame may be of it
            task = asyncio.ensure_future(self._opened_there(number, early))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif (stream := self._streams.get(number)) is not None:  # else it ended here already
            if kind == DATA:
                stream.arrived(payload)
            elif kind == END:
                stream.arrived(None)
            elif kind == CREDIT:
                stream.credited(struct.unpack(">I", payload)[0])
            elif kind == RESET:
                stream.abort()

    async def _opened_there(self, number: int, early: Early) -> None:
        """What comes before the connection stands waits in the stream's queue, as long as its window lets it."""
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                reader, writer = await asyncio.open_connection(*self._address)
        except OSError:
            self._streams.pop(number, None)
            await self.send(RESET, number)
            return
        stream = self._streams[number] = MuxStream(self, number, reader, writer)
        early.hand_over(stream)
        try:
            await stream.run()
        except (OSError, LinkBroken):
            stream.abort()
        finally:
            self._streams.pop(number, None)


async def serve(port: int, addresses: dict[str, tuple[str, int]]) -> None:
    """The gateway, until it is killed: one link a connection."""

    async def linked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        link = Link(lambda: reader.read(CHUNK_BYTES), send, addresses.__getitem__)
        with contextlib.suppress(LinkBroken):
            await link.run()
        writer.transport.abort()

    server = await asyncio.start_server(linked, LOOPBACK, port)
    async with server:
        await server.serve_forever()


def address(text: str) -> tuple[str, int]:
    """``host:port``."""
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    named = (word.partition("=") for word in sys.argv[2:])
    asyncio.run(serve(int(sys.argv[1]), {name: address(text) for name, _, text in named}))
