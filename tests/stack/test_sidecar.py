"""The database sidecar as a process: led to another server, it breaks what leads to the one before; it tells what it
counts as Cloud SQL Proxy does."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from harness.model.stack import Address
from harness.stack.database import sidecar
from harness.stack.firebase import rest
from tests.ports import free_port

pytestmark = pytest.mark.process
OF = '{cloudsql_instance="p:r:i"}'


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
def running(
    port: int, upstream: int, control: Path, *more: str, drain_s: float = 0.0, accept_s: float = 0.0
) -> Iterator[subprocess.Popen[bytes]]:
    arguments = (str(port), "127.0.0.1", str(upstream), str(control), *more)
    given = {sidecar.DRAIN: drain_s, sidecar.ACCEPT: accept_s}
    ends = {name: f"{seconds:g}" for name, seconds in given.items() if seconds}
    process = subprocess.Popen([sys.executable, "-I", "-S", str(Path(sidecar.__file__)), *arguments], env=ends)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for _ in range(100):
        with contextlib.suppress(OSError):
            return await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
    raise AssertionError(f"nobody listens on {port}")


async def named(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    reader, writer = await connected(port)
    return reader, writer, await reader.readexactly(1)


@pytest.fixture
def port() -> int:
    return free_port()


async def scraped(at: int, path: str = "/metrics") -> tuple[int, dict[str, float]]:
    """The status, and the value of each series."""
    answer = await rest.request(Address(host="127.0.0.1", port=at), "GET", path, timeout_s=20)
    lines = (line for line in answer.body.decode().splitlines() if answer.status == 200 and not line.startswith("#"))
    return answer.status, {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}


async def until_open(at: int, count: int) -> dict[str, float]:
    for _ in range(100):
        _, found = await scraped(at)
        if found.get(f"cloudsqlconn_open_connections{OF}") == count:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"never {count} open: {found}")


async def test_it_tells_of_its_connections_by_cloud_sql_proxy_s_names(tmp_path: Path) -> None:
    port, metrics, nobody = free_port(), free_port(), free_port()
    async with server(b"a") as database:
        with running(port, database, tmp_path / "control", f"127.0.0.1:{metrics}", "p:r:i"):
            _, first, _ = await named(port)
            _, second, _ = await named(port)
            second.write(b"xyz")
            await second.drain()
            second.close()
            found = await until_open(metrics, 1)
            assert found[f"cloudsqlconn_dial_latency_count{OF}"] == 2
            assert found['cloudsqlconn_dial_latency_bucket{cloudsql_instance="p:r:i",le="+Inf"}'] == 2
            assert found[f"cloudsqlconn_bytes_sent{OF}"] == 3 and found[f"cloudsqlconn_bytes_received{OF}"] >= 2
            assert f"cloudsqlconn_dial_failure_count{OF}" not in found  # no failure yet
            (tmp_path / "control").write_text("cut")
            await until_open(metrics, 0)
            reader, refused = await connected(port)
            with contextlib.suppress(OSError):
                assert await reader.read(1) == b""
            for each in (first, refused):
                each.close()
            _, found = await scraped(metrics)
            assert found[f"cloudsqlconn_dial_failure_count{OF}"] == 1
            assert (await scraped(metrics, "/other"))[0] == 404
    with running(port, nobody, tmp_path / "none", f"127.0.0.1:{metrics}", "p:r:i"):
        reader, refused = await connected(port)
        with contextlib.suppress(OSError):
            assert await reader.read(1) == b""
        refused.close()
        assert await scraped(metrics) == (200, {f"cloudsqlconn_dial_failure_count{OF}": 1})


@pytest.mark.parametrize(("drain_s", "closes"), [(0.0, False), (60.0, True), (3.0, False)])
async def test_on_sigterm_it_waits_for_its_connections_only_where_it_is_told_to(
    tmp_path: Path, port: int, drain_s: float, closes: bool
) -> None:
    """As ``--max-sigterm-delay``: what is open goes on, nothing else is taken, and it ends with the last, or then."""
    async with server(b"a") as database:
        with running(port, database, tmp_path / "control", drain_s=drain_s) as process:
            reader, writer, _ = await named(port)
            process.terminate()
            if drain_s:
                for _ in range(100):
                    with contextlib.suppress(OSError):
                        (await asyncio.open_connection("127.0.0.1", port))[1].close()
                        await asyncio.sleep(0.05)
                        continue
                    break
                else:
                    raise AssertionError("it goes on to take others")
                writer.write(b"xyz")
                assert await reader.readexactly(3) == b"xyz"
                assert process.poll() is None
            if closes:
                writer.close()
            assert await asyncio.to_thread(process.wait, 20) == 0
            writer.close()


async def test_on_sigterm_it_takes_others_as_long_as_it_is_told_to(tmp_path: Path, port: int) -> None:
    """As ``--min-sigterm-delay``; without the other it then cuts what is open."""
    async with server(b"a") as database:
        with running(port, database, tmp_path / "control", accept_s=5.0) as process:
            reader, writer, _ = await named(port)
            process.terminate()
            await asyncio.sleep(0.5)
            other = await named(port)
            writer.write(b"xyz")
            assert await reader.readexactly(3) == b"xyz"
            assert await asyncio.to_thread(process.wait, 20) == 0
            writer.close()
            other[1].close()


async def test_a_taken_port_of_its_metrics_costs_nothing_but_them(tmp_path: Path, port: int) -> None:
    async with server(b"a") as first, server(b"b") as other:
        with running(port, first, tmp_path / "control", f"127.0.0.1:{other}"):
            _, writer, name = await named(port)
            assert name == b"a"
            writer.close()


def test_latencies_are_told_in_cloud_sql_proxy_s_buckets() -> None:
    """Whole milliseconds; what is just at a bound counts above it, as OpenCensus has it."""
    counted = sidecar.Counted("p:r:i")
    for took_s in (0.0049, 0.005, 0.3, 60):
        counted.dialed(took_s)
    found = [line.rpartition(" ") for line in counted.page().splitlines() if "_bucket" in line]
    assert [(series.partition('le="')[2][:-2], int(value)) for series, _, value in found] == [
        ("5", 1), ("25", 2), ("100", 2), ("250", 2), ("500", 3), ("1000", 3), ("2000", 3), ("5000", 3), ("30000", 3),
        ("+Inf", 4),
    ]  # fmt: skip
    assert f"cloudsqlconn_dial_latency_sum{OF} 60309" in counted.page()
    assert sidecar.Counted("p:r:i").page() == ""  # nothing before the first event


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
                assert await asyncio.wait_for(reader.read(1), 20) == b""  # the connection before is broken
            _, other, name = await named(port)
            assert name == b"b"
            for each in (writer, other):
                each.close()
        with running(port, first, control):  # one that starts anew reads it before it serves
            _, other, name = await named(port)
            assert name == b"b"
            other.close()
