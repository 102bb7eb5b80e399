"""A PUT that was committed, a pod killed before its answer, and the phone's own retry at the next pod: applied once.

A relay stands where the service's address does: it keeps back the first pod's answer, kills that pod (SIGKILL), and
sends what comes next to a new one. Both are real processes over one real PostgreSQL.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest

from api.settings import DatabaseSettings
from harness.load.connection import PhoneConnection
from harness.load.http1 import NoAnswer
from harness.load.rest import runtime
from harness.model.stack import Address
from tests.api.contract import location
from tests.api.pod import Pod
from tests.api.world import new_id, new_user, unsigned_token
from tests.ports import free_port

pytestmark = pytest.mark.process

LIMIT_S = 30.0
LOCATIONS = 30


class Passed(msgspec.Struct):
    """What the relay saw: each request's bytes, the answer that no phone got, and what went wrong in the relay."""

    requests: list[bytes] = []
    kept_back: bytes = b""
    error: str = ""


def whole(peer: socket.socket) -> bytes:
    """One message with its head and its body of ``Content-Length``; empty when the peer hung up before."""
    read = b""
    while b"\r\n\r\n" not in read:
        more = peer.recv(65536)
        if not more:
            return b""
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = (int(lengths[0].split(b":")[1]) if lengths else 0) - len(body)
    while left > 0:
        more = peer.recv(65536)
        left -= len(more)
        read += more
    return read


def answer(pod: Pod, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", pod.port), LIMIT_S) as upstream:
        upstream.sendall(request)
        return whole(upstream)


class Relay:
    """Serves one phone: ``first`` is killed with the answer to its first PUT in the relay's hand, then ``next_pod``."""

    def __init__(self, first: Pod, next_pod: Pod) -> None:
        self.seen = Passed()
        self._pods = (first, next_pod)

    def serve(self, server: socket.socket) -> None:
        try:
            for pod in self._pods:
                peer, _ = server.accept()
                peer.settimeout(LIMIT_S)
                with peer:
                    self._connection(peer, pod)
        except OSError as error:
            self.seen.error = repr(error)

    def _connection(self, peer: socket.socket, pod: Pod) -> None:
        while request := whole(peer):
            self.seen.requests.append(request)
            got = answer(pod, request)
            if pod is self._pods[0] and request.startswith(b"PUT "):
                pod.process.kill()
                pod.process.wait(LIMIT_S)
                self.seen.kept_back = got
                return  # the connection ends before a byte of the answer
            peer.sendall(got)


@contextmanager
def phone(relay: Relay) -> Iterator[PhoneConnection]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT_S)
        thread = threading.Thread(target=relay.serve, args=(server,))
        thread.start()
        connection = PhoneConnection(Address(host="127.0.0.1", port=server.getsockname()[1]), runtime())
        try:
            yield connection
        finally:
            connection.close()
            server.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT_S)
            assert not thread.is_alive()


async def rows(database: DatabaseSettings, user: str) -> list[tuple[str, int, int]]:
    """The user's walks: id, locations, different numbers of locations."""
    connection = await asyncpg.connect(
        host=database.host, port=database.port, user=database.user, database=database.name
    )
    try:
        found = await connection.fetch(
            "SELECT w.id::text, count(l.id), count(DISTINCT l.sequence_number) FROM walks w"
            " LEFT JOIN walk_locations l ON l.walk_id = w.id WHERE w.user_id = $1 GROUP BY w.id",
            user,
        )
    finally:
        await connection.close()
    return [tuple(row) for row in found]


@pytest.mark.parametrize("walk", ["new", "under way"])
async def test_a_put_retried_after_a_crash_is_applied_once(
    tmp_path: Path, migrated: DatabaseSettings, walk: str
) -> None:
    user, walk_id = new_user(), new_id()
    token, path = unsigned_token(user), f"/v1/walks/{walk_id}"
    before = 5 if walk == "under way" else 0
    body = json.dumps(
        {"title": "t", "total_steps": 7, "locations": [location(before + number) for number in range(LOCATIONS)]}
    ).encode()
    with Pod(tmp_path, migrated, free_port()) as first, Pod(tmp_path, migrated, free_port()) as second:
        first.wait_until_ready()
        second.wait_until_ready()
        if before:
            with first.client(user) as client:
                start = {"title": "t", "locations": [location(number) for number in range(before)]}
                assert client.put(path, json=start).status_code == 200
        relay = Relay(first, second)
        with phone(relay) as connection:
            assert connection.exchange("GET", "/v1/walks", token, b"", LIMIT_S).status == 200
            with pytest.raises(NoAnswer):
                connection.exchange("PUT", path, token, body, LIMIT_S)
            put = connection.exchange("PUT", path, token, body, LIMIT_S)
    assert relay.seen.error == ""
    _, lost, again = relay.seen.requests
    assert relay.seen.kept_back.startswith(b"HTTP/1.1 200"), "the first PUT was committed"
    assert (put.status, lost == again) == (200, True)
    assert await rows(migrated, user) == [(walk_id, before + LOCATIONS, before + LOCATIONS)]
    assert json.loads(put.body)["total_steps"] == 7
