"""The benches by name, full and quick."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path

from bench import cluster, framework, harness_cpu, judging, migration, recorder, report, side_by_side, stall
from bench.result import Result

Bench = Callable[[Path], Coroutine[object, None, Result]]
FULL: dict[str, Bench] = {
    "api": lambda folder: side_by_side.bench(folder, side_by_side.FULL),
    "recorder": lambda folder: recorder.bench(folder, recorder.FULL),
    "report": lambda folder: report.bench(folder, report.FULL),
    "judge": lambda folder: judging.bench(folder, judging.FULL),
    "stall": lambda folder: stall.bench(folder, stall.FULL),
    "framework": lambda folder: framework.bench(folder, framework.FULL),
    "migration": lambda folder: migration.bench(folder, migration.FULL),
    "harness": harness_cpu.bench,
}
#: Only when named: they need more than Python.
NAMED: dict[str, Bench] = {"cluster": cluster.bench}
#: Too short to say anything of speed; shows that everything runs, and that API and twin answer alike.
QUICK: dict[str, Bench] = {
    "api": lambda folder: side_by_side.bench(folder, side_by_side.QUICK),
    "recorder": lambda folder: recorder.bench(folder, recorder.QUICK),
    "report": lambda folder: report.bench(folder, report.QUICK),
    "judge": lambda folder: judging.bench(folder, judging.QUICK),
    "stall": lambda folder: stall.bench(folder, stall.QUICK),
    "framework": lambda folder: framework.bench(folder, framework.QUICK),
    "migration": lambda folder: migration.bench(folder, migration.QUICK),
}
