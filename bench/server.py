"""A quick server that plays API, Auth and Remote Config, and may stall once: what load is measured against.

``python -m bench.server`` with a ``Plan`` on the first line of its input: prints its port, serves 127.0.0.1 until the
input ends. Its answers are made without a look at what is asked beyond user and walk, so that it is never the limit.
A stall holds every answer due in it until its end; the server then prints when it was.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from bench import clock

_ACCOUNT = "/identitytoolkit.googleapis.com/"
_PAGE = b'{"walks":[],"total_count":0,"page":1,"limit":20}'
_FLAG = b'{"entries":{"use_go_backend":"true"},"state":"UPDATE","templateVersion":"1"}'


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The stall begins ``stall_after_s`` after the first request to the API; 0 s long: none."""

    stall_after_s: float = 0.0
    stall_s: float = 0.0


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """When it was, on the monotonic clock."""

    began_ns: int
    ended_ns: int


class _Service:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._began = False
        self._held: list[tuple[asyncio.Transport, bytes]] | None = None

    def send(self, transport: asyncio.Transport, answer: bytes, *, api: bool) -> None:
        if api and not self._began:
            self._began = True
            if self._plan.stall_s:
                asyncio.get_running_loop().call_later(self._plan.stall_after_s, self._stall)
        if api and self._held is not None:
            self._held.append((transport, answer))
        else:
            transport.write(answer)

    def _stall(self) -> None:
        self._held = []
        asyncio.get_running_loop().call_later(self._plan.stall_s, self._resume, clock.now_ns())

    def _resume(self, began_ns: int) -> None:
        held, self._held = self._held or [], None
        stall = Stall(began_ns=began_ns, ended_ns=clock.now_ns())
        for transport, answer in held:
            transport.write(answer)
        _say(msgspec.json.encode(stall))


class _Connection(asyncio.Protocol):
    def __init__(self, service: _Service) -> None:
        self._service = service
        self._data = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head = self._data.find(b"\r\n\r\n")
        if head < 0:
            return
        lines = self._data[:head].decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        whole = head + 4 + int(headers.get("content-length", "0"))
        if len(self._data) < whole:
            return
        body, self._data = self._data[head + 4 : whole], self._data[whole:]
        method, path, _ = lines[0].split(" ")
        status, answer = _answer(method, path, headers.get("authorization", "").removeprefix("bearer "), body)
        sent = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nX-Pod-Name: still\r\n\r\n%b" % (status, len(answer), answer)
        self._service.send(self._transport, sent, api=path.startswith("/v1/walks"))


def _answer(method: str, path: str, user: str, body: bytes) -> tuple[int, bytes]:
    if path.startswith(_ACCOUNT):
        if "batchCreate" in path:
            return 200, b"{}"
        uid = msgspec.json.decode(body)["email"].split("@")[0]
        return 200, msgspec.json.encode({"idToken": uid, "localId": uid, "expiresIn": "3600"})
    if path.endswith("firebase:fetch?key=emulator"):
        return 200, _FLAG
    if method == "GET" and "?" in path:
        return 200, _PAGE
    if method == "DELETE":
        return 204, b""
    walk = "00000000-0000-4000-8000-000000000001" if method == "POST" else path.rsplit("/", 1)[1]
    answer = f'{{"id":"{walk}","user_id":"{user}","title":"x","status":"in_progress","locations":[]}}'
    return 201 if method == "POST" else 200, answer.encode()


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


async def main() -> None:
    """Serves until the input ends."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    service = _Service(msgspec.json.decode(await lines.readline(), type=Plan))
    server = await loop.create_server(lambda: _Connection(service), "127.0.0.1", 0, backlog=1000)
    _say(str(server.sockets[0].getsockname()[1]).encode())
    await lines.read()
    os._exit(0)  # whatever is held


if __name__ == "__main__":
    asyncio.run(main())
