"""A small real HTTP server that plays the API, Auth and Remote Config: what the load is made against in tests.

``python -m tests.load.fake_stack JSON``: prints its port, serves on 127.0.0.1 until its standard input ends. The JSON
maps a method to how it misbehaves: ``"status 503"``, ``"close"``, ``"partial"``, ``"garbage"``, ``"hang"``,
``"bad body"``, ``"foreign"``; ``"stall": [after_s, length_s]`` answers nothing in that stretch after the first
request to the API; ``"flag": "true" | "false" | "missing"``; ``"drop_idle": true`` closes each connection after its
answer without saying so; ``"auth": "down"``; ``"expires_s": n`` of the tokens, of which only a user's newest is good;
``"flag_hangs": true``: Remote Config answers nothing once the API was asked; ``"old": n``: every n-th list or GET is
answered as before its user's last write; ``"drops": n``: every n-th write is carried out and never answered, as when
a pod is killed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections import Counter
from typing import Any

WALK = "/v1/walks"
NOT_FOUND = (404, {"error": {"code": "NOT_FOUND", "message": "no such walk"}})


class Broken(Exception):
    pass


def uid_of(authorization: str) -> str:
    """Of our own tokens, and of the Auth emulator's (a JWT without a signature)."""
    token = authorization.removeprefix("Bearer ")
    if token.startswith("token-of-"):
        return token.removeprefix("token-of-").split("~")[0]
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["user_id"])


class FakeStack:
    def __init__(self, behaviour: dict[str, Any]) -> None:
        self.behaviour = behaviour
        self.walks: dict[str, dict[str, Any]] = {}
        self.began: float | None = None
        self.created = self.writes = self.changes = 0
        self.reads: Counter[tuple[bool, bool]] = Counter()
        self.replaced: dict[str, tuple[str, dict[str, Any] | None]] = {}
        self.newest: dict[str, str] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, path, _ = lines[0].split(" ")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                api = path.startswith(WALK)
                status, answer = (
                    await self.api(writer, method, path, headers, body) if api else await self.part(path, body)
                )
                payload = (
                    b"" if answer is None else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                )
                extra = "X-Pod-Name: pod-1\r\n" if api else ""
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(payload)}\r\n{extra}\r\n".encode() + payload)
                await writer.drain()
                if api and self.behaviour.get("drop_idle"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, Broken):
            pass
        finally:
            writer.close()

    async def part(self, path: str, body: bytes) -> tuple[int, Any]:
        asked = json.loads(body)
        if self.behaviour.get("auth") == "down" and "identitytoolkit" in path:
            return 500, {"error": "down"}
        if path.endswith("accounts:batchCreate"):
            return 200, {}
        if "signInWithPassword" in path:
            uid = asked["email"].split("@")[0]
            self.newest[uid] = f"token-of-{uid}~{self.newest.get(uid, '~0').split('~')[1]}1"
            return 200, {
                "idToken": self.newest[uid],
                "localId": uid,
                "expiresIn": str(self.behaviour.get("expires_s", 3600)),
            }
        if "/namespaces/firebase:fetch" in path:
            if self.behaviour.get("flag_hangs") and self.began:
                await asyncio.sleep(3600)
            flag = self.behaviour.get("flag", "true")
            entries = {} if flag == "missing" else {"use_go_backend": flag}
            return 200, {"entries": entries, "state": "UPDATE", "templateVersion": "7"}
        return 404, {"error": "no such part"}

    async def api(
        self, writer: asyncio.StreamWriter, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        now = time.monotonic()
        self.began = self.began or now
        after, length = self.behaviour.get("stall", (0, 0))
        await asyncio.sleep(max(0.0, self.began + after + length - now) if now >= self.began + after else 0)
        if headers["authorization"].removeprefix("Bearer ") not in self.newest.values() and self.newest:
            return 401, {"error": {"code": "UNAUTHORIZED", "message": "not the newest token"}}
        how = self.behaviour.get(method, "")
        if how.startswith("status "):
            return int(how.split()[1]), {"error": {"code": "X", "message": "planted"}}
        if how == "close":
            raise Broken
        if how == "partial":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            await writer.drain()
            raise Broken
        if how == "garbage":
            writer.write(b"SSH-2.0-x\r\n\r\n")
            await writer.drain()
            raise Broken
        if how == "hang":
            await asyncio.sleep(3600)
        if how == "bad body":
            return 201 if method == "POST" else 204 if method == "DELETE" else 200, {"hello": "world"}
        answer = self.contract(method, path, uid_of(headers["authorization"]), body, how)
        self.changes += method != "GET"
        if method != "GET" and self.changes % self.behaviour.get("drops", 10**9) == 0:
            raise Broken
        return answer

    def contract(self, method: str, path: str, uid: str, body: bytes, how: str) -> tuple[int, Any]:
        owner = "somebody-else" if how == "foreign" else uid
        if method == "GET":
            return self.read(path, owner)
        if method == "POST":
            self.created += 1
            path = f"{WALK}/00000000-0000-4000-8000-{self.created:012d}"
        walk_id = path.removeprefix(WALK + "/")
        before = self.walks.get(walk_id)
        if method == "DELETE":
            if before is None:
                return NOT_FOUND
            self.replaced[uid] = (walk_id, self.walks.pop(walk_id))
            return 204, None
        self.replaced[uid] = (walk_id, before)
        self.walks[walk_id] = self.written(walk_id, owner, before, json.loads(body))
        return 201 if method == "POST" else 200, self.walks[walk_id]

    def written(self, walk_id: str, owner: str, before: dict[str, Any] | None, body: dict[str, Any]) -> dict[str, Any]:
        """Locations that were not sent stay."""
        self.writes += 1
        base: dict[str, Any] = {"id": walk_id, "user_id": owner, "status": "not_started", "locations": []}
        walk = {**base, **(before or {}), **body, "updated_at": f"2026-01-01T00:00:00.{self.writes:06d}Z"}
        known = {each["sequence_number"]: each for each in (before or base)["locations"]}
        known |= {each["sequence_number"]: each for each in body.get("locations", [])}
        walk["locations"] = [known[number] for number in sorted(known)]
        return walk

    def read(self, path: str, owner: str) -> tuple[int, Any]:
        """The newest first; now and then ("old": n, every n-th of its kind) as before the user's last write."""
        kind = "?" in path, owner.startswith("canary")  # counted together, a kind may never be the n-th
        self.reads[kind] += 1
        walks = dict(self.walks)
        walk_id, before = self.replaced.get(owner, ("", None))
        if self.reads[kind] % self.behaviour.get("old", 10**9) == 0 and (before is not None or "?" in path):
            walks = {**walks, walk_id: before} if before else {k: v for k, v in walks.items() if k != walk_id}
        if "?" in path:
            mine = [walk for walk in reversed(walks.values()) if walk["user_id"] == owner]
            return 200, {"walks": mine[:20], "total_count": len(mine), "page": 1, "limit": 20}
        walk = walks.get(path.removeprefix(WALK + "/"))
        return NOT_FOUND if walk is None else (200, {**walk, "user_id": owner})


async def main(behaviour: dict[str, Any]) -> None:
    server = await asyncio.start_server(FakeStack(behaviour).serve, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await lines.read()
    os._exit(0)  # whatever hangs


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
