"""The end of the server: what came on a kept connection before its end is answered, idle ones are closed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

import pytest
import uvicorn

from api import service
from api.postgres import CLOSE_TIMEOUT_S, RELEASE_TIMEOUT_S
from api.serve import CLOSING_S, REQUESTS_S, SERVER_S, UNREAD_S, _Server

REQUEST = b"POST /v1/walks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
Message = MutableMapping[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    assert scope["type"] == "http"
    await receive()
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


class Base(uvicorn.Server):
    """As it would be without ours."""

    def capture_signals(self) -> Any:
        return _Server.capture_signals(cast(_Server, self))

    def _stop(self) -> None:
        """No signal comes."""


async def received(client: socket.socket) -> bytes:
    """The next bytes; none when the connection ended."""
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionResetError):
            return await asyncio.get_running_loop().sock_recv(client, 65536)
    return b""


@pytest.mark.process
@pytest.mark.parametrize(("kind", "statuses"), [(_Server, [b"HTTP/1.1 201", b""]), (Base, [b"", b""])])
async def test_a_request_that_came_before_the_end_is_answered(
    kind: type[uvicorn.Server], statuses: list[bytes]
) -> None:
    """One of two kept connections has a request in the kernel when the end begins: no turn of the loop is between."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, loop="asyncio", http="httptools", ws="none", lifespan="off", log_config=None)
    server = kind(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    busy, idle = clients = [socket.create_connection(listening.getsockname()) for _ in range(2)]
    for client in clients:
        client.sendall(REQUEST)
        client.setblocking(False)
        assert (await received(client)).startswith(b"HTTP/1.1 201")
    busy.send(REQUEST)
    server.should_exit = True
    await server.shutdown()
    found = [await received(client) for client in (busy, idle)]
    assert [each[:12] for each in found] == statuses
    await serving
    for client in clients:
        client.close()


def test_the_parts_of_the_worst_stop_fit_into_its_ten_seconds() -> None:
    requests_ended_s = SERVER_S + REQUESTS_S + service.CANCELLED_S
    assert requests_ended_s + service.MIRROR_S + service.CLOSE_S < service.GRACE_S  # and leave some for looks
    assert REQUESTS_S > CLOSING_S + UNREAD_S
    assert service.CANCELLED_S > RELEASE_TIMEOUT_S
    assert service.CLOSE_S > service.CHANNEL_CLOSE_S + CLOSE_TIMEOUT_S


@pytest.mark.process
async def test_what_the_closing_takes_is_taken_from_the_requests_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.serve.UNREAD_S", 0.5)
    config = uvicorn.Config(app, loop="asyncio", lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    server = _Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.01)
    began = time.monotonic()
    server.should_exit = True
    await serving
    took_s = time.monotonic() - began
    left_s = config.timeout_graceful_shutdown
    assert left_s is not None and 5 - took_s <= left_s <= 4.5
