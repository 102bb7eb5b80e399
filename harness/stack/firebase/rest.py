"""One HTTP/1.1 request to an emulator on loopback: asyncio streams and h11, a new connection each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import h11

from harness.base.http1 import Answer, asking, exchange
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
    sent = {"Content-Length": str(len(body)), **(headers or {})}
    asked = asking(method, path, host=str(address), headers=sent, body=body, most_bytes=MAX_ANSWER_BYTES)
    async with asyncio.timeout(timeout_s):
        streams = await asyncio.open_connection(address.host, address.port)
        try:
            return await exchange(streams, asked)
        except (h11.ProtocolError, EOFError) as error:
            raise ConnectionError(f"{address} broke off or does not speak HTTP: {error}") from error
