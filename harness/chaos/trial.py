"""How long a killed pod goes on being sent to, tried before a series of kills: kill, and ask on new connections."""

from __future__ import annotations

import asyncio

from harness.clock import NS, Clock
from harness.model.errors import BadInput
from harness.model.stack import Fault, FaultKind
from harness.stack.protocol import Stack
from harness.stack.waiting import http_status

#: So many kills, of which the slowest counts: what is computed from it is the most that can fail.
TRIALS = 3
ASK_EVERY_S, ASKED_FOR_S = 0.03, 4.0
_SERVER_ERROR = 500


class Asked:
    """When each new connection was opened, and whether it was answered well: (ns, good)."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bool]] = []


def detection_s(killed_ns: int, answers: list[tuple[int, bool]]) -> float:
    """From the kill until the last connection was opened that was not answered well; 0 when all were. Pure."""
    return max((at_ns - killed_ns for at_ns, good in answers if not good and at_ns >= killed_ns), default=0) / NS


async def trial(stack: Stack, clock: Clock, path: str) -> float:
    """One pod killed with grace 0 while ``path`` is asked for through the service: the detection in seconds.

    Raises ``BadInput`` when no pod is ready.
    """
    service, asked = stack.endpoints().service, Asked()

    async def ask() -> None:
        at_ns = clock.now_ns()
        asked.answers.append((at_ns, 0 < await http_status(service, path) < _SERVER_ERROR))

    begun_ns = clock.now_ns()
    kill = asyncio.ensure_future(stack.inject(Fault(kind=FaultKind.POD_KILL)))
    asks: list[asyncio.Task[None]] = []
    try:
        while clock.now_ns() - begun_ns < ASKED_FOR_S * NS:
            asks.append(asyncio.ensure_future(ask()))
            await clock.sleep(ASK_EVERY_S)
        await asyncio.gather(*asks)
        await kill
    finally:
        for task in (kill, *asks):
            task.cancel()
        await asyncio.gather(kill, *asks, return_exceptions=True)
    if not any(good for _, good in asked.answers):
        raise BadInput("no pod answered while one of them was killed: there is nothing to try the detection on")
    return detection_s(begun_ns, asked.answers)
