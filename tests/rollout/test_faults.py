"""A run's faults: planted is what the stack has let in, and one that fails is never silent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from harness.base.clock import NS, MachineClock
from harness.base.errors import PartDied
from harness.base.progress import Progress
from harness.model.evidence import EventRow, ProbeRow, Window
from harness.model.judgement import Decision, Kind
from harness.model.scenario import Comparison, Criterion, Metric
from harness.model.section import Pairs
from harness.model.stack import Fault, FaultKind
from harness.rehearsals.rollout.observed import WeekDetails
from harness.rehearsals.rollout.week import Planting
from harness.stack.sim.stack import MemoryStack
from tests.sim.week import Week, cut, few, of_users, seldom_probed, table, week

ANY = Criterion(id="ours", kind=Kind.CRITERION, metric=Metric.AVAILABILITY, comparison=Comparison.ABOVE, threshold=0.5)
NOW = Fault(kind=FaultKind.ERRORS, share=0.12)
LATER = Fault(kind=FaultKind.ERRORS, share=0.12, after_s=60)


class FaultProxy:
    """A stack as far as faults go."""

    def __init__(self, error: Exception | None = None, holds_s: float = 0.0) -> None:
        self.error, self.holds_s = error, holds_s

    async def inject(self, fault: Fault) -> Any:
        try:
            await asyncio.sleep(self.holds_s)
        except asyncio.CancelledError:
            if self.error is not None:
                raise self.error from None
            raise
        if self.error is not None:
            raise self.error
        return None


class Host:
    """A run as far as faults go."""

    def __init__(self, stack: FaultProxy) -> None:
        self.stack = stack
        self.clock = MachineClock()
        self.progress = Progress(self.clock)
        self.details = WeekDetails()
        self.ends: list[Any] = []
        self.add_finalizer = self.ends.append

    def say(self, text: str) -> None:
        self.progress(text)


def planned(found: Week) -> str:
    """What the head of the page says of the faults."""
    pairs = next(each.pairs for each in found.run.sections if isinstance(each, Pairs))
    return "; ".join(f"{name}: {cell}" for name, cell in pairs)


def planting(stack: FaultProxy, *faults: Fault, window_s: float = 60.0) -> tuple[Planting, Host]:
    """Of a window that begins now."""
    host = Host(stack)
    made, now_ns = Planting(faults, cast("Any", host)), host.clock.now_ns()
    made.begin(Window(start_ns=now_ns, end_ns=now_ns + round(window_s * NS)))
    return made, host


async def test_planted_is_said_only_of_faults_that_were() -> None:
    made, host = planting(FaultProxy(), NOW, LATER)
    await asyncio.sleep(0.05)
    assert host.details.planted == (NOW,)
    await made.end()
    assert host.details.planted == (NOW,)
    assert len(host.ends) == 1, "it is undone before the stack goes, however the run ends"


async def test_a_fault_that_the_stack_refuses_was_not_planted() -> None:
    made, host = planting(FaultProxy(PartDied("the fault proxy has ended")), NOW)
    await asyncio.sleep(0.05)
    with pytest.raises(PartDied):
        made.look()
    assert not host.details.planted


async def test_one_that_fails_as_the_window_ends_is_not_silent() -> None:
    made, _ = planting(FaultProxy(PartDied("the fault proxy has ended"), holds_s=0.2), NOW)
    await asyncio.sleep(0.05)
    with pytest.raises(PartDied, match="the fault proxy has ended"):
        await made.end()


async def test_one_that_never_comes_to_its_end_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.rehearsals.rollout.week.LIMIT_S", 0.1)
    made, host = planting(FaultProxy(holds_s=60), NOW)
    await asyncio.sleep(0.05)
    with pytest.raises(PartDied, match=r"neither injected nor undone within 0.1 s of the window's end"):
        await made.end()
    assert not host.details.planted


BRIEF = Fault(kind=FaultKind.ERRORS, share=0.12, for_s=0.1)


class Undoing(FaultProxy):
    """Remembers what was injected and undone, slowly."""

    def __init__(self, takes_s: float = 0.0, holds_s: float = 0.0) -> None:
        super().__init__(holds_s=holds_s)
        self.takes_s, self.injected, self.undone = takes_s, 0, 0

    async def inject(self, fault: Fault) -> Any:
        await super().inject(fault)
        self.injected += 1

        async def undo() -> None:
            await asyncio.sleep(self.takes_s)
            self.undone += 1

        return undo


async def test_a_fault_with_a_length_ends_within_the_window() -> None:
    stack = Undoing()
    made, host = planting(stack, BRIEF)
    await asyncio.sleep(0.05)
    assert (stack.undone, host.details.planted) == (0, (BRIEF,))
    await asyncio.sleep(0.1)
    assert stack.undone == 1
    await made.end()


async def test_one_without_a_length_is_left_to_the_endings() -> None:
    stack = Undoing()
    made, host = planting(stack, NOW, NOW)
    await asyncio.sleep(0.05)
    await made.end()
    assert (stack.undone, len(host.ends)) == (0, 2)
    await made.undo()
    assert stack.undone == 2


async def test_what_is_being_undone_as_the_window_ends_is_undone_whole() -> None:
    stack = Undoing(takes_s=0.2)
    made, _ = planting(stack, BRIEF)
    await asyncio.sleep(0.2)  # it is undoing
    await made.end()
    assert stack.undone == 1


@pytest.mark.parametrize("way", ["closed", "window over"])
async def test_what_is_being_injected_as_the_window_ends_is_whole_undone_and_told(
    way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cancelled half-way it would be half planted, and nobody would undo it."""
    stack = Undoing(holds_s=0.2)
    made, host = planting(stack, NOW, window_s=60.0 if way == "closed" else 0.1)
    await asyncio.sleep(0.05)
    if way == "closed":
        await made.end()
    else:
        await asyncio.sleep(0.2)
        made.look()
    assert (stack.injected, stack.undone, host.details.planted) == (1, 1, ())
    assert "injected only after the window had ended, and undone" in capsys.readouterr().err


def test_a_window_without_the_fault_that_its_plan_names_shows_nothing_of_it(tmp_path: Path) -> None:
    """The injection takes longer than the window has left: what was measured knows no fault, and the week holds."""
    fault = Fault(kind=FaultKind.ERRORS, share=0.01, after_s=7.9)
    plan = msgspec.structs.replace(few(table(3), window_s=8.0), criteria=(ANY,), claims=())
    found = week(tmp_path, plan, faults=(fault,))
    assert found.run.decision is Decision.ADVANCE, found.why
    (tmp_path / "late").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        inject = MemoryStack.inject

        async def slowly(self: MemoryStack, fault: Fault) -> Any:
            await self.world.clock.sleep(0.5)
            return await inject(self, fault)

        patched.setattr(MemoryStack, "inject", slowly)
        found = week(tmp_path / "late", plan, faults=(fault,))
    assert found.run.decision is Decision.HOLD, found.why
    assert "the run left no word that it was injected in the window: errors on" in found.told["faults"].reason
    assert found.observed.decision is not None and found.observed.decision.subject == Decision.HOLD
    assert "errors" not in planned(found)


def test_a_week_in_which_a_fault_ends(tmp_path: Path) -> None:
    fault = Fault(kind=FaultKind.ERRORS, share=0.5, after_s=2, for_s=3)
    plan = msgspec.structs.replace(few(table(3), window_s=8.0), criteria=(ANY,))
    found = week(tmp_path, plan, faults=(fault,))
    start_ns = found.window.start_ns
    moments = [(row.at_ns - start_ns) / NS for row in found.rows if isinstance(row, EventRow) and row.kind == "fault"]
    assert moments == [pytest.approx(2.0, abs=0.2), pytest.approx(5.0, abs=0.2)]
    failed = [(row.due_ns - start_ns) / NS for row in found.rows if isinstance(row, ProbeRow) and not row.good]
    assert failed and all(1.9 < at_s < 5.1 for at_s in failed)
    assert "2 s into the window, for 3 s" in planned(found)


async def test_one_whose_time_comes_while_the_week_rolls_back_is_not_planted() -> None:
    made, host = planting(FaultProxy(), msgspec.structs.replace(NOW, after_s=0.05))
    made.close()
    await asyncio.sleep(0.1)
    await made.end()
    assert (host.details.planted, host.ends) == ((), [])


def test_a_week_that_rolls_back_plants_no_fault_of_the_window_that_it_ended(tmp_path: Path) -> None:
    """The switch to Firestore takes longer than the window had to go."""
    early = Fault(kind=FaultKind.UNAVAILABLE, after_s=1)
    late = Fault(kind=FaultKind.LATENCY, delay_ms=50.0, after_s=15)
    limit = msgspec.structs.replace(ANY, id="limit", kind=Kind.ROLLBACK_LIMIT, comparison=Comparison.BELOW)
    some = seldom_probed(of_users(cut(table(3), window_s=20.0, fetch_interval_s=5.0), one_in=10))
    plan = msgspec.structs.replace(some, criteria=(ANY, limit))
    found = week(tmp_path, plan, faults=(early, late))
    assert found.run.decision is Decision.ROLL_BACK, found.why
    over_s = max(row.done_ns for row in found.rows if isinstance(row, ProbeRow)) - found.window.start_ns
    assert found.window.seconds < 15 < over_s / NS, "its time came, and the window was over"
    injected = [row.message for row in found.rows if isinstance(row, EventRow) and row.kind == "fault"]
    assert injected and not any("latency" in each for each in injected)
    assert "latency" not in planned(found)
