"""How long the judge takes each second of a window, with 100,000 rows in its ledger: the run asks it once a second."""

from __future__ import annotations

from pathlib import Path

from bench import clock
from bench.result import Figure, Result

LIMIT_S = 0.2
FULL = (500, 2.5, 550.0, 5)
QUICK = (20, 45.0, 330.0, 1)


async def bench(_: Path, size: tuple[int, float, float, int]) -> Result:
    """All criteria of the four weeks; ``size`` is users, seconds between a user's requests, those of the window, and
    how often is asked.

    One row more comes before each, as in a run: what is asked each second, not the whole of it, is measured.
    """
    from harness.rules.criteria import judge
    from tests.rules.evidence import every_criterion, healthy, ledger, probe, window

    users, pace_s, window_s, rounds = size
    of = every_criterion(users=users, pace_s=pace_s, window_s=window_s)
    book, span = ledger(*healthy(of)), window(of)
    judge(of, book, span, span.end_ns)
    rows = len(book.requests) + len(book.probes)
    seconds = []
    for number in range(rounds):
        begun_ns = clock.now_ns()
        book.add(probe(1, number=number))
        judge(of, book, span, span.end_ns)
        seconds.append((clock.now_ns() - begun_ns) / 1e9)
    figure = Figure(
        name=f"a verdict over {rows:,} rows",
        value=min(seconds),
        unit="s",
        limit=LIMIT_S if rows > 100_000 else None,
        runs=tuple(seconds),
        note="the least of them: what else the machine does only adds",
    )
    return Result(name="judge", how="all criteria of the four weeks on a growing ledger", figures=(figure,))
