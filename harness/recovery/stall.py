"""The archive alone, and an archiver that stalls: what a lost disk costs, in moved time.

A commit every ``commit_every_s`` and a segment switch every ``archive_timeout_s`` (what PostgreSQL's archive_timeout
does), each at its moved time; nothing leaves the server while the archiver is stalled.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from harness.clock import NS
from harness.model.recovery import StallPlan
from harness.recovery.keeper import START
from harness.recovery.moved_clock import MovedClock
from harness.recovery.restore import Point, restore
from harness.recovery.sentinel import INSERT, closing, recovered
from harness.recovery.site import Site
from harness.recovery.world import World, world


class Stalled(msgspec.Struct, frozen=True, kw_only=True):
    """``healthy_rpo_s``: the disk lost when the stall began, the worst moment; ``stalled_rpo_s``: at its end."""

    healthy_rpo_s: float
    stalled_rpo_s: float
    stall_s: float
    archive_timeout_s: float
    commits: int
    recovered: int

    def tolerated_s(self, rpo_s: float) -> float:
        """The longest stall that keeps ``rpo_s``."""
        return max(0.0, rpo_s - self.archive_timeout_s)


async def stalled(site: Site, plan: StallPlan) -> Stalled:
    """A healthy time, the stall, then the disk is lost and the archive restored."""
    async with world(site, "stall", 0.1, streaming=False) as here:
        clock = MovedClock(START)
        times = await _commits(here, clock, plan, plan.healthy_s, first=1)
        begun_ns = clock.now_ns()
        here.archive.stall()
        times |= await _commits(here, clock, plan, plan.stall_s, first=len(times) + 1)
        await here.primary.lose()
        restored = await restore(site, here.source(), Point(), "stall-restored")
        here.servers.append(restored.server)
        connection = await restored.server.connect()
        try:
            found = await recovered(connection)
        finally:
            await closing(connection)
        last_ns = max((times[n] for n in found), default=0)
        return Stalled(
            healthy_rpo_s=(begun_ns - last_ns) / NS,
            stalled_rpo_s=(clock.now_ns() - last_ns) / NS,
            stall_s=plan.stall_s,
            archive_timeout_s=plan.archive_timeout_s,
            commits=len(times),
            recovered=len(found),
        )


async def _commits(here: World, clock: MovedClock, plan: StallPlan, for_s: float, *, first: int) -> dict[int, int]:
    """Commits for ``for_s`` of moved time; the moved time of each. Switches on whole ``archive_timeout_s``."""
    times: dict[int, int] = {}
    end_ns = clock.now_ns() + round(for_s * NS)
    every_ns = round(plan.archive_timeout_s * NS)
    connection = await here.primary.connect()
    try:
        while clock.now_ns() + round(plan.commit_every_s * NS) <= end_ns:
            before = clock.now_ns() // every_ns
            await clock.sleep(plan.commit_every_s)
            if clock.now_ns() // every_ns > before:
                await _switch(here)
            n = first + len(times)
            await connection.execute(INSERT, n, clock.now_ns())
            times[n] = clock.now_ns()
    finally:
        await closing(connection)
    return times


async def _switch(here: World) -> None:
    if here.archive.is_stalled:
        await here.primary.sql("SELECT pg_switch_wal()")
    else:
        await here.archive.caught_up(here.primary)


def told(found: Stalled, rpo_s: float) -> str:
    """For people."""
    stall, safe = timedelta(seconds=found.stall_s), timedelta(seconds=found.tolerated_s(rpo_s))
    return (
        f"an archiver stalled for {stall} loses the stall and what was not yet switched; {found.recovered} of "
        f"{found.commits} commits recovered. The limit holds up to a stall of {safe}; no alert of the document sees one"
    )
