"""One HTTP/1.1 exchange on asyncio streams; h11 knows the protocol. Shared by every client of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import h11
import msgspec

_BLOCK_BYTES = 65_536


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    method: str,
    target: str,
    *,
    host: str,
    token: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    most_bytes: int,
) -> Answer:
    """One request on a new connection, which it closes, and its answer as ``read_answer`` gives it; an empty ``token``
    is not sent, and a body is JSON where ``headers`` do not say what else it is.
    """
    sent = {"Host": host, "Connection": "close"}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if body:
        sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    sent |= headers or {}
    reader, writer = streams
    try:
        connection = h11.Connection(h11.CLIENT)
        head = h11.Request(method=method, target=target, headers=list(sent.items()))
        events = (head, h11.Data(data=body), h11.EndOfMessage())
        # No drain: a server may answer, and close, before it has read a body that is too large.
        writer.write(b"".join(connection.send(event) or b"" for event in events))
        return await read_answer(connection, reader, most_bytes)
    finally:
        writer.close()


async def read_answer(connection: h11.Connection, reader: asyncio.StreamReader, most_bytes: int) -> Answer:
    """The answer to what ``connection`` has sent. Bounded in time by the caller.

    Raises ``EOFError`` when it ends early or is larger than ``most_bytes``, ``h11.RemoteProtocolError``, ``OSError``.
    """
    status, headers, body = 0, dict[str, str](), bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_BLOCK_BYTES))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > most_bytes:
                raise EOFError(f"the answer is larger than {most_bytes} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return Answer(status=status, headers=headers, body=bytes(body))
        elif isinstance(event, h11.ConnectionClosed):
            raise EOFError("the connection ended before the whole answer")
