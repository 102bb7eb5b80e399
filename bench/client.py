"""Closed-loop clients in a process of their own: a plan on the input, what they saw on the output.

``python -m bench.client``. Each connection sends its next request when the answer to the last one is there (and its
pause has passed): what a simple load generator does, and cannot tell a stalled server by (``bench.stall``).
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Iterator

import msgspec

from bench import clock

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Plan(msgspec.Struct, kw_only=True):
    """``requests`` are whole HTTP/1.1 requests, taken in turn by ``connections``, until ``seconds`` or ``most``."""

    port: int
    requests: list[str]
    connections: int
    seconds: float
    most: int
    pause_s: float = 0.0
    start_at: int = 0


class Seen(msgspec.Struct, kw_only=True):
    """``sent`` the requests answered 200 whole, ``latencies_ms`` from sending to the answer's end."""

    answered: int
    seconds: float
    cpu_s: float
    latencies_ms: list[float]
    not_200: int


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._held = b""
        self._sent_ns = 0
        self.closed = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        held = self._held = self._held + data if self._held else data
        head = held.find(_HEAD_END)
        if head < 0:
            return
        place = held.lower().find(_LENGTH, 0, head) + len(_LENGTH)
        whole = head + 4 + int(held[place : held.find(b"\r\n", place)])
        if len(held) < whole:
            return
        self._held = held[whole:]
        self._run.note(held[9:12] == b"200", clock.now_ns() - self._sent_ns)
        if self._run.pause_s:
            asyncio.get_running_loop().call_later(self._run.pause_s, self._send)
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self) -> None:
        assert self._transport is not None
        request = self._run.next()
        if request is None:
            self._transport.close()
            return
        self._sent_ns = clock.now_ns()
        self._transport.write(request)


class _Run:
    def __init__(self, plan: Plan) -> None:
        self._requests: Iterator[bytes] = itertools.cycle([text.encode() for text in plan.requests])
        for _ in range(plan.start_at % len(plan.requests)):
            next(self._requests)
        self._left = plan.most
        self._ends_ns = clock.now_ns() + round(plan.seconds * 1e9)
        self.pause_s = plan.pause_s
        self.latencies_ns: list[int] = []
        self.not_200 = 0

    def next(self) -> bytes | None:
        if self._left <= 0 or clock.now_ns() >= self._ends_ns:
            return None
        self._left -= 1
        return next(self._requests)

    def note(self, good: bool, took_ns: int) -> None:
        if good:
            self.latencies_ns.append(took_ns)
        else:
            self.not_200 += 1


async def measure(plan: Plan) -> Seen:
    """Runs the plan; bounded by its seconds and ten more."""
    loop = asyncio.get_running_loop()
    began_ns, cpu_ns = clock.now_ns(), clock.cpu_ns()
    run = _Run(plan)
    async with asyncio.timeout(plan.seconds + 10):
        made = [
            (await loop.create_connection(lambda: _Connection(run), "127.0.0.1", plan.port))[1]
            for _ in range(plan.connections)
        ]
        for connection in made:
            await connection.closed
    return Seen(
        answered=len(run.latencies_ns),
        seconds=(clock.now_ns() - began_ns) / 1e9,
        cpu_s=(clock.cpu_ns() - cpu_ns) / 1e9,
        latencies_ms=[took / 1e6 for took in run.latencies_ns],
        not_200=run.not_200,
    )


if __name__ == "__main__":
    told = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(measure(told))))
