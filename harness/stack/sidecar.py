"""The database sidecar of a pod: a TCP proxy, where the document has Cloud SQL Proxy.

Run as a file, standard library alone and without ``site``, so that it starts in a moment and stays small. As Cloud SQL
Proxy does by default, it ends at once on SIGTERM and cuts the connections under way.

The control file, where one is named, is written by a rehearsal of faults: ``delay 200`` holds every chunk for 200 ms
in either direction, ``cut`` breaks all connections and refuses others; gone or empty, all is well. Beside it, the
file of the same name with ``.lead`` names another server, ``10.0.0.7 5432``, as after a failover: connections to the
one before are broken, new ones go there. It stays until another is named.
"""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

CHUNK_BYTES = 65536
CONTROL_EVERY_S = 0.05


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


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, control: Control) -> None:
    """Copies until the end of ``reader``, then ends ``writer``'s direction."""
    while data := await reader.read(CHUNK_BYTES):
        if control.delay_s:
            await asyncio.sleep(control.delay_s)
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def relay(client: asyncio.StreamReader, answer: asyncio.StreamWriter, control: Control) -> None:
    """One connection: both directions until both ended or one broke. A database that refuses refuses the client."""
    if control.cut:
        answer.transport.abort()
        return
    host, port = control.upstream
    try:
        server, request = await asyncio.open_connection(host, port)
    except OSError as error:
        with contextlib.suppress(OSError):  # a full disk under the log
            sys.stderr.write(f"the database at {host}:{port} refused: {error}\n")
        answer.transport.abort()
        return
    if control.upstream != (host, port):  # led elsewhere while it connected
        request.transport.abort()
        answer.transport.abort()
        return
    control.connections |= {answer, request}
    pumps = (pump(client, request, control), pump(server, answer, control))
    directions = [asyncio.ensure_future(each) for each in pumps]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        control.connections -= {answer, request}
        request.close()
        answer.close()


async def main(listen_port: int, host: str, port: int, control_file: str = "") -> None:
    """Serves until SIGTERM ends it. By a handler, because a container's first process has no default actions."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    control = Control(control_file, (host, port))
    control.read()
    follow = asyncio.ensure_future(control.follow())
    server = await asyncio.start_server(lambda r, w: relay(r, w, control), "127.0.0.1", listen_port)
    async with server:
        await server.serve_forever()
    follow.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), *sys.argv[4:5]))
