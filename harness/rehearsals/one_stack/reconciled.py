"""What PostgreSQL has newer is written to Firestore, and looked at a second time: the word of it is evidence.

Behind a roll back users go on in Firestore, and canaries at the API: of walks that the API is asked to write meanwhile,
or was so shortly before that their mirror may be under way, and of those that a phone sends once more, the second look
says nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from harness.base.clock import NS
from harness.checks.stores import DRAIN_LIMIT_S
from harness.judge.judged import event
from harness.judge.planned import AGAIN
from harness.load.population.accounts import canaries
from harness.migration.heal import twice
from harness.model.direction import Direction
from harness.model.evidence import WRITES, Side
from harness.model.message import message
from harness.rehearsal.running import Running
from harness.rehearsals.one_stack.types import OneStackDetails, OneStackPlan


async def reconcile(
    on: Running[OneStackDetails],
    part: str,
    plan: OneStackPlan,
    settled: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """In that ``part``; ``settled`` as ``heal`` takes it, where users go on. Raises as ``heal``."""
    since_ns = on.clock.now_ns() - round(DRAIN_LIMIT_S * NS)

    def written() -> set[str]:
        probed = {each.walk_id for each in canaries(plan.weeks[-1].probes.canary_users, on.options.seed)}
        return probed | {
            row.walk_id.lower()
            for row in on.evidence.requests
            if (row.side is Side.API or AGAIN in row.operation_id)
            and row.operation in WRITES
            and row.done_ns >= since_ns
        }

    beside = tuple if settled is None else written
    done, found = await twice(on.stack.endpoints(), Direction.TO_FIRESTORE, on.evidence.writes, settled, beside)
    on.phase("reconciled", message("reconciled: {counts}", counts=done.told))
    found = msgspec.structs.replace(found, part=part)
    on.evidence.add([event(on.clock.now_ns(), found)])
    on.became(found)
