"""What the harness itself takes of the machine at 500 users: harness, load and probes, in the measuring window."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec
import psutil

from bench import clock
from bench.processes import ROOT, cpu_s, environment
from bench.result import Figure, Result
from harness.evidence.store import EVIDENCE, read_rows
from harness.model.evidence import EventRow, Window
from harness.rehearsals.rollout.observed import observed

LIMIT_CORES = 0.3
ENDS_WITHIN_S = 300.0
_EVERY_S = 0.25
_PARTS = {"load": "harness.load.locust_main", "probes": "harness.load.probes_main"}


class _Reading(msgspec.Struct, frozen=True):
    at_ns: int
    cpu_s: dict[str, float]


async def bench(folder: Path, window: str = "30s") -> Result:
    """Rehearses week 3 and samples. Raises ``RuntimeError`` when the run did not come to a report."""
    reports = folder / "reports"
    command = ["-m", "harness", "run", "rollout_week3", "--window", window, "--reports", str(reports)]
    log = folder / "run.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=ROOT, env=environment(), stdin=asyncio.subprocess.DEVNULL, stdout=file,
            stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(ENDS_WITHIN_S):
            readings = await _readings(process)
    finally:
        await _interrupted(process)
    found = sorted(reports.glob("*/result.json"))
    if not found:
        raise RuntimeError(f"the run left no report:\n{log.read_text()[-2000:]}")
    return _result(window_of(found[-1].parent), readings, window)


async def _readings(process: asyncio.subprocess.Process) -> list[_Reading]:
    """Until the run ends."""
    harness = psutil.Process(process.pid)
    parts = {"harness": harness}
    readings = []
    while process.returncode is None:
        with contextlib.suppress(psutil.Error):
            for child in harness.children() if len(parts) <= len(_PARTS) else []:
                words = child.cmdline()
                parts |= {name: child for name, module in _PARTS.items() if module in words}
        readings.append(_Reading(clock.now_ns(), {name: cpu_s(part) for name, part in parts.items()}))
        await clock.pause(_EVERY_S)
    return readings


async def _interrupted(process: asyncio.subprocess.Process) -> None:
    """A run that is still under way is told to tear down, and given time to."""
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(60):
                await process.wait()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def window_of(folder: Path) -> Window:
    """The measuring window of a stored week, as its events say."""
    return observed([row for row in read_rows(folder / EVIDENCE) if isinstance(row, EventRow)]).window


def _result(measured: Window, readings: list[_Reading], window: str) -> Result:
    within = [
        reading
        for reading in readings
        if measured.start_ns <= reading.at_ns <= measured.end_ns and len(reading.cpu_s) == 3
    ]
    if len(within) < 2:
        raise RuntimeError("no readings in the measuring window")
    first, last = within[0], within[-1]
    seconds = (last.at_ns - first.at_ns) / 1e9
    cores = {name: (last.cpu_s[name] - first.cpu_s[name]) / seconds for name in last.cpu_s}
    whole = Figure(
        name="harness + load + probes", value=sum(cores.values()), unit="cores", limit=LIMIT_CORES,
        note=f"over {seconds:.0f} s",
    )  # fmt: skip
    parts = (Figure(name=name, value=value, unit="cores") for name, value in cores.items())
    return Result(name="harness", how=f"rollout_week3, 500 users, window {window}", figures=(whole, *parts))
