"""How long a killed pod goes on being sent to, tried before a series of kills: kill, and ask on new connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness.base.clock import NS, Clock, polling
from harness.base.errors import BadInput
from harness.model.message import Message
from harness.model.stack import Fault, FaultKind
from harness.stack.protocol import Stack
from harness.stack.waiting import http_status

TRIALS = 10  # in a cluster each is another: the kubelet and kube-proxy race, and sometimes nothing breaks at all
STEADY_LIMIT_S = 90.0
ASK_EVERY_S, ASKED_FOR_S = 0.03, 4.0
#: After a trial, until the samples and answers looked at are of after the kill.
SETTLE_S, POLL_S = 2.5, 0.5
_SERVER_ERROR = 500


def detection_s(asked_ns: int, answers: list[tuple[int, bool]]) -> float:
    """How long connections were opened that were not answered well, after the kill was asked for; 0 when all were.

    From the first to the last of them, and one interval of asking: until the pod is dead it still answers, and that
    time is none in which anything breaks. Pure.
    """
    bad = [at_ns for at_ns, good in answers if not good and at_ns >= asked_ns]
    return (max(bad) - min(bad)) / NS + ASK_EVERY_S if bad else 0.0


async def trial(stack: Stack, clock: Clock, path: str) -> float | None:
    """One pod killed with grace 0 while ``path`` is asked for through the service: the detection in seconds.

    ``None`` when there was nothing to try it on: no pod was ready, or none answered.
    """
    service = stack.endpoints().service
    answers: list[tuple[int, bool]] = []  # when a new connection was opened, and whether it was answered well

    async def ask() -> None:
        at_ns = clock.now_ns()
        answers.append((at_ns, 0 < await http_status(service, path) < _SERVER_ERROR))

    begun_ns = clock.now_ns()
    kill = asyncio.ensure_future(stack.inject(Fault(kind=FaultKind.POD_KILL)))
    asks: list[asyncio.Task[None]] = []
    try:
        while clock.now_ns() - begun_ns < ASKED_FOR_S * NS:
            asks.append(asyncio.ensure_future(ask()))
            await clock.sleep(ASK_EVERY_S)
        await asyncio.gather(*asks)
        await kill
    except BadInput:
        return None
    finally:
        for task in (kill, *asks):
            task.cancel()
        await asyncio.gather(kill, *asks, return_exceptions=True)
    if not any(good for _, good in answers):
        return None
    return detection_s(begun_ns, answers)


async def trials(
    stack: Stack, clock: Clock, path: str, why_not_steady: Callable[[], Message | None]
) -> tuple[float, ...]:
    """``TRIALS`` of them in seconds, each from a steady state; () when that did not come or one could not be made."""
    found: list[float] = []
    for _ in range(TRIALS):
        again = polling(clock, limit_s=STEADY_LIMIT_S, every_s=POLL_S)
        while why_not_steady() is not None:
            if not await again():
                return ()
        tried = await trial(stack, clock, path)
        if tried is None:
            return ()
        found.append(tried)
        await clock.sleep(SETTLE_S)
    return tuple(found)
