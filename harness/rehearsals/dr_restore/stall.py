"""The archive alone, and an archiver that stalls: what a lost disk costs, in moved time.

A commit every ``commit_every_s`` and a segment switch every ``archive_timeout_s`` (what PostgreSQL's archive_timeout
does), each at its moved time; nothing leaves the server while the archiver is stalled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from harness.base.clock import NS
from harness.rehearsals.dr_restore.keeper import START
from harness.rehearsals.dr_restore.moved_clock import MovedClock
from harness.rehearsals.dr_restore.restore import Point, restore
from harness.rehearsals.dr_restore.sentinel import INSERT, closing, recovered
from harness.rehearsals.dr_restore.types import StallPlan
from harness.rehearsals.dr_restore.world import World, world
from harness.stack.site import Site


class Stalled(msgspec.Struct, frozen=True, kw_only=True):
    """``healthy_rpo_s``: the disk lost when the stall began, the worst moment; ``stalled_rpo_s``: at its end.

    With nothing recovered both count from the beginning: at least that is lost.
    """

    healthy_rpo_s: float
    stalled_rpo_s: float
    commits: int
    recovered: int


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """What a loss must lie in, seconds."""

    least_s: float
    most_s: float


def expected(plan: StallPlan) -> tuple[Range, Range]:
    """The losses when the stall begins and when it ends, by what was set alone; pure.

    Segments leave on whole ``archive_timeout_s`` (PostgreSQL: archive_timeout), the last time before the stall: that
    long before, and the stall's length, is lost at least. The last commit of that segment is older than its switch by
    at most ``commit_every_s``, and that is the tolerance.
    """
    age_s = round(plan.healthy_s * NS) % round(plan.archive_timeout_s * NS) / NS
    begun, ended = (
        Range(least_s=least_s, most_s=least_s + plan.commit_every_s) for least_s in (age_s, age_s + plan.stall_s)
    )
    return begun, ended


def due(begun_ns: int, end_ns: int, plan: StallPlan) -> list[tuple[int, bool]]:
    """What happens after ``begun_ns`` and until ``end_ns``, by moved time: ``True`` a commit, ``False`` a switch.

    A switch goes before a commit of the same moment. The length need be no multiple of either.
    """
    commit_ns, switch_ns = round(plan.commit_every_s * NS), round(plan.archive_timeout_s * NS)
    commits = [(at_ns, True) for at_ns in range(begun_ns + commit_ns, end_ns + 1, commit_ns)]
    first_ns = (begun_ns // switch_ns + 1) * switch_ns
    return sorted(commits + [(at_ns, False) for at_ns in range(first_ns, end_ns + 1, switch_ns)])


def measured(times: Mapping[int, int], found: Collection[int], begun_ns: int, end_ns: int) -> Stalled:
    """``times``: the moved time of every commit by its number; ``found``: the numbers that were recovered. Pure."""
    last_ns = max((times[n] for n in found), default=0)
    return Stalled(
        healthy_rpo_s=(begun_ns - last_ns) / NS,
        stalled_rpo_s=(end_ns - last_ns) / NS,
        commits=len(times),
        recovered=len(found),
    )


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
        return measured(times, found, begun_ns, clock.now_ns())


async def _commits(here: World, clock: MovedClock, plan: StallPlan, for_s: float, *, first: int) -> dict[int, int]:
    """Commits and switches for exactly ``for_s`` of moved time; the moved time of each commit by its number."""
    times: dict[int, int] = {}
    end_ns = clock.now_ns() + round(for_s * NS)
    connection = await here.primary.connect()
    try:
        for at_ns, is_commit in due(clock.now_ns(), end_ns, plan):
            await clock.sleep((at_ns - clock.now_ns()) / NS)
            if not is_commit:
                await _switch(here)
                continue
            n = first + len(times)
            await connection.execute(INSERT, n, clock.now_ns())
            times[n] = clock.now_ns()
        await clock.sleep((end_ns - clock.now_ns()) / NS)
    finally:
        await closing(connection)
    return times


async def _switch(here: World) -> None:
    if here.archive.is_stalled:
        await here.primary.sql("SELECT pg_switch_wal()")
    else:
        await here.archive.caught_up(here.primary)
