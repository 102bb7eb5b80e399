"""The database sidecar of a pod: a TCP proxy, where the document has Cloud SQL Proxy.

Run as a file, standard library alone and without ``site``, so that it starts in a moment and stays small. As Cloud SQL
Proxy does by default, it ends at once on SIGTERM and cuts the connections under way. With ``REHEARSAL_ACCEPT_S`` it
goes on for so many seconds first, as with ``--min-sigterm-delay``; with ``REHEARSAL_DRAIN_S`` it then takes no others,
and ends when those have ended, after so many seconds at the latest, as with ``--max-sigterm-delay``.

The control file, where one is named, is written by a rehearsal of faults: ``delay 200`` holds every chunk for 200 ms
in either direction, ``cut`` breaks all connections and refuses others; gone or empty, all is well. Beside it, the
file of the same name with ``.lead`` names another server, ``10.0.0.7 5432``, as after a failover: connections to the
one before are broken, new ones go there. It stays until another is named.

Where an address is named for it, it answers ``/metrics`` there, as Cloud SQL Proxy v2 does with ``--prometheus``.
"""

import asyncio
import contextlib
import os
import signal
import sys
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

CHUNK_BYTES = 65536
CONTROL_EVERY_S = 0.05
ASKED_LIMIT_S = 5.0
ACCEPT, DRAIN = "REHEARSAL_ACCEPT_S", "REHEARSAL_DRAIN_S"
DRAINED_EVERY_S = 0.1
BOUNDS_MS = (5, 25, 100, 250, 500, 1000, 2000, 5000, 30000)  # as Cloud SQL Proxy's


class Counted:
    """What is told of connections to the database, by Cloud SQL Proxy's names and units, each from its first event on.

    Those are left out that a plain proxy cannot have: ``cloudsqlconn_refresh_success_count`` and
    ``_refresh_failure_count``, of certificates, and the label ``cloudsql_dialer_id``, of several dialers in a process.
    """

    def __init__(self, instance: str) -> None:
        self._labels = f'cloudsql_instance="{instance}"'
        self._took_ms = [0] * (len(BOUNDS_MS) + 1)
        self._took_sum_ms = 0
        self.open = self.failed = self.sent_bytes = self.received_bytes = 0

    def dialed(self, took_s: float) -> None:
        """A connection to the database stands, after so long."""
        took_ms = int(took_s * 1000)
        self._took_ms[bisect_right(BOUNDS_MS, took_ms)] += 1
        self._took_sum_ms += took_ms
        self.open += 1

    def sent(self, size: int) -> None:
        """Bytes went to the database."""
        self.sent_bytes += size

    def received(self, size: int) -> None:
        """Bytes came from it."""
        self.received_bytes += size

    def page(self) -> str:
        """In Prometheus' text format."""
        lines: list[str] = []

        def add(name: str, kind: str, value: int) -> None:
            lines.extend((f"# TYPE cloudsqlconn_{name} {kind}", f"cloudsqlconn_{name}{{{self._labels}}} {value}"))

        if count := sum(self._took_ms):
            add("open_connections", "gauge", self.open)
            add("bytes_sent", "counter", self.sent_bytes)
            add("bytes_received", "counter", self.received_bytes)
            name, until = "cloudsqlconn_dial_latency", 0
            lines.append(f"# TYPE {name} histogram")
            for bound, more in zip((*map(str, BOUNDS_MS), "+Inf"), self._took_ms, strict=True):
                until += more
                lines.append(f'{name}_bucket{{{self._labels},le="{bound}"}} {until}')
            lines += [f"{name}_sum{{{self._labels}}} {self._took_sum_ms}", f"{name}_count{{{self._labels}}} {count}"]
        if self.failed:
            add("dial_failure_count", "counter", self.failed)
        return "".join(f"{line}\n" for line in lines)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request and its answer."""
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            async with asyncio.timeout(ASKED_LIMIT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                known = head.startswith(b"GET /metrics ")
                body = self.page().encode() if known else b"404 page not found\n"
                kind = "text/plain; version=0.0.4" if known else "text/plain"
                about = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write(f"HTTP/1.1 {'200 OK' if known else '404 Not Found'}\r\n{about}".encode() + body)
                await writer.drain()
        writer.close()


class Control:
    """What the control files say, read a few times a second; ``upstream`` is where new connections go."""

    def __init__(self, path: str, upstream: tuple[str, int]) -> None:
        self._path = Path(path) if path else None
        self.upstream = upstream
        self.delay_s = 0.0
        self.cut = False
        self.connections: set[asyncio.StreamWriter] = set()

    async def follow(self) -> None:
        """For ever; returns at once without a file."""
        while self._path is not None:
            self.read()
            await asyncio.sleep(CONTROL_EVERY_S)

    def read(self) -> None:
        """Obeys what the files say now."""
        if self._path is None:
            return
        words = _words(self._path)
        self.delay_s = float(words[1]) / 1000 if words[:1] == ["delay"] and len(words) > 1 else 0.0
        self.cut = words[:1] == ["cut"]
        lead = _words(self._path.with_name(self._path.name + ".lead"))
        led = len(lead) == 2 and lead[1].isdigit() and self.upstream != (lead[0], int(lead[1]))  # else half written
        if led:
            self.upstream = (lead[0], int(lead[1]))
        if self.cut or led:
            for writer in self.connections:
                writer.transport.abort()


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, control: Control, copied: Callable[[int], None]
) -> None:
    """Copies until the end of ``reader``, then ends ``writer``'s direction; ``copied`` is told how many bytes."""
    while data := await reader.read(CHUNK_BYTES):
        if control.delay_s:
            await asyncio.sleep(control.delay_s)
        writer.write(data)
        copied(len(data))
        await writer.drain()
    writer.write_eof()


async def relay(client: asyncio.StreamReader, answer: asyncio.StreamWriter, control: Control, counted: Counted) -> None:
    """One connection: both directions until both ended or one broke. A database that refuses refuses the client."""
    if control.cut:
        counted.failed += 1
        answer.transport.abort()
        return
    host, port = control.upstream
    begun_s = asyncio.get_running_loop().time()
    try:
        server, request = await asyncio.open_connection(host, port)
    except OSError as error:
        counted.failed += 1
        told(f"the database at {host}:{port} refused: {error}")
        answer.transport.abort()
        return
    if control.upstream != (host, port):  # led elsewhere while it connected
        request.transport.abort()
        answer.transport.abort()
        return
    counted.dialed(asyncio.get_running_loop().time() - begun_s)
    control.connections |= {answer, request}
    pumps = (pump(client, request, control, counted.sent), pump(server, answer, control, counted.received))
    directions = [asyncio.ensure_future(each) for each in pumps]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        counted.open -= 1
        control.connections -= {answer, request}
        request.close()
        answer.close()


def told(line: str) -> None:
    """A line of the log."""
    with contextlib.suppress(OSError):  # a full disk under the log
        sys.stderr.write(f"{line}\n")


async def serve_metrics(counted: Counted, where: str) -> None:
    """Begins to, at ``where``, as HOST:PORT. What has that port already stays: a pod must not fail for it."""
    host, _, port = where.rpartition(":")
    try:
        await asyncio.start_server(counted.serve, host, int(port))
    except OSError as error:
        told(f"no metrics at {where}: {error}")


async def drained(counted: Counted, limit_s: float) -> None:
    """Until no connection is open, at most so long."""
    for _ in range(round(limit_s / DRAINED_EVERY_S)):
        if not counted.open:
            return
        await asyncio.sleep(DRAINED_EVERY_S)


async def main(listen_port: int, database: tuple[str, int], control_file: str, metrics: str, instance: str) -> None:
    """Serves until SIGTERM ends it. By a handler, because a container's first process has no default actions."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    accept_s, drain_s = (float(os.environ.get(name, "0")) for name in (ACCEPT, DRAIN))
    if accept_s or drain_s:
        loop.add_signal_handler(signal.SIGTERM, stopping.set)
    else:
        loop.add_signal_handler(signal.SIGTERM, os._exit, 0)
    control, counted = Control(control_file, database), Counted(instance)
    control.read()
    follow = asyncio.ensure_future(control.follow())
    if metrics:
        await serve_metrics(counted, metrics)
    server = await asyncio.start_server(lambda r, w: relay(r, w, control, counted), "127.0.0.1", listen_port)
    await stopping.wait()
    await asyncio.sleep(accept_s)
    server.close()
    await drained(counted, drain_s)
    follow.cancel()
    os._exit(0)


if __name__ == "__main__":
    words = [*sys.argv[1:], "", "", ""]
    asyncio.run(main(int(words[0]), (words[1], int(words[2])), *words[3:6]))
