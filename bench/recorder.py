"""What the recorder costs the load process, in turn with and without it, and a row's cost by itself.

Locust is one thread: the requests/s of a core are one by the CPU time of a request. They are compared by that, because
by the clock whatever else runs on the machine is counted too.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import msgspec

from bench import server
from bench.processes import quick_server, told
from bench.result import Figure, Result, of_runs

LIMIT = 0.05
PACE_S = 0.25  # of a load that began an hour ago: every request is due at once


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """``rows`` are written in a loop; ``users`` ask without a pause, ``seconds`` an arm."""

    users: int
    rounds: int
    seconds: float
    rows: int


FULL = Size(users=50, rounds=10, seconds=0.6, rows=100_000)
QUICK = Size(users=10, rounds=1, seconds=0.3, rows=2_000)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What ``bench.recorder_process`` is told."""

    port: int
    spool: str
    size: Size


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One arm's."""

    per_s: float
    cpu_us: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Of each arm in turn: recorded, with rows that are not written, without rows; and a row's CPU in the loop."""

    recorded: list[Arm]
    unwritten: list[Arm]
    bare: list[Arm]
    row_us: float
    rows: int


async def bench(folder: Path, size: Size) -> Result:
    """In a process of its own, because importing locust patches the sockets."""
    async with quick_server(server.Plan()) as served:
        plan = Plan(port=served.port, spool=str(folder / "recorder.jsonl"), size=size)
        limit_s = 60 + 3 * size.rounds * (size.seconds + 2)
        seen = msgspec.json.decode(await told("bench.recorder_process", plan, limit_s), type=Seen)
    costs = [1 - b.cpu_us / a.cpu_us for a, b in zip(seen.recorded, seen.unwritten, strict=True)]
    evidence = [1 - b.cpu_us / a.cpu_us for a, b in zip(seen.recorded, seen.bare, strict=True)]
    arms = {"recorded": seen.recorded, "rows made, not written": seen.unwritten, "no rows at all": seen.bare}
    whole_us = median(arm.cpu_us for arm in seen.recorded)
    figures = [
        Figure(name="requests/s of a core lost to the recorder", value=median(costs), unit="", limit=LIMIT),
        Figure(
            name="a row's share of a request's CPU, by the loop", value=seen.row_us / whole_us, unit="", limit=LIMIT
        ),
        Figure(name="lost to rows, digests and recorder together", value=median(evidence), unit=""),
        Figure(name="Recorder.write in a loop", value=seen.row_us, unit="us", note=f"{seen.rows:,} rows, to the disk"),
    ]
    for name, measured in arms.items():
        figures.append(of_runs(name, "us of CPU a request", [arm.cpu_us for arm in measured]))
    for name, measured in arms.items():
        figures.append(of_runs(name, "requests/s by the clock", [arm.per_s for arm in measured]))
    how = (
        f"the load's own phones under locust, {size.users} without a pause against a server that is never the limit; "
        f"A B C A B C x {size.rounds}, {size.seconds:g} s an arm"
    )
    return Result(name="recorder", how=how, figures=tuple(figures))
