"""The way into the cluster, both its ends: streams of any size, halves, refusals, resets, many at once."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from harness.stack.kube import mux
from tests.ports import free_port

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Way:
    """``port`` is led to ``there``; ``cut`` ends the byte stream between."""

    def __init__(self, port: int, cut: Callable[[], None], link: mux.Link) -> None:
        self.port = port
        self.cut = cut
        self.link = link


@contextlib.asynccontextmanager
async def way(handler: Handler | None, name: str = "service") -> AsyncIterator[Way]:
    """The gateway's process as it runs in the pod, and the harness' end. Without a ``handler`` nobody listens there."""
    server = await asyncio.start_server(handler or _nobody, "127.0.0.1", 0)
    there = server.sockets[0].getsockname()[1]
    if handler is None:
        server.close()
    gate = free_port()
    command = (sys.executable, "-I", "-S", mux.__file__, str(gate), f"service=127.0.0.1:{there}")
    gateway = await asyncio.create_subprocess_exec(*command)
    reader, writer = await connected(gate)

    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    link = mux.Link(lambda: reader.read(65536), send)
    running = asyncio.ensure_future(link.run())
    await link.send(mux.NAME, 0, name.encode())
    front = await asyncio.start_server(link.carry, "127.0.0.1", 0)
    try:
        yield Way(front.sockets[0].getsockname()[1], writer.transport.abort, link)
    finally:
        for closed in (front, server):
            closed.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        writer.transport.abort()
        gateway.kill()
        await gateway.wait()
        await asyncio.sleep(0.05)  # the loop closes what was aborted in its next turns


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.02)


async def _nobody(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All of it, once it has ended: what a half-closed connection must still bring back."""
    writer.write(await reader.read(-1))
    await writer.drain()
    writer.close()


async def exchanged(port: int, sent: bytes) -> bytes:
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        await writer.drain()
        writer.write_eof()
        found = await reader.read(-1)
        writer.close()
        return found


@pytest.mark.process
@pytest.mark.parametrize("size", [0, 1, mux.CHUNK_BYTES, 5 * mux.WINDOW_BYTES + 7])
async def test_every_byte_comes_back_after_the_half_close(size: int) -> None:
    sent = bytes(n % 251 for n in range(size))
    async with way(_echo) as there:
        assert await exchanged(there.port, sent) == sent


@pytest.mark.process
async def test_many_connections_at_once_do_not_mix(count: int = 60) -> None:
    async with way(_echo) as there:
        sent = [bytes([n]) * (1000 * n + 1) for n in range(count)]
        assert await asyncio.gather(*(exchanged(there.port, each) for each in sent)) == sent


@pytest.mark.process
async def test_a_stream_that_nobody_reads_does_not_hold_up_the_others() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.read(1)) == b"!":
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
        writer.write(b"quick")
        writer.close()

    async with way(endless) as there:
        _reader, writer = await asyncio.open_connection("127.0.0.1", there.port, limit=1024)
        writer.write(b"!")
        await asyncio.sleep(0.5)
        assert await exchanged(there.port, b"?") == b"quick"
        writer.transport.abort()


@pytest.mark.process
async def test_a_refusal_there_is_a_broken_connection_here() -> None:
    async with way(None) as there:
        for _ in range(3):
            with pytest.raises(ConnectionResetError):
                await exchanged_or_reset(there.port)


@pytest.mark.process
async def test_a_reset_there_is_a_reset_here() -> None:
    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with way(resets) as there:
        with pytest.raises(ConnectionResetError):
            await exchanged_or_reset(there.port)


async def exchanged_or_reset(port: int) -> None:
    """An end without an answer is as good as a reset: which of the two a client sees depends on what was unread."""
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            if not await reader.read(1):
                raise ConnectionResetError("ended without an answer")
        finally:
            writer.close()


@pytest.mark.process
async def test_when_the_way_breaks_every_connection_does() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    async with way(silent) as there:
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        writer.write(b"hello")
        await asyncio.sleep(0.1)
        there.cut()
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


@pytest.mark.process
async def test_a_ping_is_answered() -> None:
    async with way(_echo) as there:
        heard = asyncio.get_running_loop().create_future()
        there.link.ponged = heard.set_result
        await there.link.send(mux.PING, 0, b"12345678")
        assert await asyncio.wait_for(heard, 5) == b"12345678"


@pytest.mark.process
async def test_a_name_that_the_gateway_does_not_know_leads_nowhere() -> None:
    async with way(_echo, name="elsewhere") as there:
        with pytest.raises(ConnectionResetError):
            await exchanged_or_reset(there.port)
