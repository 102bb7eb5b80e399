"""One HTTP/1.1 request to an emulator on loopback: asyncio streams and h11, a new connection each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import h11
import msgspec

from harness.model.stack import Address

MAX_ANSWER_BYTES = 16 * 1024 * 1024


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


async def request(
    address: Address,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 5.0,
) -> Answer:
    """Sends it and reads the whole answer.

    Raises ``OSError`` when the connection fails or breaks (``TimeoutError``, one of them, after ``timeout_s`` in all).
    """
    sent = {"Host": str(address), "Connection": "close", "Content-Length": str(len(body))}
    if body:
        sent["Content-Type"] = "application/json"
    sent |= headers or {}
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        try:
            connection = h11.Connection(h11.CLIENT)
            head = h11.Request(method=method, target=path, headers=list(sent.items()))
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                writer.write(connection.send(event) or b"")
            await writer.drain()
            return await _read(connection, reader)
        except h11.ProtocolError as error:
            raise ConnectionError(f"{address} broke off or does not speak HTTP: {error}") from error
        finally:
            writer.close()


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> Answer:
    status, headers, body = 0, dict[str, str](), bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_ANSWER_BYTES:
                raise ConnectionError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return Answer(status=status, headers=headers, body=bytes(body))
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionError("the connection ended before the answer")
