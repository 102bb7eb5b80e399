"""``conduct``: how a run ends, whatever became of it, and what its result says."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import msgspec
import pytest

from harness.base import machine
from harness.base.clock import utc
from harness.base.errors import EvidenceNotWritten, Exit, PartDied
from harness.evidence import failure
from harness.evidence.failure import LOG_LINE
from harness.evidence.store import stored
from harness.model.evidence import BUSY, MACHINE, WAITED, EventRow, Outcome, ProbeRow, SampleRow, happened
from harness.model.judgement import Decision, Judgement, Verdict
from harness.model.message import Message
from harness.model.result import Part, Result
from harness.model.section import Section, Table
from harness.report.published import RESULT
from harness.run.context import RunContext
from harness.run.rehearsal import RunRecord
from harness.run.result import details_of, judged
from harness.run.runner import Environment
from harness.stack.state.lease import remove_run_folder, run_folder
from tests.rehearsal.empty import Empty, conductor
from tests.rehearsal.stand_in import StandIn, StandInDetails, StandInPlan


def reasons(result: Result) -> dict[str, str]:
    return {each.id: each.reason for each in result.judgements}


async def test_a_run_is_judged_and_everything_of_it_is_stored(tmp_path: Path) -> None:
    stack = Empty()
    run = conductor(tmp_path, stack)
    result = await run.run()
    assert stack.told == ["up", "down"]
    assert (result.decision, result.exit_status) == (Decision.ADVANCE, Exit.OK)
    assert reasons(result) == {"stand_in.rows": "1 rows came"}
    assert (result.facts.errors, result.facts.leaks, result.facts.seed) == ((), (), 7)
    assert result.facts.capabilities == ("autoscaling", "eviction") and result.facts.environment == "staging"
    assert set(result.facts.timings) == {"stack_up", "tear_down"}
    assert RESULT.read(run.folder / "result.json") == result
    assert (tmp_path / "latest").resolve() == run.folder
    kept = {"evidence.sqlite", "machine.json", "manifests.json", "plan.json", "result.json"}
    assert kept <= {path.name for path in run.folder.iterdir()}


async def test_the_stored_run_is_judged_again_to_the_same(tmp_path: Path) -> None:
    run = conductor(tmp_path, Empty(rows=3), plan=StandInPlan(at_least=3))
    result = await run.run()
    stand_in = StandIn()
    details: StandInDetails = details_of(stand_in, result)
    seen = RunRecord(facts=result.facts, details=details, evidence=stored(run.folder), judgements=result.judgements)
    assert judged(stand_in, StandInPlan(at_least=3), seen) == result.judgements
    assert list(stand_in.sections(StandInPlan(), seen)) == list(result.sections)


async def test_a_run_says_what_keeps_it_from_being_the_bundled_plan_whole(tmp_path: Path) -> None:
    run = conductor(tmp_path, Empty())
    assert (run.options.only, run.options.own) == ((), ())
    run.options = msgspec.structs.replace(run.options, only=("manual",), own=("--quick",))
    facts = (await run.run()).facts
    assert (facts.only, facts.own, facts.injected) == (("manual",), ("--quick",), ())


async def test_too_few_rows_fail_and_hold(tmp_path: Path) -> None:
    result = await conductor(tmp_path, Empty(), plan=StandInPlan(at_least=2, within_s=0.1)).run()
    assert (result.decision, result.exit_status) == (Decision.HOLD, Exit.HOLD)
    assert [each.verdict for each in result.judgements] == [Verdict.FAIL]


class Silent(StandIn):
    """Judges nothing."""

    def judge(self, plan: StandInPlan, seen: RunRecord[StandInDetails]) -> Iterable[Judgement]:
        _ = plan, seen
        return ()


async def test_a_claim_that_nobody_judges_is_told_and_holds(tmp_path: Path) -> None:
    result = await conductor(tmp_path, Empty(), Silent()).run()
    assert (result.decision, result.exit_status) == (Decision.HOLD, Exit.HOLD)
    assert reasons(result) == {"stand_in.rows": "not in evidence: the run left nothing to judge it by"}


async def test_a_run_that_promises_and_judges_nothing_holds(tmp_path: Path) -> None:
    result = await conductor(tmp_path, Empty(), Silent(), StandInPlan(at_least=0)).run()
    assert (result.decision, result.exit_status, result.exercised) == (Decision.HOLD, Exit.HOLD, False)


class Twice(StandIn):
    """Judges one thing twice: a mistake of whoever wrote it."""

    def judge(self, plan: StandInPlan, seen: RunRecord[StandInDetails]) -> Iterable[Judgement]:
        return [*super().judge(plan, seen)] * 2


class Undrawable(StandIn):
    """Its sections fail."""

    def sections(self, plan: StandInPlan, seen: RunRecord[StandInDetails]) -> Iterable[Section]:
        raise ZeroDivisionError(str((plan, seen)))


class Untitled(StandIn):
    """Its title fails."""

    def title(self, plan: StandInPlan) -> Message:
        raise ZeroDivisionError(str(plan))


class Unparted(StandIn):
    """Its parts fail."""

    def parts(self, plan: StandInPlan, seen: RunRecord[StandInDetails]) -> Sequence[Part]:
        _ = seen
        raise ZeroDivisionError(str(plan))


@pytest.mark.parametrize("stand_in", [Twice(), Undrawable(), Untitled(), Unparted()])
async def test_a_mistake_in_what_is_asked_of_a_rehearsal_costs_no_report_and_is_no_success(
    stand_in: StandIn, tmp_path: Path
) -> None:
    run = conductor(tmp_path, Empty(), stand_in)
    result = await run.run()
    assert (result.decision, result.exit_status) == (None, Exit.INTERNAL)
    (error,) = result.facts.errors
    assert "internal error" in error
    assert RESULT.read(run.folder / "result.json") == result
    assert (run.folder / "report.html").is_file()


@pytest.mark.parametrize(
    "full",
    [
        OSError(errno.ENOSPC, "No space left on device", "/cache/lease.json.new"),
        OSError(errno.EROFS, "Read-only file system"),
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
    ],
)
async def test_a_disk_that_fills_up_anywhere_is_no_mistake_of_ours(full: OSError, tmp_path: Path) -> None:
    """The lease, a copy of the database's template, a log: whoever writes there need not look for it."""

    class Full(Empty):
        async def up(self) -> None:
            raise full

    result = await conductor(tmp_path, Full()).run()
    assert (result.decision, result.exit_status) == (None, Exit.RUN_BROKEN)
    (error,) = result.facts.errors
    assert "a disk is full" in error and "to do: make room" in error


async def test_a_part_that_dies_ends_the_run_and_everything_is_still_taken_down(tmp_path: Path) -> None:
    stack = Empty(dies=True)
    result = await conductor(tmp_path, stack, plan=StandInPlan(at_least=9)).run()
    assert stack.told == ["up", "down"]
    assert [error.partition("\n")[0] for error in result.facts.errors] == ["part died"]
    assert tuple(map(str, result.facts.errors_told)) == result.facts.errors
    assert (result.decision, result.exit_status) == (None, PartDied.exit)


class Ending(StandIn):
    """Has three endings, of which the second breaks; each says that it ran."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
        async def step(name: str, *, breaks: bool = False) -> None:
            self.told.append(name)
            if breaks:
                raise PartDied("the load is gone")

        on.add_finalizer(lambda: step("first"))
        on.add_finalizer(lambda: step("second", breaks=True))
        on.add_finalizer(lambda: step("third"))
        await super().run(plan, on)


async def test_the_endings_run_last_first_each_whatever_became_of_the_others(tmp_path: Path) -> None:
    stand_in, stack = Ending(), Empty()
    result = await conductor(tmp_path, stack, stand_in).run()
    assert stand_in.told == ["third", "second", "first"] and stack.told == ["up", "down"]
    assert (result.decision, result.exit_status) == (None, PartDied.exit)


async def test_what_is_left_is_the_exit_status(tmp_path: Path) -> None:
    result = await conductor(tmp_path, Empty(left=("a port",))).run()
    assert (result.facts.leaks, result.decision, result.exit_status) == (("a port",), Decision.ADVANCE, Exit.LEAK)


class Recorded(Empty):
    """Looks, as the leak check of a stack does, at what stands in the run's folder."""

    folder: Path

    async def up(self) -> None:
        await super().up()
        self.folder.mkdir(parents=True)
        (self.folder / "part").write_text("runs on")

    def leaks(self) -> list[str]:
        return [f"part {path.read_text()}" for path in self.folder.glob("part")]


async def test_what_is_left_is_looked_for_while_the_runs_folder_is_there_and_the_next_command_finds_it(
    tmp_path: Path,
) -> None:
    stack = Recorded()
    run = conductor(tmp_path, stack)
    stack.folder = run_folder(run.run_id)
    result = await run.run()
    assert (result.facts.leaks, result.exit_status) == (("part runs on",), Exit.LEAK)
    assert (run_folder(run.run_id) / "part").is_file()
    remove_run_folder(run.run_id)


async def test_what_is_told_while_the_endings_run_is_evidence_and_what_the_tear_down_tells_is_none(
    tmp_path: Path,
) -> None:
    class Late(Empty):
        """Tells a second row when it is asked to, and then fails."""

        def __init__(self) -> None:
            super().__init__()
            self.ending, self.going, self.dies = asyncio.Event(), asyncio.Event(), False

        async def watch(self) -> AsyncIterator[EventRow | SampleRow]:
            yield happened(5, "component", "part 0", "runs", {})
            await self.ending.wait()
            yield happened(6, "component", "part 0", "ends", {})
            if self.dies:
                raise PartDied("part died")
            await self.going.wait()
            yield happened(7, "component", "part 0", "killed in the tear down", {})

        async def down(self) -> None:
            self.going.set()
            await asyncio.sleep(0.01)
            await super().down()

    class LateEnding(StandIn):
        async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
            async def ending() -> None:
                stack.ending.set()
                await asyncio.sleep(0.01)

            on.add_finalizer(ending)
            await super().run(plan, on)

    stack = Late()
    run = conductor(tmp_path / "good", stack, LateEnding())
    assert (await run.run()).exit_status == Exit.OK
    assert [row.message for row in stored(run.folder).events if row.kind == "component"] == ["runs", "ends"]
    stack = Late()
    stack.dies = True
    result = await conductor(tmp_path / "bad", stack, LateEnding()).run()
    assert (result.facts.errors, result.exit_status) == (("part died",), Exit.RUN_BROKEN)
    assert stack.told == ["up", "down"]


async def test_what_fails_beside_a_rehearsal_as_it_ends_breaks_the_run(tmp_path: Path) -> None:
    """It passed in silence: the rehearsal was whole, and nobody read what its ending had to undo."""

    class Undoing(StandIn):
        async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
            async def beside() -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    raise PartDied("it could not be undone")

            on.run_in_background(beside())
            await super().run(plan, on)

    result = await conductor(tmp_path, Empty(), Undoing()).run()
    assert (result.facts.errors, result.exit_status) == (("it could not be undone",), Exit.RUN_BROKEN)
    assert result.decision is None


async def test_a_mistake_beside_a_rehearsal_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends the rehearsal, and is read again at its end."""

    class Mistaken(StandIn):
        async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
            async def beside() -> None:
                raise ZeroDivisionError

            on.run_in_background(beside())
            await asyncio.Event().wait()

    result = await conductor(tmp_path, Empty(), Mistaken()).run()
    assert len(result.facts.errors) == 1 and result.exit_status == Exit.INTERNAL
    assert capsys.readouterr().err.count("Traceback") == 1


async def test_what_a_run_holds_besides_is_taken_down_before_the_stack_and_looked_for(tmp_path: Path) -> None:
    order: list[str] = []

    class Named(Empty):
        def __init__(self, name: str, left: Sequence[str] = ()) -> None:
            super().__init__(left=left)
            self._name = name

        async def down(self) -> None:
            order.append(self._name)

    class Holding(StandIn):
        async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
            on.register_cleanup(Named("database", left=("a folder",)))
            await super().run(plan, on)

    result = await conductor(tmp_path, Named("stack", left=("a port",)), Holding()).run()
    assert order == ["database", "stack"]
    assert (result.facts.leaks, result.exit_status) == (("a folder", "a port"), Exit.LEAK)


async def test_the_last_evidence_is_gathered_before_the_stack_takes_the_spools_along(tmp_path: Path) -> None:
    spool = tmp_path / "load.jsonl"

    class Sweeping(Empty):
        async def down(self) -> None:
            spool.unlink()

    class Loaded(StandIn):
        async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
            await super().run(plan, on)
            spool.write_text("")
            on.evidence.follow([spool])
            on.evidence.gather()

    result = await conductor(tmp_path, Sweeping(), Loaded()).run()
    assert (result.facts.errors, result.exit_status) == ((), Exit.OK)


async def test_an_interrupted_run_is_reported_with_what_it_had_learned(tmp_path: Path) -> None:
    stack = Empty()
    run = conductor(tmp_path, stack, plan=StandInPlan(at_least=2, within_s=60))
    working = asyncio.ensure_future(run.run())
    await stack.is_up.wait()
    await asyncio.sleep(0.05)
    run.interrupt()
    result = await working
    assert (result.decision, result.exit_status) == (None, Exit.INTERRUPTED)
    assert stack.told == ["up", "down"]
    assert reasons(result) == {"stand_in.rows": "1 rows came"}


async def test_a_claim_that_an_interrupted_run_did_not_come_to_says_so(tmp_path: Path) -> None:
    begun = asyncio.Event()

    class Slow(StandIn):
        async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
            _ = plan, on
            begun.set()
            await asyncio.Event().wait()

    run = conductor(tmp_path, Empty(), Slow())
    working = asyncio.ensure_future(run.run())
    await begun.wait()
    run.interrupt()
    assert reasons(await working) == {"stand_in.rows": "not in evidence: the run ended before it was judged"}


async def test_an_error_of_the_measurement_holds(tmp_path: Path) -> None:
    class Stepped(StandIn):
        async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
            await super().run(plan, on)
            on.evidence.event(on.clock.now_ns(), "measurement_error", "clock", "it was set")

    result = await conductor(tmp_path, Empty(), Stepped()).run()
    assert (result.decision, result.exit_status) == (Decision.HOLD, Exit.HOLD)
    assert reasons(result)["measurement"] == "the measurement failed: clock: it was set"


async def test_a_disk_that_refuses_the_report_is_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise EvidenceNotWritten("the report could not be written: no space left")

    monkeypatch.setattr("harness.run.runner.write_reports", refused)
    result = await conductor(tmp_path, Empty()).run()
    assert (result.decision, result.exit_status) == (None, Exit.RUN_BROKEN)
    assert "no space left" in result.facts.errors[0]


async def test_pages_of_a_run_that_could_not_be_reported_whole_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written before the link to the latest run, which is what was refused."""

    def refused(*_: object) -> None:
        raise EvidenceNotWritten("latest could not be written: it is a folder")

    monkeypatch.setattr("harness.run.runner.point_latest", refused)
    run = conductor(tmp_path, Empty())
    result = await run.run()
    assert (result.decision, result.exit_status) == (None, Exit.RUN_BROKEN)
    page = (run.folder / "summary.md").read_text()
    assert "it is a folder" in page and "Not finished" in page


async def test_how_the_machine_s_processors_are_shared_is_evidence_where_its_kernel_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "waited_s", lambda: 12.5)
    monkeypatch.setattr(machine, "stolen_s", lambda: None)
    run = conductor(tmp_path, Empty(), counted=Environment().processors())
    await run.run()
    counted = [(row.metric, row.subject, row.value) for row in stored(run.folder).samples if row.subject == MACHINE]
    assert (counted[0], [name for name, _, _ in counted]) == ((WAITED, MACHINE, 12.5), [WAITED, BUSY])


class Failing(StandIn):
    """A probe fails, and a pod says why; too few rows come."""

    async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
        await on.up()
        now_ns = on.clock.now_ns()
        on.evidence.add([
            ProbeRow(
                probe_id=1, user="c", method="GET", due_ns=now_ns, sent_ns=now_ns, done_ns=now_ns, status=500,
                outcome=Outcome.SERVER_ERROR,
            )
        ])  # fmt: skip
        (on.folder / "logs").mkdir(exist_ok=True)
        (on.folder / "logs" / "pod-1.log").write_text(f"{utc(on.clock.anchor, now_ns)} ERROR the disk is full\n")
        on.details.rows = 0


async def test_the_log_lines_around_the_first_failure_are_evidence_and_stand_on_the_page_of_a_hold(
    tmp_path: Path,
) -> None:
    run = conductor(tmp_path, Empty(), Failing())
    result = await run.run()
    assert [each.subject for each in stored(run.folder).events if each.kind == LOG_LINE] == ["pod-1.log"]
    cause = result.sections[0]
    assert isinstance(cause, Table) and cause.first
    assert "the disk is full" in str(cause.rows[-1].cells[2])
    assert "the disk is full" in (run.folder / "report.html").read_text("utf-8")


class Chatty(StandIn):
    """A pod writes more than a log may have."""

    async def run(self, plan: StandInPlan, on: RunContext[StandInDetails]) -> None:
        (on.folder / "logs").mkdir(exist_ok=True)
        (on.folder / "logs" / "pod-1.log").write_bytes(bytes(5000))
        await on.up()
        while not any(each.kind == "log_cut" for each in on.evidence.events):
            await on.clock.sleep(0.01)
        on.details.rows = 1


async def test_a_log_without_end_is_cut_and_that_is_told_and_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(failure, "LOG_BYTES", 4096)
    monkeypatch.setattr(failure, "KEPT_BYTES", 1024)
    run = conductor(tmp_path, Empty(), Chatty())
    async with asyncio.timeout(20):
        await run.run()
    assert (run.folder / "logs" / "pod-1.log").stat().st_size == 1024
    assert "pod-1.log was larger" in capsys.readouterr().err
    assert [each.kind for each in stored(run.folder).events if "pod-1.log" in each.message] == ["log_cut"]
