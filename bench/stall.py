"""A planted stall: what is reported against what must be, and what a closed loop makes of the same stall.

Open loop: the harness' own load process, its spool, its ledger and its summary. What must be reported is computed
from the recorded due times and from when the server stalled, without any recorded latency: a request due in the stall
waits until its end, all others are taken to wait not at all.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path

import msgspec

from bench import client, clock, requests, server
from bench.load import plan_at
from bench.processes import Served, quick_server, told
from bench.result import Figure, Result
from harness.base.clock import NS, MachineClock
from harness.evidence.spool import SpoolReader
from harness.load.process import LoadProcesses
from harness.model.evidence import RequestRow, Row, Side, Window
from harness.rules.ledger import Ledger
from harness.rules.summary import summarise

#: What a healthy request takes, and how late an answer may be told at most, is not in the computed figures.
TOLERANCE_MS = 50.0
_ADMITTED_WITHIN_S = 30.0
_STALLED_WITHIN_S = 30.0
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_CLOSED_CONNECTIONS = 5


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """``users`` in open loop, one request of each in ``pace_s``; the stall begins in the middle."""

    users: int
    pace_s: float
    seconds: float
    stall_s: float


FULL = Size(users=200, pace_s=4.0, seconds=16.0, stall_s=2.0)
QUICK = Size(users=40, pace_s=2.0, seconds=4.0, stall_s=0.5)


async def bench(folder: Path, size: Size) -> Result:
    """Both loops, one after the other, each against a server that stalls once."""
    plan = server.Plan(stall_after_s=size.seconds / 2, stall_s=size.stall_s)
    async with quick_server(plan) as served:
        rows, stall = await _open_loop(served, folder / "stall", size)
    async with quick_server(plan) as served:
        closed = await _closed_loop(served, size)
    reported = _reported(rows)
    dues = [row.due_ns for row in rows if isinstance(row, RequestRow)]
    must = computed(dues, stall)
    figures = []
    for name, quantile in _QUANTILES.items():
        figures += [
            Figure(name=f"{name} reported, open loop", value=reported[name], unit="ms"),
            Figure(name=f"{name} computed of due times and the stall", value=must[name], unit="ms"),
            Figure(name=f"{name} of a closed loop", value=nearest(closed, quantile), unit="ms"),
        ]
    worst = max(abs(reported[name] - must[name]) for name in _QUANTILES)
    figures.insert(0, Figure(name="reported - computed, at most", value=worst, unit="ms", limit=TOLERANCE_MS))
    per_s = size.users / size.pace_s
    how = (
        f"a stall of {(stall.ended_ns - stall.began_ns) / NS:.2f} s in {size.seconds:g} s at {per_s:g} requests/s: "
        f"{len(dues)} requests in open loop, {len(closed)} in closed loop at the same rate while healthy"
    )
    return Result(name="stall", how=how, figures=tuple(figures))


def computed(dues_ns: list[int], stall: server.Stall) -> dict[str, float]:
    """Percentiles in ms of what must be reported."""
    waits = [(stall.ended_ns - due) / 1e6 if stall.began_ns <= due < stall.ended_ns else 0.0 for due in dues_ns]
    return {name: nearest(waits, quantile) for name, quantile in _QUANTILES.items()}


def nearest(values: list[float], quantile: float) -> float:
    """The value of nearest rank."""
    return sorted(values)[ceil(quantile * len(values)) - 1]


def _reported(rows: list[Row]) -> dict[str, float]:
    """As a run's summary reports them."""
    ledger = Ledger()
    ledger.extend(rows)
    dues = [row.due_ns for row in rows if isinstance(row, RequestRow)]
    summary = summarise(ledger, Window(start_ns=min(dues), end_ns=max(dues) + 1), Side.API)
    found = {"p50": summary.latency_p50_ms, "p95": summary.latency_p95_ms, "p99": summary.latency_p99_ms}
    return {name: value or 0.0 for name, value in found.items()}


async def _open_loop(served: Served, folder: Path, size: Size) -> tuple[list[Row], server.Stall]:
    load = LoadProcesses(plan_at(served.port, users=size.users, pace_s=size.pace_s), folder, MachineClock())
    try:
        await load.start()
        await load.admitted(_ADMITTED_WITHIN_S)
        await load.go(clock.now_ns() + NS // 5)
        await clock.pause(size.seconds)
        told_stall = await served.line(_STALLED_WITHIN_S)  # later than in the middle where the first request was late
        await load.stop()
    finally:
        await load.kill()
    return SpoolReader(load.spools[0]).read(), msgspec.json.decode(told_stall, type=server.Stall)


async def _closed_loop(served: Served, size: Size) -> list[float]:
    texts = requests.lists(requests.users(_CLOSED_CONNECTIONS))
    plan = client.Plan(
        port=served.port,
        requests=texts,
        connections=_CLOSED_CONNECTIONS,
        seconds=size.seconds,
        most=10_000,
        pause_s=_CLOSED_CONNECTIONS * size.pace_s / size.users,
    )
    return msgspec.json.decode(await told("bench.client", plan, size.seconds + 30), type=client.Seen).latencies_ms
