"""The checks of what is no bearable request, in process: the bundled API's protocol passes them, uvicorn's does not."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn

from api.protocol import LimitedProtocol, Limits
from harness.checks.contract import http
from harness.checks.contract.check import ContractCaller, ContractClient, Deviates
from harness.checks.contract.checks import protocol
from harness.model.stack import Address
from harness.rehearsals.conformance.checks import errors
from tests.api.test_serve import Base, Message

pytestmark = pytest.mark.process

LIMITED: Any = functools.partial(LimitedProtocol, limits=Limits(), refused=lambda status: None)


class Asking:
    """As much of a bench as these checks use."""

    def __init__(self, address: Address) -> None:
        self.exchanges: list[http.HttpExchange] = []
        self.connect = http.over_tcp
        self.ground = SimpleNamespace(hides_tokens=False)
        self.nobody = ContractCaller(cast(ContractClient, self), address, "", None)


def answering(body: bytes, status: int = 200) -> Any:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        chosen = 200 if scope["path"] == "/health" else status
        headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": chosen, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


@contextlib.asynccontextmanager
async def bench(app: Any, http_protocol: Any) -> AsyncIterator[ContractClient]:
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=http_protocol, ws="none", lifespan="off", log_config=None,
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = Base(config)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield cast(ContractClient, Asking(Address(host="127.0.0.1", port=port)))
    finally:
        server.should_exit = True
        await running


async def test_a_protocol_with_limits_passes() -> None:
    async with bench(answering(b"{}"), LIMITED) as one:
        await protocol.head_size(one)
        await protocol.no_request(one)
        await errors.path(one)


async def test_a_protocol_without_limits_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert http.send_raw.__kwdefaults__ is not None
    async with bench(answering(b"{}"), "httptools") as one:
        with monkeypatch.context() as short:
            short.setitem(http.send_raw.__kwdefaults__, "timeout_s", 2.0)
            with pytest.raises(Deviates, match="no answer: not within 2 s"):
                await protocol.head_size(one)
        await protocol.no_request(one)  # text/plain 400: the server's own, not held against the target
        with pytest.raises(Deviates, match='"INVALID_REQUEST"'):
            await errors.path(one)


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"{}"), (500, b'{"error":{"code":"INTERNAL_ERROR","message":"x"}}')]
)
async def test_a_server_that_answers_what_is_no_request_is_found(status: int, body: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        address = Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        for check in (protocol.no_request, errors.path):
            with pytest.raises(Deviates):
                await check(cast(ContractClient, Asking(address)))


async def test_json_of_another_form_is_held_against_it() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        address = Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        with pytest.raises(Deviates, match="INVALID_REQUEST"):
            await protocol.no_request(cast(ContractClient, Asking(address)))
