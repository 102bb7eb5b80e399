"""Limits that hold before anybody is known, and the error body of what is no request."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import uvicorn

from api.protocol import PIPELINED, SPARE, LimitedProtocol, Limits
from api.settings import DatabaseSettings
from tests.api.pod import Pod
from tests.api.test_serve import Base, Message
from tests.ports import free_port

pytestmark = pytest.mark.process

LIMITS = Limits(head_bytes=2000, url_bytes=200, head_s=0.3, message_bytes=100_000)
PATIENT = msgspec.structs.replace(LIMITS, head_s=5.0)  # where what is asked is not how long a head may take
ENDLESS = msgspec.structs.replace(LIMITS, head_s=30.0)  # and where a wait for it must not look like another
MUCH, SOME = 8_000_000, 60_000
GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


class Answering:
    """An application that says what it was asked: at once, after the whole body, or when it is let go."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[tuple[bytes, bytes]]]] = []
        self.let_go = asyncio.Event()
        self.ended = 0  # answers of which all was taken, or whose client was gone

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.asked.append((scope["path"], scope["headers"]))
        if scope["path"] == "/held":
            await self.let_go.wait()
        body = b""
        while scope["path"] == "/read":
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        said = (
            bytes({"/much": MUCH, "/some": SOME}[scope["path"]])
            if scope["path"] in {"/much", "/some"}
            else b"%d" % len(body)
        )
        headers = [(b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said, "more_body": scope["path"] == "/much"})
        if scope["path"] == "/much":
            await send({"type": "http.response.body", "body": b""})  # waits until most is taken
        self.ended += 1


class Served:
    """A server on loopback, its application, and what was refused by status."""

    def __init__(self, keep_alive_s: int = 5, limits: Limits = LIMITS) -> None:
        self.app = Answering()
        self.refused: Counter[int] = Counter()
        protocol: Any = functools.partial(LimitedProtocol, limits=limits, refused=self._refuse)
        self.server = Base(
            uvicorn.Config(
                self.app,
                host="127.0.0.1",
                port=0,
                http=protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                timeout_keep_alive=keep_alive_s,
                timeout_graceful_shutdown=1,
            )
        )

    def _refuse(self, status: int) -> None:
        self.refused[status] += 1

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = self.server.servers[0].sockets[0].getsockname()
        return await asyncio.open_connection(*address[:2])

    async def say(self, *parts: bytes, pause_s: float = 0.02) -> tuple[bytes, float]:
        """All that comes until the connection ends, and seconds until then. Parts are sent one by one."""
        began = time.monotonic()
        reader, writer = await self.connect()
        reading = asyncio.ensure_future(reader.read())
        try:
            async with asyncio.timeout(60):
                for part in parts:
                    if reading.done():  # what is sent to a connection that has ended would take the answer along
                        break
                    writer.write(part)
                    with contextlib.suppress(ConnectionError):
                        await writer.drain()
                    await asyncio.sleep(pause_s)
                with contextlib.suppress(ConnectionError):
                    return await reading, time.monotonic() - began
                return b"", time.monotonic() - began
        finally:
            reading.cancel()
            writer.close()


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Served]:
    served = Served(**options)
    running = asyncio.create_task(served.server.serve())
    while not served.server.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.005)
    try:
        yield served
    finally:
        served.app.let_go.set()
        served.server.should_exit = True
        await running


def refused(answer: bytes, status: int) -> None:
    """``answer`` is one whole answer in the contract's form, and says that the connection ends."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].startswith(f"http/1.1 {status} "), answer[:200]
    assert "content-type: application/json" in lines and "connection: close" in lines
    assert f"content-length: {len(body)}" in lines
    error = json.loads(body)["error"]
    assert error["code"] == "INVALID_REQUEST" and len(error["message"]) > 10
    assert set(error) == {"code", "message"}


async def test_a_connection_too_many_is_told_so_and_the_platform_is_still_answered() -> None:
    limits = msgspec.structs.replace(PATIENT, connections=2)
    async with serving(limits=limits) as served:
        held = [await served.connect() for _ in range(2)]
        for reader, writer in held:
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n0")
        answer, _ = await served.say(b"GET /v1/walks?page=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1\r\n" in answer.lower()
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "INTERNAL_ERROR"
        for path in (b"/health", b"/ready"):
            answer, _ = await served.say(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()
        spare = [await served.connect() for _ in range(SPARE)]
        await asyncio.sleep(0.05)
        answer, seconds = await served.say(GET)
        assert (answer, seconds < 4) == (b"", True), "closed at once"
        assert served.refused == {503: 2}
        for _, writer in [*spare, held.pop()]:
            writer.close()
        await asyncio.sleep(0.1)
        answer, _ = await served.say(b"GET /v1/walks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), "one has left: there is room"
        held[0][1].close()


LARGE_HEADS = {
    "one long value": [b"GET / HTTP/1.1\r\nX: ", *[b"x" * 900] * 4],
    "one long name": [b"GET / HTTP/1.1\r\nX", *[b"x" * 900] * 4],
    "many headers": [b"GET / HTTP/1.1\r\n", *[b"X: 1\r\n" * 100] * 5],
    "whole in one piece": [b"GET / HTTP/1.1\r\nX: " + b"x" * 2100 + b"\r\n\r\n"],
    "empty lines before it": [b"\r\n" * 600, b"\r\n" * 600],
    "after a request": [GET, b"GET / HTTP/1.1\r\nX: ", *[b"x" * 900] * 4],
}


@pytest.mark.parametrize("kind", LARGE_HEADS)
async def test_a_head_that_is_too_large_is_refused(kind: str) -> None:
    async with serving(limits=PATIENT) as served:
        answer, seconds = await served.say(*LARGE_HEADS[kind])
        refused(answer[answer.rindex(b"HTTP/1.1") :], 431)
        assert served.refused == {431: 1}
        assert seconds < 6
        assert len(served.app.asked) == (kind == "after a request")


async def test_a_head_within_its_limit_is_taken_in_whatever_pieces() -> None:
    async with serving(limits=PATIENT) as served:
        request = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"x" * 1900 + b"\r\n\r\n"
        for step in (1, 7, 4000):
            pieces = [request[n : n + step] for n in range(0, len(request), step)]
            answer, _ = await served.say(*pieces, pause_s=0)
            assert answer.startswith(b"HTTP/1.1 200"), (step, answer)
        assert served.refused == {}


@pytest.mark.parametrize("pieces", [1, 3])
async def test_a_url_that_is_too_long_is_refused(pieces: int) -> None:
    async with serving(limits=PATIENT) as served:
        answer, _ = await served.say(b"GET /", *[b"u" * (300 // pieces)] * pieces, b" HTTP/1.1\r\n\r\n")
        refused(answer, 414)
        answer, _ = await served.say(b"GET /" + b"u" * 199 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")


async def test_a_connection_that_asks_nothing_is_closed_without_a_word() -> None:
    async with serving() as served:
        answer, seconds = await served.say()
        assert answer == b"" and 0.25 < seconds < 6
        assert served.refused == {}


@pytest.mark.parametrize("before", [b"", GET])
@pytest.mark.parametrize("part", [b"G", b"GET / HTTP/1.1\r\nX: ", b"\r\n"])
async def test_a_head_that_does_not_end_is_refused_in_time_however_it_drips(before: bytes, part: bytes) -> None:
    async with serving() as served:
        began = time.monotonic()
        reader, writer = await served.connect()
        if before:
            writer.write(before)
            await reader.readuntil(b"\r\n\r\n0")
            began = time.monotonic()
        writer.write(part)
        reading = asyncio.create_task(reader.read())
        while not reading.done() and time.monotonic() - began < 5:
            with contextlib.suppress(ConnectionError):
                writer.write(b"\r\n" if part == b"\r\n" else b"x" if part != b"G" else b"")
            await asyncio.sleep(0.05)
        refused(await reading, 408)
        assert 0.25 < time.monotonic() - began < 6  # with the second in which the rest is thrown away
        writer.close()


NO_HTTP = {
    "words": b"hello\r\n\r\n",
    "no method": b"BREW\x00 / HTTP/1.1\r\n\r\n",
    "an unknown version": b"GET / HTTP/7.3\r\n\r\n",
    "path not in ASCII": "GET /v1/walks/é HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "target is no path": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "header without a name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "chunks of HTTP/1.0": b"POST /a HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TLS": bytes.fromhex("16030100f8010000f40303"),
}


@pytest.mark.parametrize("kind", NO_HTTP)
async def test_what_is_no_request_gets_the_contracts_error_body(kind: str) -> None:
    async with serving(limits=PATIENT) as served:
        answer, _ = await served.say(NO_HTTP[kind])
        refused(answer, 400)
        assert served.app.asked == [] and served.refused == {400: 1}


async def test_a_body_that_cannot_be_read_is_refused_and_its_request_ended() -> None:
    async with serving(limits=PATIENT) as served:
        head = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer, _ = await served.say(head, b"3\r\nabc\r\n", b"zz\r\n")
        refused(answer, 400)
        assert not served.server.server_state.tasks  # it was told, and waits no more


async def test_trailers_are_no_headers_of_the_next_request_and_count_as_head() -> None:
    chunked = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    async with serving(limits=PATIENT) as served:
        last = b"GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answer, _ = await served.say(chunked, b"Authorization: Bearer x\r\n\r\n", last)
        assert answer.count(b"HTTP/1.1 200") == 2
        assert [name for _, headers in served.app.asked for name, _ in headers] == [
            b"host",
            b"transfer-encoding",
            b"host",
            b"connection",
        ]
        answer, _ = await served.say(chunked, *[b"X: " + b"x" * 500 + b"\r\n"] * 5)
        refused(answer, 431)


async def test_what_follows_a_head_is_bounded_whatever_it_is() -> None:
    async with serving(limits=PATIENT) as served:
        head = b"POST /held HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: "
        answer, _ = await served.say(head, *[b"x" * 20_000] * 8)
        refused(answer, 400)
        assert served.refused == {400: 1}


async def test_the_rest_of_a_request_that_was_answered_has_an_end() -> None:
    """Answered before its body came: the body may still come, but not for ever, nor without end."""
    head = b"POST /at-once HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    async with serving() as served:
        answer, seconds = await served.say(head, *[b"x"] * 3)
        assert answer.startswith(b"HTTP/1.1 200") and 0.25 < seconds < 6
    async with serving(limits=ENDLESS) as served:
        answer, _ = await served.say(head, *[b"x" * 50_000] * 5)
        assert answer.count(b"HTTP/1.1") == 1
        assert served.refused == {400: 1}


async def test_requests_that_wait_for_answers_to_earlier_ones_are_bounded() -> None:
    """Each takes memory before anybody is known: a connection that sent 1.5 MB of them took 180 MB."""
    asked = b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving(limits=ENDLESS) as served:
        asyncio.get_running_loop().call_later(0.3, served.app.let_go.set)
        answer, _ = await served.say(asked * 500)
        assert served.refused == {400: 1}
        assert answer.count(b"HTTP/1.1 200") == 1 + PIPELINED == len(served.app.asked)
    async with serving(limits=PATIENT) as served:
        served.app.let_go.set()
        answer, _ = await served.say(*[asked] * 40, pause_s=0.01)
        assert answer.count(b"HTTP/1.1 200") == 40 and not served.refused, "one after the other there is no limit"


async def test_the_last_answer_of_a_connection_that_nobody_takes_holds_it_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is small enough to wait in the server, whose side of the connection is closed already."""
    monkeypatch.setattr("api.protocol.STALL_S", 0.3)
    async with serving(limits=ENDLESS) as served:
        served.server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(served.server.servers[0].sockets[0].getsockname()[:2])
            client.setblocking(False)
            client.sendall(b"GET /some HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            until = time.monotonic() + 30
            while not served.app.ended and time.monotonic() < until:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
            assert served.server.server_state.connections, "it is closed at once: the answer was not held"
            while served.server.server_state.connections and time.monotonic() < until:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
            assert not served.server.server_state.connections


@pytest.mark.parametrize("slowly", [False, True])
async def test_a_client_that_takes_nothing_loses_its_connection_and_one_that_is_slow_does_not(
    monkeypatch: pytest.MonkeyPatch, slowly: bool
) -> None:
    """It held a request in flight for ever."""
    monkeypatch.setattr("api.protocol.STALL_S", 6.0 if slowly else 0.5)
    async with serving(limits=ENDLESS) as served:
        with socket.socket() as client:
            client.connect(served.server.servers[0].sockets[0].getsockname()[:2])
            client.setblocking(False)
            client.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            taken, until = 0, time.monotonic() + 60
            while not served.app.ended and time.monotonic() < until:
                await asyncio.sleep(0.05)
                with contextlib.suppress(BlockingIOError):
                    taken += len(client.recv(50_000)) if slowly else 0
        assert served.app.ended == 1, "the server waits for the client still"
        assert not slowly or taken > MUCH / 2


async def test_a_connection_is_kept_after_such_a_rest_and_still_closed_when_idle() -> None:
    head = b"POST /at-once HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
    async with serving(keep_alive_s=30, limits=ENDLESS) as served:
        answer, _ = await served.say(head, b"ab", b"c", GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert answer.count(b"HTTP/1.1 200") == 2
    async with serving(keep_alive_s=1, limits=ENDLESS) as served:
        answer, seconds = await served.say(head, b"ab", b"c")
        assert answer.count(b"HTTP/1.1 200") == 1 and 0.9 < seconds < 6


async def test_an_answer_that_is_owed_is_given_before_the_connection_ends() -> None:
    async with serving(limits=PATIENT) as served:
        asyncio.get_running_loop().call_later(0.2, served.app.let_go.set)
        answer, _ = await served.say(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\nhello\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1") == 1
        assert served.refused == {400: 1}


async def test_a_wish_to_upgrade_is_answered_and_ends_its_connection() -> None:
    async with serving(limits=PATIENT) as served:
        wish = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        answer, seconds = await served.say(wish + b"PRI * HTTP/2.0\r\n\r\n" + b"x" * 50_000)
        assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1") == 1
        assert seconds < 6


def test_a_megabyte_of_head_is_closed_within_its_limits_and_memory_stays_flat(tmp_path: Path) -> None:
    """A real pod, with its own limits: one connection after the other, then twenty at once."""

    def answered(seen: list[tuple[bytes, float]]) -> int:
        return sum(status != b"" for status, _ in seen)

    with Pod(tmp_path, DatabaseSettings(port=free_port()), free_port(), MIRROR_SHARE_PERCENT="0") as pod:
        pod.wait_until_ready("/health")
        seen = asyncio.run(_megabytes(pod, 3))
        before = psutil.Process(pod.process.pid).memory_info().rss
        seen += asyncio.run(_megabytes(pod, 20))
        grown = psutil.Process(pod.process.pid).memory_info().rss - before
        print(f"memory grew by {grown / 2**20:.1f} MiB; {seen[-1]}")
        assert grown < 8 * 2**20  # of 20 MiB sent at once
        assert all(status in (b"HTTP/1.1 431", b"HTTP/1.1 414", b"") and seconds < 9 for status, seconds in seen)
        if answered(seen) <= len(seen) / 2:
            seen = asyncio.run(_megabytes(pod, 20))  # the machine stood still for as long as the rest is thrown away
        assert answered(seen) > len(seen) / 2
        with pod.client() as client:
            assert client.get("/health").status_code == 200
        assert 'http_requests_refused_total{status="431"}' in pod.metrics()


async def _megabytes(pod: Pod, count: int) -> list[tuple[bytes, float]]:
    async def one(head: bytes, part: bytes) -> tuple[bytes, float]:
        began, status = time.monotonic(), b""
        reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
        with contextlib.suppress(ConnectionError):
            writer.write(head)
            for _ in range(2**20 // len(part)):
                writer.write(part)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            status = await reader.read(12)
            while await reader.read(65536):
                pass
        writer.close()
        return status, time.monotonic() - began

    kinds = [(b"GET / HTTP/1.1\r\n", b"X-Filler: 1\r\n" * 1000), (b"GET /", b"u" * 10_000)]
    kinds.append((b"GET / HTTP/1.1\r\nX: ", b"x" * 10_000))
    found = [await one(*kinds[n % 3]) for n in range(min(count, 3))]
    return found + await asyncio.gather(*(one(*kinds[n % 3]) for n in range(count)))
