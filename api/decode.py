"""Ids, queries and bodies of requests, read strictly: whatever is wrong raises ``Invalid``, and nothing else does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET
from starlette.requests import Request

from api.errors import Invalid
from api.model import NewWalk, WalkChange

BODY_TIMEOUT_S = 10.0
PAGE_MAX, LIMIT_MAX = 1000, 100
PAGE_DEFAULT, LIMIT_DEFAULT = 1, 20
QUERY_FIELDS_MAX = 50
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,6}")
_ESCAPED_NUL = b"\\u0000"
_TIMES = ("start_time", "end_time", "paused_at")

Body = TypeVar("Body", NewWalk, WalkChange)


def walk_id(text: str) -> str:
    """``text`` as a lower-case UUID; Swift's ``uuidString`` is upper case."""
    if not _UUID.fullmatch(text) or not text.isascii():
        raise Invalid("The walk id is not a UUID")
    return text.lower()


def page_and_limit(query: bytes) -> tuple[int, int]:
    """``page`` and ``limit`` of a raw query string. Other parameters are ignored."""
    if not query:
        return PAGE_DEFAULT, LIMIT_DEFAULT
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX)
    except ValueError as error:  # UnicodeDecodeError is one
        raise Invalid("The query is malformed") from error
    return _number(pairs, "page", PAGE_DEFAULT, PAGE_MAX), _number(pairs, "limit", LIMIT_DEFAULT, LIMIT_MAX)


def _number(pairs: list[tuple[str, str]], name: str, default: int, largest: int) -> int:
    values = [value for key, value in pairs if key == name]
    if not values:
        return default
    if len(values) > 1 or not _NUMBER.fullmatch(values[0]) or not 1 <= int(values[0]) <= largest:
        raise Invalid(f"{name} is one integer from 1 to {largest}")
    return int(values[0])


async def body(request: Request, decoder: msgspec.json.Decoder[Body], max_bytes: int) -> Body:
    """The decoded JSON body. Raises ``Invalid`` also for a body too large, too slow, or of another content type."""
    content_type = request.headers.get("content-type", "").partition(";")
    charset = content_type[2].strip().lower().replace('"', "")
    if content_type[0].strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Invalid("The Content-Type is not application/json in UTF-8")
    data = await _read(request, max_bytes)
    try:
        if not data.isascii():
            data.decode()  # the decoder looks at the texts it keeps alone
        decoded = decoder.decode(data)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Invalid("The body is not JSON") from error
    if _ESCAPED_NUL in data and any("\x00" in text for text in _texts(decoded)):
        raise Invalid("A text holds the character U+0000")
    if isinstance(decoded, WalkChange):
        _check_times(decoded)
    return decoded


async def _read(request: Request, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Invalid("The body was cut off")
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > max_bytes:
                    raise Invalid(f"The body is larger than {max_bytes} bytes")
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError as error:
        raise Invalid(f"The body did not arrive within {BODY_TIMEOUT_S:.0f} s") from error


def _texts(decoded: NewWalk | WalkChange) -> Iterator[str]:
    return (v for name in decoded.__struct_fields__ if isinstance(v := getattr(decoded, name), str))


def _check_times(change: WalkChange) -> None:
    """Years 1 and 9999 are left out: with an offset they may have no UTC form, and the driver reads their ends as
    PostgreSQL's infinities."""
    times = [v for name in _TIMES if isinstance(v := getattr(change, name), datetime)]
    if change.locations is not UNSET and change.locations:
        times += [location.timestamp for location in change.locations]
    if not all(2 <= time.year <= 9998 for time in times):
        raise Invalid("A time is outside the years 2 to 9998")
