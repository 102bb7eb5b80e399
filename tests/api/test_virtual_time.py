"""The whole API in virtual time: no thread, no socket, no clock of its own, and the same bytes each time."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
import time
from typing import Any

import pytest

from api import metrics_port
from api.app import build_app
from api.logs import Log
from api.memory import LoopClock, MemoryDatabase, MemoryMirror, MemoryTokens, SeededIds
from api.ports import Ports
from harness.base.virtual import VirtualLoop
from harness.stack.sim.service import over_asgi
from tests.api.world import settings


def world(lines: list[bytes], seed: int) -> tuple[Any, MemoryMirror]:
    clock = LoopClock()
    mirror = MemoryMirror(delay_s=0.5)
    ports = Ports(
        database=MemoryDatabase(clock, delay_s=0.01),
        tokens=MemoryTokens(),
        clock=clock,
        ids=SeededIds(random.Random(seed)),
        mirror=mirror,
    )
    log = Log(clock, pod_name="sim-1", level="debug", write=lines.append)
    return build_app(settings(rate_limit_per_minute=100), ports, log), mirror


async def hours_of_walking(seed: int, hours: float) -> tuple[list[bytes], list[tuple[int, bytes]], dict[str, Any]]:
    """Ten users, one request in 50 s each, and one in a hurry."""
    lines: list[bytes] = []
    answers: list[tuple[int, bytes]] = []
    app, mirror = world(lines, seed)

    async def asked(method: str, path: str, user: str, body: Any = None) -> tuple[int, bytes]:
        answer = await over_asgi(app, method, path, user, b"" if body is None else json.dumps(body).encode())
        return answer.status, answer.body

    async def walker(number: int) -> None:
        await asyncio.sleep(number * 5)
        _, walk = await asked("POST", "/v1/walks", f"user-{number}", {"title": f"{number}"})
        for step in range(int(hours * 3600 / 50)):
            await asyncio.sleep(50)
            body = {"locations": [{"latitude": 35, "longitude": 139, "timestamp": "2025-10-20T09:00:00Z"}]}
            body["locations"][0]["sequence_number"] = step
            answers.append(await asked("PUT", f"/v1/walks/{json.loads(walk)['id']}", f"user-{number}", body))

    async def hurried() -> None:
        for _ in range(150):
            answers.append(await asked("GET", "/v1/walks", "hurried"))

    async with app.router.lifespan_context(app):
        await asyncio.gather(*(walker(number) for number in range(10)), hurried())
        metrics = await over_asgi(metrics_port.page(app.state.service), "GET", "/metrics", "", b"")
        answers.append((metrics.status, metrics.body))
    return lines, answers, mirror.documents


def in_virtual_time(seed: int, hours: float) -> tuple[Any, float]:
    loop = VirtualLoop()
    try:
        asyncio.set_event_loop(None)
        result = loop.run_until_complete(hours_of_walking(seed, hours))
        return result, loop.time()
    finally:
        loop.close()


def test_three_hours_pass_in_seconds_without_thread_or_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a thread or a socket in virtual time")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", refuse)
    started = time.process_time()
    (lines, answers, documents), virtual_s = in_virtual_time(seed=7, hours=3)
    assert time.process_time() - started < 20
    assert virtual_s > 3 * 3600
    assert threading.active_count() == before
    assert sorted({status for status, _ in answers}) == [200, 429]
    assert sum(status == 429 for status, _ in answers) == 50
    assert len(documents) == 10
    assert {len(locations) for _, locations in documents.values()} == {216}
    assert b'"timestamp":"2025-10-20T00:00:' in lines[0]
    assert b'"timestamp":"2025-10-20T03:0' in lines[-1]


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = in_virtual_time(seed=7, hours=0.25), in_virtual_time(seed=7, hours=0.25)
    assert first == second
    assert in_virtual_time(seed=8, hours=0.25)[0][1] != first[0][1]
