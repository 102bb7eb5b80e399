"""One HTTP/1.1 exchange on a connection of its own, in an event loop; h11 knows the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import h11
import msgspec

from harness.base import http1
from harness.load.errors import of_this_machine
from harness.load.runtime import runtime
from harness.model.stack import Address

ASK_LIMIT_S = 10.0  # of one exchange with the target, by whoever asks it beside the load
_MOST_BODY = 4_000_000


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    status: int
    body: bytes
    pod: str


class Refused(Exception):  # noqa: N818 - an outcome, not an error
    """No connection was made."""


async def exchange(address: Address, method: str, path: str, token: str, body: bytes) -> Answer:
    """``over_socket``, or what the runtime has in its place."""
    return await runtime().exchange(address, method, path, token, body)


async def over_socket(address: Address, method: str, path: str, token: str, body: bytes) -> Answer:
    """The answer; an empty ``token`` is not sent.

    Raises ``Refused``, or ``OSError``, ``EOFError`` or ``h11.RemoteProtocolError`` for a broken one, and
    ``MeasurementFailed`` where this machine has no room for a connection.
    Bounded in time by the caller, who may cancel it at any moment.
    """
    try:
        streams = await asyncio.open_connection(address.host, address.port)
    except OSError as error:
        raise of_this_machine(error) or Refused(str(error)) from error
    answer = await http1.exchange(
        streams, method, path, host=str(address), token=token, body=body, most_bytes=_MOST_BODY
    )
    return Answer(status=answer.status, body=answer.body, pod=answer.headers.get("x-pod-name", ""))


async def answered(exchanged: Awaitable[Answer], limit_s: float) -> Answer:
    """What ``exchanged`` returns; an answer of status 0 where none came whole within ``limit_s``."""
    try:
        async with asyncio.timeout(limit_s):
            return await exchanged
    except (Refused, OSError, EOFError, h11.RemoteProtocolError):  # a time-out is an OSError
        return Answer(status=0, body=b"", pod="")


async def status_of(address: Address, path: str, limit_s: float) -> int:
    """HTTP's status of a GET by nobody; 0 where no answer came within ``limit_s``."""
    return (await answered(exchange(address, "GET", path, "", b""), limit_s)).status
