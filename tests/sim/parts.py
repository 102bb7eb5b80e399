"""Auth, Remote Config and Storage in memory, asked as over HTTP, and a connection of http.client's shape to them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from harness.model.flag import Template, evaluate
from harness.model.stack import Address
from harness.stack.firebase import fetch, rest
from tests.sim import greenlets

DELAY_S = 0.01


class Parts:
    """``deaf`` are instances whose fetches of Remote Config are answered 503."""

    def __init__(self, deaf: frozenset[str] = frozenset()) -> None:
        self.template = Template()
        self.version = 0
        self.photos: dict[str, bytes] = {}
        self._deaf = deaf

    def publish(self, template: Template) -> int:
        """A new version of the template."""
        self.template, self.version = template, self.version + 1
        return self.version

    async def remove_walk(self, user_id: str, walk_id: str) -> None:
        """As the API's port of Storage."""
        await asyncio.sleep(DELAY_S)
        folder = f"users/{user_id}/walks/{walk_id.upper()}/"
        for name in [each for each in self.photos if each.startswith(folder)]:
            del self.photos[name]

    async def request(
        self, _address: Address, method: str, path: str, *, body: bytes = b"", **_options: Any
    ) -> rest.Answer:
        """As ``harness.stack.firebase.rest.request``."""
        await asyncio.sleep(DELAY_S)
        status, answer = self.answer(method, path, body)
        return rest.Answer(status=status, headers={}, body=answer)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body; 404 for what no part has."""
        where = urlsplit(path)
        if where.path.endswith("accounts:batchCreate"):
            return 200, b"{}"
        if "signInWithPassword" in where.path:
            uid = str(msgspec.json.decode(body)["email"]).partition("@")[0]
            return 200, msgspec.json.encode({"idToken": uid, "localId": uid, "expiresIn": "3600"})
        if "/namespaces/firebase:fetch" in where.path:
            return self._fetched(body)
        return self._of_storage(method, unquote(where.path), parse_qs(where.query), body)

    def _fetched(self, body: bytes) -> tuple[int, bytes]:
        client = fetch.client(body)
        if client.instance_id in self._deaf and self.version > 1:
            return 503, b"{}"
        entries = evaluate(self.template, client)
        return 200, msgspec.json.encode({"state": "UPDATE", "entries": entries, "templateVersion": str(self.version)})

    def _of_storage(self, method: str, path: str, query: Mapping[str, list[str]], body: bytes) -> tuple[int, bytes]:
        if method == "POST" and path.startswith("/upload/"):
            self.photos[query["name"][0]] = body
            return 200, b"{}"
        if method == "DELETE":
            return (204 if self.photos.pop(path.partition("/o/")[2], None) is not None else 404), b""
        if method == "GET" and path.startswith("/storage/"):
            items = [{"name": name, "size": str(len(content))} for name, content in self.photos.items()]
            return 200, msgspec.json.encode({"items": items})
        return 404, b"{}"


class HttpConnection:
    """As ``http.client.HTTPConnection``, for a greenlet."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._asked: tuple[str, str, bytes] = ("", "", b"")
        self.sock = None

    def request(self, method: str, path: str, body: bytes = b"", _headers: object = None) -> None:
        """Keeps it for ``getresponse``."""
        self._asked = (method, path, body)

    def getresponse(self) -> _Response:
        """The part's answer."""
        greenlets.wait(asyncio.sleep(DELAY_S))
        return _Response(*self._parts.answer(*self._asked))

    def close(self) -> None:
        """Nothing to close."""


class _Response(io.BytesIO):
    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(body)
        self.status = status

    def __enter__(self) -> _Response:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
