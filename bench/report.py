"""How long the reports of a run of 100,000 requests take: ``result.json``, JUnit, Markdown, HTML."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench import clock
from bench.processes import told
from bench.result import Figure, Result
from harness.model.evidence import RequestRow
from harness.report.write_all import write_reports
from harness.rules import register

LIMIT_S = 3.0
MADE_WITHIN_S = 60.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``users`` ask every ``pace_s`` for ``window_s``."""

    folder: str
    users: int
    pace_s: float
    window_s: float
    rounds: int


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, one for each time that the reports were written."""

    requests: int
    seconds: list[float]


FULL = (500, 2.5, 500.0, 3)
QUICK = (50, 6.0, 120.0, 1)


async def bench(folder: Path, size: tuple[int, float, float, int]) -> Result:
    """In a process of its own, so that what else the bench holds is not in its way."""
    users, pace_s, window_s, rounds = size
    plan = Plan(folder=str(folder / "report"), users=users, pace_s=pace_s, window_s=window_s, rounds=rounds)
    took = msgspec.json.decode(await told("bench.report", plan, MADE_WITHIN_S), type=Took)
    figure = Figure(
        name=f"reports of {took.requests:,} requests",
        value=sorted(took.seconds)[rounds // 2],
        unit="s",
        limit=LIMIT_S if took.requests >= 100_000 else None,
        runs=tuple(took.seconds),
    )
    return Result(name="report", how="result.json, junit.xml, summary.md and report.html of one run", figures=(figure,))


def write(plan: Plan) -> Took:
    """Makes the evidence, then writes the reports of it as often as asked."""
    from tests.rollout import synthetic

    week = synthetic.Week(users=plan.users, pace_s=plan.pace_s, window_s=plan.window_s)
    rows = synthetic.generate(week)
    folder = synthetic.write(Path(plan.folder), rows)
    seconds = []
    for _ in range(plan.rounds):
        result, evidence = synthetic.judged_result(week, rows)
        began_ns = clock.now_ns()
        drawn = synthetic.drawn(week, result, evidence)
        write_reports(folder, drawn, register.bundled().claims)
        seconds.append((clock.now_ns() - began_ns) / 1e9)
    return Took(requests=sum(isinstance(row, RequestRow) for row in rows), seconds=seconds)


if __name__ == "__main__":
    import sys

    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(write(given)))
