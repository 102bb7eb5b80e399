"""The ASGI application: two calls and readiness, by hand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from bench.twin.callers import Callers
from bench.twin.refusal import Refusal, bad
from bench.twin.shapes import Put
from bench.twin.store import Store

Messages = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

WALKS = "/v1/walks"
MOST_BYTES = 4 * 1024 * 1024
BODY_TIMEOUT_S = 10.0
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile("[0-9]{1,6}")
_put = msgspec.json.Decoder(Put)
_encoder = msgspec.json.Encoder()


class Twin:
    """One process' application. ``address`` goes to asyncpg."""

    def __init__(self, project: str, per_minute: int, pod: str, address: dict[str, Any]) -> None:
        self._callers = Callers(project, per_minute)
        self._store = Store()
        self._pod = (b"x-pod-name", pod.encode())
        self._address = address

    async def __call__(self, scope: dict[str, Any], receive: Messages, send: Send) -> None:
        """One request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        headers: tuple[tuple[bytes, bytes], ...] = ()
        try:
            status, body = 200, await self._answer(scope, receive)
        except Refusal as refusal:
            status, body, headers = refusal.status, refusal.body, refusal.headers
        length = (b"content-length", b"%d" % len(body))
        sent = [*headers, length, (b"content-type", b"application/json"), self._pod]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Messages, send: Send) -> None:
        await receive()
        await self._store.open(**self._address)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._store.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: dict[str, Any], receive: Messages) -> bytes:
        method, path = scope["method"], scope["path"]
        if method == "GET" and path == WALKS:
            caller = self._callers.admit(scope["headers"])
            await self._store.know(caller)
            page, limit = _paging(scope["query_string"])
            return _encoder.encode(await self._store.page(caller.uid, page, limit))
        if method == "PUT" and path.startswith(WALKS + "/"):
            caller = self._callers.admit(scope["headers"])
            await self._store.know(caller)
            walk_id = path[len(WALKS) + 1 :]
            if not _UUID.fullmatch(walk_id):
                raise bad("The walk id is not a UUID")
            body = _checked(await _read(scope["headers"], receive))
            return _encoder.encode(await self._store.put(caller.uid, walk_id.lower(), body))
        if path == "/ready":
            return b'{"status":"ready"}'
        raise Refusal(404, "Not Found")


def _paging(query: bytes) -> tuple[int, int]:
    if not query:
        return 1, 20
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=50)
    except ValueError as error:
        raise bad("The query is malformed") from error
    numbers = []
    for name, default, most in (("page", 1, 1000), ("limit", 20, 100)):
        given = [value for key, value in pairs if key == name]
        if given and (len(given) > 1 or not _NUMBER.fullmatch(given[0]) or not 1 <= int(given[0]) <= most):
            raise bad(f"{name} is one integer from 1 to {most}")
        numbers.append(int(given[0]) if given else default)
    return numbers[0], numbers[1]


async def _read(headers: list[tuple[bytes, bytes]], receive: Messages) -> bytes:
    kind, _, charset = next((v for n, v in headers if n == b"content-type"), b"").partition(b";")
    charset = charset.strip().lower().replace(b'"', b"")
    if kind.strip().lower() != b"application/json" or charset not in (b"", b"charset=utf-8"):
        raise bad("The Content-Type is not application/json in UTF-8")
    body, more = b"", True
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise bad("The body was cut off")
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MOST_BYTES:
                    raise bad(f"The body is larger than {MOST_BYTES} bytes")
    except TimeoutError as error:
        raise bad(f"The body did not arrive within {BODY_TIMEOUT_S:.0f} s") from error
    return body


def _checked(raw: bytes) -> Put:
    try:
        body = _put.decode(raw)
    except msgspec.ValidationError as error:
        raise bad(str(error)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise bad("The body is not JSON") from error
    if b"\\u0000" in raw and any(
        "\0" in value for value in (getattr(body, name) for name in Put.__struct_fields__) if isinstance(value, str)
    ):
        raise bad("A text holds the character U+0000")
    for moment in (body.start_time, body.end_time, body.paused_at):
        _check_year(moment)
    for point in body.locations or ():
        _check_year(point.timestamp)
    return body


def _check_year(moment: object) -> None:
    if isinstance(moment, datetime) and not 2 <= moment.year <= 9998:
        raise bad("A time is outside the years 2 to 9998")
