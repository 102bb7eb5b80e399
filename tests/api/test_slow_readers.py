"""Clients that read their answers slowly: what a process holds for them is bounded, and they hold up nobody else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from api.protocol import STALL_S
from api.settings import DatabaseSettings
from tests.api.contract import assert_error, location
from tests.api.pod import Pod
from tests.api.world import new_id, new_user, running, unsigned_token
from tests.ports import free_port

READERS, EVERY_S, AT_ONCE_BYTES = 300, 4.0, 1024
LASTING_S = STALL_S + 4 * EVERY_S
POINTS, AT_ONCE_POINTS = 20_000, 5_000
MOST_BYTES = 200 * 2**20
FULL = {"altitude": 4.5, "horizontal_accuracy": 5.25, "vertical_accuracy": 6.75, "speed": 1.5, "course": 90.125}


class Reader:
    """One connection that asks for a walk and then reads a little now and then."""

    def __init__(self, port: int, walk_id: str, token: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        head = f"GET /v1/walks/{walk_id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        self.socket.sendall(head.encode())
        self.socket.setblocking(False)
        self.status, self.ended = b"", False

    def read(self) -> None:
        try:
            read = self.socket.recv(AT_ONCE_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            read = b""
        self.status, self.ended = self.status or read[9:12], self.ended or not read


def with_long_walk(pod: Pod) -> tuple[str, str]:
    """A user's walk of as many points as there may be; its id, and the user's token."""
    uid, walk_id = new_user(), new_id()
    with pod.client(uid) as client:
        for first in range(0, POINTS, AT_ONCE_POINTS):
            points = [location(number, **FULL) for number in range(first, first + AT_ONCE_POINTS)]
            assert client.put(f"/v1/walks/{walk_id}", json={"locations": points}).status_code == 200
    return walk_id, unsigned_token(uid)


@contextlib.contextmanager
def resident(pod: Pod) -> Iterator[list[int]]:
    """The memory of the process, in bytes, every 50 ms."""
    found, process, over = list[int](), psutil.Process(pod.process.pid), threading.Event()

    def sample() -> None:
        while not over.wait(0.05):
            found.append(process.memory_info().rss)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def in_flight(pod: Pod) -> int:
    [line] = [each for each in pod.metrics().splitlines() if each.startswith("http_requests_in_flight ")]
    return round(float(line.split()[1]))


@pytest.mark.process
def test_slow_readers_take_no_more_than_their_share_and_lose_their_connections(
    tmp_path: Path, migrated: DatabaseSettings
) -> None:
    """300 of four accounts, with answers of 3 MB: the process took 1,000 MiB, and said that nothing was in flight."""
    with Pod(tmp_path, migrated, free_port(), MIRROR_SHARE_PERCENT="0") as pod, contextlib.ExitStack() as opened:
        pod.wait_until_ready()
        owned = [with_long_walk(pod) for _ in range(4)]
        other = opened.enter_context(pod.client(new_user()))
        memory = opened.enter_context(resident(pod))
        readers = [Reader(pod.port, *owned[number % 4]) for number in range(READERS)]
        for reader in readers:
            opened.callback(reader.socket.close)
        began, held = time.monotonic(), list[int]()
        while time.monotonic() < began + LASTING_S and not all(reader.ended for reader in readers):
            time.sleep(EVERY_S)
            for reader in readers:
                reader.read()
            held.append(in_flight(pod))
            assert other.get("/v1/walks").status_code == 200, "others are served"
        became = Counter(reader.status for reader in readers)
        assert max(memory) < MOST_BYTES, f"{max(memory) / 2**20:.0f} MiB, {became}"
        assert became.keys() == {b"200", b"503"}, became
        slow = [reader for reader in readers if reader.status == b"200"]
        assert max(held[2:-1]) >= len(slow) and held[-1] == 0, held
        assert all(reader.ended for reader in slow)


@pytest.mark.process
def test_a_stop_waits_for_slow_readers_no_longer_than_for_others(tmp_path: Path, migrated: DatabaseSettings) -> None:
    with Pod(tmp_path, migrated, free_port(), MIRROR_SHARE_PERCENT="0") as pod:
        pod.wait_until_ready()
        reader = Reader(pod.port, *with_long_walk(pod))
        until = time.monotonic() + 30
        while (in_flight(pod) == 0 or not reader.status) and time.monotonic() < until:
            time.sleep(0.1)
            reader.read()
        assert reader.status == b"200"
        status, seconds = pod.stop()
        reader.socket.close()
        assert status == 0 and seconds < 10
        assert not [line for line in pod.lines() if line["severity"] == "ERROR" and "Cancel" not in line["message"]]


async def test_an_answer_without_room_is_refused_and_a_small_one_is_not() -> None:
    async with running(max_unsent_bytes=64 * 1024) as api, api.as_user() as client:
        walk_id = new_id()
        points = [location(number, **FULL) for number in range(200)]
        assert (await client.put(f"/v1/walks/{walk_id}", json={"locations": points})).status_code == 200
        assert (await client.get(f"/v1/walks/{walk_id}")).status_code == 200
        assert api.service.unsent_bytes == 0
        api.service.unsent_bytes = 50 * 1024  # of somebody who does not read
        answer = await client.get(f"/v1/walks/{walk_id}")
        assert_error(answer, 503, "INTERNAL_ERROR")
        assert answer.headers["retry-after"] == "1" and answer.headers["x-pod-name"] == "pod-1"
        assert (await client.get("/v1/walks")).status_code == 200
        assert (api.service.unsent_bytes, api.service.in_flight) == (50 * 1024, 0)
        assert 'status="503"} 1.0\n' in (await api.metrics()).text
