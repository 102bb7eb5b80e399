"""The way's end on this machine: loopback ports, each led through one long port-forward to the gateway pod.

Run as a module by ``stack.py`` with ``--namespace``, ``--pod`` and ``NAME=PORT`` for each port; a process of its own,
so that a busy harness holds no request up. It listens once the way stands, says each round trip on stdout, ends with a
line on stderr when a port-forward breaks, and when its stdin does, so that it never outlives its harness.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from harness.base.clock import NS, Clock, MachineClock
from harness.stack.kube import mux
from harness.stack.kubernetes.port_forward import forwarding

PING_EVERY_S = 5.0
STANDS_LIMIT_S = 60.0
_RETRY_S = 0.5


class Way:
    """Listens at ``port`` and leads each connection to what the gateway calls ``name``."""

    def __init__(self, name: str, port: int, clock: Clock) -> None:
        self.name = name
        self._port = port
        self._clock = clock
        self._ponged = asyncio.Event()

    async def run(self, connect: Callable[[], Any]) -> None:
        """Until the port-forward breaks. Raises ``LinkBroken``."""
        async with connect() as forward:
            link = mux.Link(forward.read, forward.send)
            link.ponged = self._heard
            await link.send(mux.NAME, 0, self.name.encode())
            tasks = [asyncio.ensure_future(link.run()), asyncio.ensure_future(self._serve(link))]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def stood(self) -> bool:
        """Whether the other end has ever answered."""
        return self._ponged.is_set()

    async def _serve(self, link: mux.Link) -> None:
        """Listens once the gateway answers, and pings from then on."""
        await self._ping(link)
        await self._ponged.wait()
        server = await asyncio.start_server(link.carry, mux.LOOPBACK, self._port)
        async with server:
            while True:
                await self._clock.sleep(PING_EVERY_S)
                await self._ping(link)

    async def _ping(self, link: mux.Link) -> None:
        await link.send(mux.PING, 0, struct.pack(">Q", self._clock.now_ns()))

    def _heard(self, payload: bytes) -> None:
        took_ms = (self._clock.now_ns() - struct.unpack(">Q", payload)[0]) / NS * 1000
        self._ponged.set()
        sys.stdout.write(msgspec.json.encode({"name": self.name, "round_trip_ms": round(took_ms, 2)}).decode() + "\n")
        sys.stdout.flush()


async def keep(way: Way, connect: Callable[[], Any], clock: Clock) -> None:
    """The gateway may not listen yet, so it is tried for a while; a way that stood and broke ends the process."""
    give_up_ns = clock.now_ns() + round(STANDS_LIMIT_S * NS)
    while True:
        try:
            await way.run(connect)
        except (mux.LinkBroken, aiohttp.ClientError, OSError) as error:
            if way.stood or clock.now_ns() > give_up_ns:
                raise SystemExit(f"the port-forward to {way.name} broke: {error}") from error
        await clock.sleep(_RETRY_S)


async def main(options: argparse.Namespace) -> None:
    """All ways, until one breaks or stdin ends."""
    clock = MachineClock()
    async with forwarding(
        options.kubeconfig, options.context, options.namespace, options.pod, options.port, scratch=options.scratch
    ) as opened:
        ways = [Way(name, int(port), clock) for name, _, port in (word.partition("=") for word in options.ways)]
        work = [asyncio.ensure_future(keep(way, opened, clock)) for way in ways]
        ended = asyncio.ensure_future(_stdin_ended())
        done, _ = await asyncio.wait([*work, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def _stdin_ended() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def options() -> argparse.Namespace:
    """The command line, which ``stack.py`` writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("kubeconfig", "context", "namespace", "pod"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--scratch", type=Path, required=True, help="where keys of the kubeconfig are unpacked")
    parser.add_argument("--port", type=int, required=True, help="the gateway's")
    parser.add_argument("ways", nargs="+", metavar="NAME=PORT")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(options()))
