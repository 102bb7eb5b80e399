"""Those who stay on Firestore while the others are moved: the load goes on until enough was seen of them."""

from __future__ import annotations

from harness.base.clock import NS
from harness.checks.stepwise import MOST_FAILED
from harness.judge.bounds import samples_needed
from harness.model.evidence import Side
from harness.model.message import message
from harness.rehearsal.running import Running
from harness.rehearsals.migration_drill.types import DrillDetails

_LOOK_S = 1.0


async def seen_enough(on: Running[DrillDetails], limit_s: float) -> None:
    """Waits until they have sent as many requests as "fewer than 1 %" takes where none fails; ``limit_s`` at most."""
    needed = samples_needed(MOST_FAILED)
    until_ns = on.clock.now_ns() + round(limit_s * NS)
    if _served(on) < needed:
        said = message("the load goes on until those who stay have sent {needed} requests", needed=f"{needed:,}")
        on.phase("staying", said)
    while _served(on) < needed and on.clock.now_ns() < until_ns:
        await on.clock.sleep(_LOOK_S)


def _served(on: Running[DrillDetails]) -> int:
    return sum(row.side is Side.FIRESTORE for row in on.evidence.requests)
