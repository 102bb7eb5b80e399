"""A real pod: PostgreSQL, the Firestore emulator, real sockets and signals."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from api.firestore_mirror import RPC_TIMEOUT_S
from api.settings import DatabaseSettings
from tests.api.contract import location
from tests.api.pod import Firestore, Pod
from tests.api.world import new_id, new_user, unsigned_token
from tests.ports import free_port

pytestmark = pytest.mark.process

TIME = {"DatetimeWithNanoseconds": "2025-10-20T09:00:00.250000+00:00"}


@pytest.fixture(scope="module")
def firestore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firestore]:
    emulator = Firestore(tmp_path_factory.mktemp("firestore"))
    yield emulator
    emulator.stop()


@pytest.fixture
def pod(tmp_path: Path, migrated: DatabaseSettings, firestore: Firestore) -> Iterator[Pod]:
    with Pod(tmp_path, migrated, firestore.port) as pod:
        pod.wait_until_ready()
        yield pod


def mirror_outcomes(pod: Pod) -> dict[str, int]:
    lines = pod.metrics().splitlines()
    start = 'mirror_writes_total{outcome="'
    counts = {
        line.removeprefix(start).split('"')[0]: round(float(line.rsplit(" ", 1)[1])) for line in lines if start in line
    }
    [waiting] = [round(float(line.split(" ")[1])) for line in lines if line.startswith("mirror_queue ")]
    return counts | {"waiting": waiting}


def wait_until_mirrored(pod: Pod) -> dict[str, int]:
    ends = time.monotonic() + 10
    while (outcomes := mirror_outcomes(pod))["waiting"]:
        assert time.monotonic() < ends, outcomes
        time.sleep(0.02)
    return outcomes


def test_a_walk_through_a_real_pod_into_both_databases(pod: Pod, firestore: Firestore) -> None:
    uid, walk_id = new_user(), new_id()
    stamp = "2025-10-20T18:00:00.250+09:00"
    full = {"altitude": 4, "horizontal_accuracy": 5, "vertical_accuracy": 6, "speed": 1.5, "course": 90}
    with pod.client(uid) as client:
        body = {
            "title": "夕方",
            "start_time": stamp,
            "total_distance": 12,
            "total_steps": 20,
            "status": "in_progress",
            "locations": [location(1, timestamp=stamp), location(0, timestamp=stamp, latitude=0.0, **full)],
        }
        answer = client.put(f"/v1/walks/{walk_id}", json=body)
        assert answer.status_code == 200
        assert answer.headers["x-pod-name"] == "tekutoko-api-test"
        assert wait_until_mirrored(pod)["written"] == 1
        walk = answer.json()
        [document] = firestore.documents(walk_id)
        created, updated = ({"DatetimeWithNanoseconds": walk[n][:-1] + "+00:00"} for n in ("created_at", "updated_at"))
        assert document == {
            "id": walk_id.upper(),
            "user_id": uid,
            "title": "夕方",
            "description": "",
            "start_time": TIME,
            "total_distance": 12.0,
            "total_steps": 20,
            "status": "in_progress",
            "total_paused_duration": 0.0,
            "created_at": created,
            "updated_at": updated,
            "location_data": [
                {
                    "latitude": 0.0,
                    "longitude": 139.7,
                    "altitude": 4.0,
                    "timestamp": TIME,
                    "horizontalAccuracy": 5.0,
                    "verticalAccuracy": 6.0,
                    "speed": 1.5,
                    "course": 90.0,
                },
                {"latitude": 35.1, "longitude": 139.7, "timestamp": TIME, "speed": -1.0, "course": -1.0},
            ],
        }
        for number in (document["total_distance"], document["location_data"][0]["course"]):
            assert type(number) is float
        bare = client.post("/v1/walks", json={"title": "t"}).json()["id"]
        client.delete(f"/v1/walks/{walk_id}")
        wait_until_mirrored(pod)
        gone, without_locations = firestore.documents(walk_id, bare)
        assert gone is None
        assert without_locations["location_data"] == []  # always present


def test_tokens_at_a_real_pod(pod: Pod) -> None:
    with pod.client() as client:
        assert client.get("/v1/walks").status_code == 200
        for token in (unsigned_token("u", exp=1), unsigned_token("u", aud="other"), "nonsense"):
            answer = client.get("/v1/walks", headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


def test_sigterm_ends_in_0_at_once_when_nothing_runs_even_with_idle_connections(pod: Pod) -> None:
    with socket.create_connection(("127.0.0.1", pod.port)), pod.client() as client:
        assert client.get("/v1/walks").status_code == 200  # and its connection is kept
        status, seconds = pod.stop()
    assert status == 0
    assert seconds < 5  # waiting for the idle ones would take five
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", pod.port), 1)
    messages = [line["message"] for line in pod.lines()]
    assert messages[0] == "Walk API started"
    assert messages[-1].startswith("Walk API stopped; mirror writes: ")
    for line in pod.lines():
        assert {"severity", "message", "pod_name", "timestamp"} <= set(line)


async def test_sigterm_finishes_what_runs(pod: Pod, migrated: DatabaseSettings) -> None:
    """A PUT waits for a lock in the database when SIGTERM comes; it still gets its answer."""
    uid, path = new_user(), f"/v1/walks/{new_id()}"
    with pod.client(uid) as client:
        assert client.put(path, json={}).status_code == 200
        lock = await asyncpg.connect(host=migrated.host, port=migrated.port, user=migrated.user, database=migrated.name)
        async with lock.transaction():
            await lock.execute("SELECT 1 FROM walks WHERE id = $1 FOR UPDATE", path.rsplit("/", 1)[1])
            running = asyncio.create_task(asyncio.to_thread(client.put, path, json={"title": "at last"}))
            await asyncio.sleep(0.3)
            stopping = asyncio.create_task(asyncio.to_thread(pod.stop))
            await asyncio.sleep(0.7)
            async with asyncio.timeout(5):
                while accepts(pod.port):  # noqa: ASYNC110 - another process, which tells nobody
                    await asyncio.sleep(0.05)
            assert not running.done() and not stopping.done()
        answer = await running
        assert (answer.status_code, answer.json()["title"]) == (200, "at last")
        status, seconds = await stopping
        await lock.close()
    assert status == 0
    assert 0.7 < seconds < 10


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


def test_sigterm_drains_the_mirror(pod: Pod, firestore: Firestore) -> None:
    with pod.client(new_user()) as client:
        client.post("/v1/walks", json={"title": "connects"})
        wait_until_mirrored(pod)
        with firestore.paused():
            ids = [client.post("/v1/walks", json={"title": "t"}).json()["id"] for _ in range(8)]
            assert mirror_outcomes(pod)["waiting"] == 8
            pod.process.terminate()
            time.sleep(0.3)  # a call to Firestore is given up after four seconds
            assert pod.process.poll() is None  # it waits for the mirror
        status, seconds = pod.stop()
    assert status == 0
    assert seconds < 10
    assert all(document is not None for document in firestore.documents(*ids))
    assert "9 written, 0 failed, 0 dropped" in pod.lines()[-1]["message"]


def test_what_a_hanging_mirror_keeps_is_logged_and_the_pod_ends_in_time(pod: Pod, firestore: Firestore) -> None:
    with pod.client(new_user()) as client:
        client.post("/v1/walks", json={"title": "connects"})
        wait_until_mirrored(pod)
        with firestore.paused():
            began = time.monotonic()
            ids = [client.post("/v1/walks", json={"title": "t"}).json()["id"] for _ in range(40)]
            assert time.monotonic() - began < 10  # nobody waited for it: that would be minutes
            status, seconds = pod.stop()
    assert status == 0
    assert seconds < 15  # all of it would take 40 s; that the parts of a stop fit into the grace is in test_serve.py
    lost = {line["walk_id"]: line["message"] for line in pod.lines() if line["severity"] == "ERROR"}
    assert set(lost) == set(ids)
    assert {message.split(":")[0] for message in lost.values()} <= {"Mirror write dropped", "Mirror write failed"}


async def test_the_worst_stop_ends_in_time_and_leaves_the_mirror_its_share(
    tmp_path: Path, migrated: DatabaseSettings, firestore: Firestore
) -> None:
    """A request whose body never comes, and a Firestore that answers again only when the requests' time is over."""
    with Pod(tmp_path, migrated, firestore.port, MIRROR_LANES="1") as pod, pod.client(new_user()) as client:
        pod.wait_until_ready()
        client.post("/v1/walks", json={"title": "connects"})
        wait_until_mirrored(pod)
        with firestore.paused():
            reader, writer = await asyncio.open_connection("127.0.0.1", pod.port)
            token = client.headers["authorization"]
            head = f"POST /v1/walks HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: 5\r\n\r\n".encode())
            # The first write is given up after four seconds; the others have their turn then.
            paused = time.monotonic()
            ids = [client.post("/v1/walks", json={"title": "t"}).json()["id"] for _ in range(8)]
            began = time.monotonic()
            stopping = asyncio.create_task(asyncio.to_thread(pod.stop))
            answer = await reader.read()
            answered_s = time.monotonic() - began
        given_up = int((time.monotonic() - paused) // RPC_TIMEOUT_S)
        status, seconds = await stopping
        writer.close()
        lines = [line["message"] for line in pod.lines() if line["severity"] == "ERROR"]
    print(f"answered after {answered_s:.1f} s, ended after {seconds:.1f} s")
    assert answer.startswith(b"HTTP/1.1 503 ") and b'{"error":{"code":"INTERNAL_ERROR"' in answer
    assert status == 0
    assert 5 < answered_s < 8 and seconds < 10
    written = [document is not None for document in firestore.documents(*ids)]
    assert 1 <= given_up < 8 and all(written[given_up:]), (given_up, written)
    assert not [message for message in lines if "dropped" in message or "Exception in ASGI" in message], lines


def test_without_firestore_requests_are_unharmed(tmp_path: Path, migrated: DatabaseSettings) -> None:
    with Pod(tmp_path, migrated, free_port()) as pod, pod.client(new_user()) as client:
        pod.wait_until_ready()
        answers = [client.post("/v1/walks", json={"title": "t"}) for _ in range(10)]
        assert {answer.status_code for answer in answers} == {201}
        assert wait_until_mirrored(pod)["failed"] == 10
        assert pod.stop()[0] == 0
        failed = [line for line in pod.lines() if line["message"] == "Mirror write failed"]
        told = sorted(line["walk_id"] for line in failed)
        assert told == sorted(answer.json()["id"] for answer in answers), "each once; several workers, so in any order"


def test_start_is_quick_and_small_and_needs_no_database(tmp_path: Path) -> None:
    with Pod(tmp_path, DatabaseSettings(port=free_port()), free_port()) as pod:
        seconds = pod.wait_until_ready("/health")
        memory = psutil.Process(pod.process.pid).memory_info().rss / 2**20
        print(f"up in {seconds:.2f} s, {memory:.0f} MiB")
        used = psutil.Process(pod.process.pid).cpu_times()
        assert used.user + used.system < 5  # seconds; 1.6 alone on this kind of machine
        assert seconds < 30  # it waits for nothing; the rest is for a busy machine
        assert memory < 160
        with pod.client() as client:
            assert client.get("/ready").status_code == 503
        assert pod.stop()[0] == 0


def test_a_taken_port_is_said_and_ends_the_process(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with Pod(tmp_path, DatabaseSettings(), free_port(), PORT=port) as pod:
            assert pod.process.wait(20) == 3
        errors: list[dict[str, Any]] = [line for line in pod.lines() if line["severity"] == "ERROR"]
        assert any("address already in use" in line["message"].lower() for line in errors)
