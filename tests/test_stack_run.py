"""The frame of the commands with one stack: how a run ends, whatever became of it, and what its report says of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.clock import MachineClock
from harness.model.errors import Exit, PartDied
from harness.model.evidence import EventRow, SampleRow, happened
from harness.model.run_report import RunReport
from harness.model.stack import Capability, Rung
from harness.model.verdict import Verdict
from harness.options import RunOptions
from harness.progress import Progress
from harness.stack_run import StackRun
from harness.targets import ROOT, bundled
from scenarios.load import load


class Empty:
    """A stack of nothing, which tells one row, and may have a part that dies or something left."""

    capabilities = frozenset({Capability.EVICTION, Capability.AUTOSCALING})

    def __init__(self, told: list[str], dies: bool, left: list[str]) -> None:
        self._told = told
        self._dies = dies
        self._left = left

    async def watch(self) -> AsyncIterator[EventRow | SampleRow]:
        yield happened(5, "component", "part", "runs", {})
        if self._dies:
            raise PartDied("part died")
        await asyncio.Event().wait()

    async def down(self) -> None:
        self._told.append("down")

    def leaks(self) -> list[str]:
        return self._left


class Plain(StackRun[RunReport]):
    """Waits for the stack's row, then does as it is told."""

    def __init__(
        self,
        folder: Path,
        *,
        verdicts: tuple[Verdict, ...] = (Verdict.PASS,),
        dies: bool = False,
        left: tuple[str, ...] = (),
        broken_end: bool = False,
    ) -> None:
        options = RunOptions(
            scenario=load("rollout_week3"), scenario_name="rollout_week3", rung=Rung.LOCAL, target=bundled(), seed=7,
            reports=folder, manifests=ROOT / "deploy" / "kubernetes" / "overlays" / "local",
        )  # fmt: skip
        clock = MachineClock()
        super().__init__("plain", options, clock, Progress(clock), replay="again")
        self.told: list[str] = []
        self.rows: list[EventRow | SampleRow] = []
        self._seen = asyncio.Event()
        self._verdicts = verdicts
        self._dies = dies
        self._broken_end = broken_end
        self.stack: Any = Empty(self.told, dies, list(left))

    async def flow(self) -> None:
        await self._seen.wait()
        if self._dies:
            await asyncio.Event().wait()
        self.mark("seen")

    def saw(self, row: EventRow | SampleRow) -> None:
        self.rows.append(row)
        self._seen.set()

    def endings(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return self._end, self._other_end

    def document(self) -> RunReport:
        return RunReport(**self.facts(3, self._verdicts))

    def write(self, report: RunReport) -> None:
        (self.folder / "plain.json").write_bytes(msgspec.json.encode(report))

    async def _end(self) -> None:
        self.told.append("end")
        if self._broken_end:
            raise PartDied("the load is gone")

    async def _other_end(self) -> None:
        self.told.append("other end")


async def test_the_endings_run_in_order_and_the_report_is_written(tmp_path: Path) -> None:
    run = Plain(tmp_path)
    report = await run.run()
    assert run.told == ["end", "other end", "down"]
    assert [row.subject for row in run.rows] == ["part"]
    assert (report.exit_status, report.errors, report.leaks) == (Exit.OK, (), ())
    assert report.capabilities == ("autoscaling", "eviction")
    assert set(report.timings) == {"seen", "tear_down"}
    assert msgspec.json.decode((run.folder / "plain.json").read_bytes(), type=RunReport) == report
    assert (tmp_path / "latest").resolve() == run.folder
    assert (run.folder / "evidence.sqlite").exists()


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((), Exit.HOLD),  # nothing was exercised
        ((Verdict.NOT_EXERCISED,), Exit.HOLD),
        ((Verdict.PASS,), Exit.OK),
        ((Verdict.ERRATUM_SHOWN, Verdict.NOT_EXERCISED), Exit.OK),
        ((Verdict.PASS, Verdict.NOT_EXERCISED), Exit.OK),
        ((Verdict.PASS, Verdict.FAIL), Exit.HOLD),
        ((Verdict.INCONCLUSIVE,), Exit.HOLD),
    ],
)
async def test_a_verdict_that_is_not_passed_holds(
    verdicts: tuple[Verdict, ...], expected: Exit, tmp_path: Path
) -> None:
    assert (await Plain(tmp_path, verdicts=verdicts).run()).exit_status == expected


async def test_a_part_that_dies_ends_the_flow_and_everything_is_still_taken_down(tmp_path: Path) -> None:
    run = Plain(tmp_path, dies=True, verdicts=(Verdict.FAIL,), broken_end=True)
    report = await run.run()
    assert run.told == ["end", "other end", "down"]
    assert [error.partition("\n")[0] for error in report.errors] == ["part died", "the load is gone"]
    assert report.exit_status == PartDied.exit


async def test_what_is_left_is_the_exit_status(tmp_path: Path) -> None:
    report = await Plain(tmp_path, left=("a port",), verdicts=(Verdict.FAIL,)).run()
    assert (report.leaks, report.exit_status) == (("a port",), Exit.LEAK)


async def test_an_interrupted_run_is_reported(tmp_path: Path) -> None:
    run = Plain(tmp_path)
    run._seen = asyncio.Event()
    working = asyncio.ensure_future(run.run())
    run.saw = lambda row: None  # type: ignore[method-assign]
    await asyncio.sleep(0.05)
    run.interrupt()
    report = await working
    assert report.exit_status == Exit.INTERRUPTED and run.told == ["end", "other end", "down"]
