"""The fault proxy's process: an HTTP/1.1 reverse proxy in front of all pods, one listening port a pod.

Run as a file by ``fault_proxy.py``, which speaks JSON lines with it over stdin and stdout; it ends when stdin does, so
it never outlives its harness; each order has a number, which its answer has too.
Which requests a fault hits is exact: one counter a fault over all requests of all pods, one hit in each stretch that
the share makes (12 %: of 8, 8 and 9 requests, so 3 of each 25). Where in its stretch is drawn from the stretch's
number, always the same: at even spaces a fault would beat against users and probes, who are even too, and hit the one
and spare the other.
A connection to a pod that refuses, or that the pod ends, is ended towards the client, as the service itself does it.
While everything is unavailable nobody listens, so that the system refuses; a share of "unavailable" resets instead.
"""

import asyncio
import contextlib
import functools
import hashlib
import json
import sys
from dataclasses import dataclass, field
from typing import Any

import h11

HOST = "127.0.0.1"
CHUNK_BYTES = 65536
ERROR_STATUS = 500
ERROR_BODY = json.dumps({"error": {"code": "INTERNAL_ERROR", "message": "injected by the fault proxy"}}).encode()


@dataclass
class ProxyFault:
    """``numerator / denominator`` of the requests, exactly; ``seen`` counts from when the fault was set."""

    kind: str  # "errors", "latency", "unavailable"
    numerator: int
    denominator: int
    delay_s: float = 0.0
    seen: int = 0
    stretch: int = 0  # how many stretches have begun
    end: int = 0  # of the present one
    place: int = -1  # of its hit

    def hits(self) -> bool:
        """Whether the next request is hit."""
        if self.seen == self.end:
            self.stretch += 1
            self.end = self.stretch * self.denominator // self.numerator
            self.place = self.seen + drawn(self.stretch, self.end - self.seen)
        self.seen += 1
        return self.seen - 1 == self.place


def drawn(stretch: int, places: int) -> int:
    """One of ``places``, the same on every machine. This file runs by itself, without ``harness.base.seed``."""
    return int.from_bytes(hashlib.sha256(f"stretch {stretch}".encode()).digest()[:8], "big") % places


@dataclass
class RequestFate:
    """What becomes of one request."""

    error: bool = False
    cut: bool = False
    delay_s: float = 0.0


@dataclass
class FaultsInForce:
    """The faults in force, by id."""

    active: dict[int, ProxyFault] = field(default_factory=dict)

    def judge(self) -> RequestFate:
        """Counts one request against every fault."""
        verdict = RequestFate()
        for fault in self.active.values():
            if fault.hits():
                verdict.error |= fault.kind == "errors"
                verdict.cut |= fault.kind == "unavailable"
                verdict.delay_s += fault.delay_s
        return verdict

    @property
    def closed(self) -> bool:
        """Everything is unavailable: nobody listens, and what was accepted before is cut."""
        return any(f.kind == "unavailable" and f.numerator >= f.denominator for f in self.active.values())


class Broken(Exception):  # noqa: N818 - an outcome: one side ended or broke off
    """The exchange cannot go on; both connections end."""


class Cut(Broken):
    """The client's connection is reset, as a fault."""


class ProxySide:
    """One connection and its HTTP state."""

    def __init__(self, role: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.http = h11.Connection(role)
        self.reader = reader
        self.writer = writer

    async def next(self) -> Any:
        """The next event of the peer. Raises ``Broken`` when it ended in the middle, or speaks no HTTP/1.1."""
        try:
            while (event := self.http.next_event()) is h11.NEED_DATA:
                if self.http.they_are_waiting_for_100_continue:
                    await self.send(h11.InformationalResponse(status_code=100, headers=[]))
                self.http.receive_data(await self.reader.read(CHUNK_BYTES))
        except (h11.RemoteProtocolError, OSError) as error:
            raise Broken from error
        if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
            raise Broken
        return event

    async def send(self, event: Any) -> None:
        """Sends one event. Raises ``Broken``."""
        try:
            if data := self.http.send(event):
                self.writer.write(data)
                await self.writer.drain()
        except (h11.LocalProtocolError, OSError) as error:
            raise Broken from error


class ProxyExchange:
    """One client connection to one pod."""

    def __init__(self, client: ProxySide, pod: ProxySide, faults: FaultsInForce) -> None:
        self.client = client
        self.pod = pod
        self.faults = faults

    async def run(self) -> None:
        """Requests in turn until one side ends. Raises ``Broken`` at the latest then."""
        while True:
            request = await self._request()
            verdict = self.judge(request)
            if verdict.cut:
                raise Cut
            if verdict.delay_s:
                await asyncio.sleep(verdict.delay_s)
            if verdict.error:
                await self._answer_error(request)
            else:
                await self._forward(request)
            if self.client.http.our_state is not h11.DONE or self.client.http.their_state is not h11.DONE:
                raise Broken
            self.client.http.start_next_cycle()

    def judge(self, _request: h11.Request) -> RequestFate:
        """What becomes of the request."""
        return self.faults.judge()

    async def _request(self) -> h11.Request:
        """The next request's head. A pod that ends the idle connection ends it for the client."""
        request = asyncio.ensure_future(self.client.next())
        end = asyncio.ensure_future(self.pod.reader.read(1))
        try:
            await asyncio.wait([request, end], return_when=asyncio.FIRST_COMPLETED)
            if not request.done():
                raise Broken
            event = request.result()
        finally:
            for task in (request, end):
                task.cancel()
            await asyncio.gather(request, end, return_exceptions=True)
        if not isinstance(event, h11.Request):
            raise Broken
        return event

    async def _forward(self, request: h11.Request) -> None:
        # The fault proxy itself has answered or will answer "Expect: 100-continue" while it reads the body.
        headers = [(name, value) for name, value in request.headers.raw_items() if name.lower() != b"expect"]
        await self.pod.send(h11.Request(method=request.method, target=request.target, headers=headers))
        while not isinstance(event := await self.client.next(), h11.EndOfMessage):
            await self.pod.send(event)
        await self.pod.send(event)
        while not isinstance(event := await self.pod.next(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                event = h11.Response(
                    status_code=event.status_code, reason=event.reason, headers=event.headers.raw_items()
                )
            await self.client.send(event)
        await self.client.send(event)
        if self.pod.http.our_state is h11.DONE and self.pod.http.their_state is h11.DONE:
            self.pod.http.start_next_cycle()
        else:
            raise Broken

    async def _answer_error(self, request: h11.Request) -> None:
        while not isinstance(await self.client.next(), h11.EndOfMessage):
            pass
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(ERROR_BODY)))]
        await self.client.send(h11.Response(status_code=ERROR_STATUS, headers=headers))
        if request.method != b"HEAD":
            await self.client.send(h11.Data(data=ERROR_BODY))
        await self.client.send(h11.EndOfMessage())


async def relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    pod_port: int,
    faults: FaultsInForce,
    exchange: type[ProxyExchange] = ProxyExchange,
) -> None:
    """One client connection to one of its own to the pod, until either ends."""
    try:
        pod_reader, pod_writer = await asyncio.open_connection(HOST, pod_port)
    except OSError:
        writer.transport.abort()
        return
    try:
        await exchange(
            ProxySide(h11.SERVER, reader, writer), ProxySide(h11.CLIENT, pod_reader, pod_writer), faults
        ).run()
    except Cut:
        writer.transport.abort()
    except Broken:
        writer.close()  # after what was sent so far has gone out
    finally:
        pod_writer.transport.abort()


class ProxyServer:
    """All listeners and faults; driven by ``command``."""

    def __init__(self) -> None:
        self.faults = FaultsInForce()
        self.pods: dict[int, int] = {}  # the pod's port by the fault proxy's
        self.listeners: dict[int, asyncio.Server] = {}
        self.clients: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pod_port: int) -> None:
        """One client connection from its first byte to its end."""
        if self.faults.closed:
            writer.transport.abort()
            return
        self.clients.add(writer)
        try:
            await relay(reader, writer, pod_port, self.faults)
        finally:
            self.clients.discard(writer)

    async def command(self, order: dict[str, Any]) -> None:
        """One order: ``listen`` {port, pod_port}, ``unlisten`` {port}, ``fault`` {id, ...}, ``undo`` {id}."""
        match order.pop("do"):
            case "listen":
                self.pods[order["port"]] = int(order["pod_port"])
            case "unlisten":
                self.pods.pop(order["port"], None)
            case "fault":
                number = order.pop("id")
                self.faults.active[number] = ProxyFault(**order)
            case "undo":
                self.faults.active.pop(order["id"], None)
            case unknown:
                raise ValueError(f"unknown order {unknown!r}")
        await self._follow()

    async def _follow(self) -> None:
        """Listens for the pods there are; while everything is unavailable for none, and every connection ends."""
        wanted = {} if self.faults.closed else self.pods
        for port in self.listeners.keys() - wanted.keys():
            self.listeners.pop(port).close()
        for port in wanted.keys() - self.listeners.keys():
            serve = functools.partial(self.serve, pod_port=wanted[port])
            try:
                self.listeners[port] = await asyncio.start_server(serve, HOST, port)
            except OSError:
                del self.pods[port]  # said once; the next order is not to fail for it again
                raise
        if self.faults.closed:
            for client in self.clients:
                client.transport.abort()


async def main() -> None:
    """Obeys orders from stdin, one answer a line, until it ends."""
    fault_proxy = ProxyServer()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order = json.loads(line)
        number = order.pop("number")
        try:
            await fault_proxy.command(order)
            answer: dict[str, Any] = {"ok": True}
        except (OSError, ValueError, KeyError, TypeError) as error:
            answer = {"ok": False, "error": repr(error)}
        sys.stdout.write(json.dumps({**answer, "number": number}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
