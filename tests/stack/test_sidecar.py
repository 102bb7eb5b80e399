"""The database sidecar as a process: led to another server, it breaks what leads to the one before."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from harness.stack import sidecar
from harness.stack.state.ports import PortSlot

pytestmark = pytest.mark.process


@asynccontextmanager
async def server(name: bytes) -> AsyncIterator[int]:
    """Says its name, then echoes; its port."""

    ends: list[asyncio.Future[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ends.append(ended)
        with contextlib.suppress(OSError):
            writer.write(name)
            while data := await reader.read(100):
                writer.write(data)
        writer.transport.abort()
        ended.set_result(None)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        await asyncio.gather(*ends)


@contextmanager
def running(port: int, upstream: int, control: Path) -> Iterator[None]:
    arguments = (str(port), "127.0.0.1", str(upstream), str(control))
    process = subprocess.Popen([sys.executable, "-I", "-S", str(Path(sidecar.__file__)), *arguments])
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def named(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    for _ in range(100):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except OSError:
            await asyncio.sleep(0.05)
    return reader, writer, await reader.readexactly(1)


@pytest.fixture
def port() -> Iterator[int]:
    """Of a guarded range: no test beside this one takes it."""
    slot = PortSlot()
    yield slot.take()
    slot.release()


async def test_it_is_led_to_another_server_without_a_restart(tmp_path: Path, port: int) -> None:
    control = tmp_path / "control"
    async with server(b"a") as first, server(b"b") as second:
        with running(port, first, control):
            reader, writer, name = await named(port)
            assert name == b"a"
            (tmp_path / "control.lead").write_text("127.0.0.1")  # half written: nothing changes
            await asyncio.sleep(0.2)
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            (tmp_path / "control.lead").write_text(f"127.0.0.1 {second}")
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(1), 2) == b""  # the connection before is broken
            _, other, name = await named(port)
            assert name == b"b"
            for each in (writer, other):
                each.close()
        with running(port, first, control):  # one that starts anew reads it before it serves
            _, other, name = await named(port)
            assert name == b"b"
            other.close()
