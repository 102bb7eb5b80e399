"""One HTTP/1.1 request to an emulator on loopback: asyncio streams and h11, a new connection each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import h11

from harness.base.http1 import Answer, read_answer
from harness.model.stack import Address

__all__ = ["Answer", "request"]

MAX_ANSWER_BYTES = 16 * 1024 * 1024


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
            return await read_answer(connection, reader, MAX_ANSWER_BYTES)
        except (h11.ProtocolError, EOFError) as error:
            raise ConnectionError(f"{address} broke off or does not speak HTTP: {error}") from error
        finally:
            writer.close()
