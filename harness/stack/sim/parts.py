"""Auth, Remote Config and Storage in memory, asked as over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from harness.base.clock import Clock
from harness.model.flag import Template, evaluate
from harness.stack.firebase import rest

DELAY_S = 0.01


class SimParts:
    """``deaf`` are instances whose fetches of Remote Config are answered 503."""

    def __init__(self, clock: Clock, deaf: frozenset[str] = frozenset()) -> None:
        self._clock = clock
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
        await self.takes()
        folder = f"users/{user_id}/walks/{walk_id.upper()}/"
        for name in [each for each in self.photos if each.startswith(folder)]:
            del self.photos[name]

    async def takes(self) -> None:
        """A call's time."""
        await self._clock.sleep(DELAY_S)

    @staticmethod
    def token(email: str) -> str:
        """Of the account with that address: its uid, as ``api.memory`` takes it."""
        return email.partition("@")[0]

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body; 404 for what no part has."""
        where = urlsplit(path)
        if where.path.endswith("accounts:batchCreate"):
            return 200, b"{}"
        if "signInWithPassword" in where.path:
            uid = self.token(str(msgspec.json.decode(body)["email"]))
            return 200, msgspec.json.encode({"idToken": uid, "localId": uid, "expiresIn": "3600"})
        if "/namespaces/firebase:fetch" in where.path:
            return self._fetched(body)
        return self._of_storage(method, unquote(where.path), parse_qs(where.query), body)

    def _fetched(self, body: bytes) -> tuple[int, bytes]:
        client = rest.client(body)
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
        return 404, b"{}"
