"""The storage port on Cloud Storage's JSON API, over asyncio streams; h11 knows the protocol.

Photos of a walk lie below ``users/<uid>/walks/<WALK ID>/`` in the project's default bucket, the id in upper case as
everywhere on Firebase's side. Only an emulator is spoken to (``STORAGE_EMULATOR_HOST``): the real service needs access
tokens, and nothing here fetches them. gcloud-aio-storage would, over aiohttp, which nothing else of the API needs: for
two calls to an emulator that is not taken, and an API that is to remove photos in production would take it.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote, urlsplit

import h11
import msgspec
from msgspec import Struct

_MOST_BYTES = 4 * 1024 * 1024


class _Object(Struct):
    name: str


class _Page(Struct):
    items: list[_Object] = []
    nextPageToken: str = ""  # noqa: N815 - Google's name


class CloudStorage:
    """See ``api.ports.Storage``. ``emulator`` is ``http://host:port``, or ``host:port``."""

    def __init__(self, emulator: str, project_id: str) -> None:
        parts = urlsplit(emulator if "//" in emulator else f"http://{emulator}")
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._objects = f"/storage/v1/b/{project_id}.appspot.com/o"

    async def remove_walk(self, user_id: str, walk_id: str) -> None:
        """Lists what lies below the walk's folder and deletes it. Raises ``OSError`` when the service does not."""
        prefix = quote(f"users/{user_id}/walks/{walk_id.upper()}/", safe="")
        token = ""
        while True:
            status, body = await self._call("GET", f"{self._objects}?prefix={prefix}&pageToken={token}")
            if status != 200:
                raise OSError(f"listing answered {status}")
            page = msgspec.json.decode(body, type=_Page)
            for each in page.items:
                status, _ = await self._call("DELETE", f"{self._objects}/{quote(each.name, safe='')}")
                if status not in (200, 204, 404):
                    raise OSError(f"deleting {each.name} answered {status}")
            token = page.nextPageToken
            if not token:
                return

    async def _call(self, method: str, path: str) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            wire = h11.Connection(h11.CLIENT)
            headers = [("Host", f"{self._host}:{self._port}"), ("Connection", "close")]
            for event in (h11.Request(method=method, target=path, headers=headers), h11.EndOfMessage()):
                writer.write(wire.send(event) or b"")
            await writer.drain()
            return await _answer(wire, reader)
        except h11.RemoteProtocolError as error:
            raise OSError(f"Cloud Storage does not speak HTTP: {error}") from error
        finally:
            writer.close()


async def _answer(wire: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    while True:
        event: Any = wire.next_event()
        if event is h11.NEED_DATA:
            wire.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _MOST_BYTES:
                raise OSError("the answer is too large")
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(body)
        else:
            raise OSError("the answer was cut off")
