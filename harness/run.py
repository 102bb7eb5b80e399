"""One run, whole and in one direction (ARCHITECTURE.md, "The flow of a run").

preflight -> stack up -> population admitted -> window (load, faults, flag) -> judge -> decision -> (roll back) ->
tear down -> leak check -> report. Evidence is gathered and the rollback limits are judged all the while.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import Any

import msgspec

from harness import machine
from harness.checks.switch_over import switch_over
from harness.clock import NS, Clock, utc
from harness.collect import Collector
from harness.document import first_failure, not_exercised, plan_facts, reasons_told
from harness.evidence.store import EvidenceStore
from harness.invariants import Invariants, switch_over_result
from harness.judge.chance import preflight_sentences
from harness.judge.decision import decide
from harness.judge.errata import of_week
from harness.judge.judge import judge
from harness.judge.summary import summarise
from harness.judge.window import Window
from harness.lifecycle import Lifecycle, open_folder, run_identity
from harness.load.plan import LoadPlan
from harness.load.process import LoadProcesses
from harness.model.due import DueList
from harness.model.errors import EvidenceNotWritten, Exit, RehearsalError, more_severe
from harness.model.evidence import Side
from harness.model.message import Message, Told, message
from harness.model.rollout import off_template, rollout_template
from harness.model.run import SCHEMA_VERSION, Run, SwitchOver
from harness.model.stack import GATE_FAULTS, Fault
from harness.model.units import show
from harness.model.verdict import CheckResult, CriterionKind, CriterionResult, Decision, Verdict
from harness.options import RunOptions
from harness.population.accounts import accounts
from harness.population.due import due_list, requests_due
from harness.progress import Progress
from harness.report.language import language
from harness.report.latest import point_latest
from harness.report.write_all import write_reports
from harness.rungs import manifests_of, stack_for, sweep
from harness.stack.protocol import Stack, Undo
from harness.state.lease import remove_run_folder, run_folder
from scenarios import claims

GATHER_EVERY_S = 0.5
ADMISSION_LIMIT_S = 60.0
LEAD_S = 1.0  # from "go" to the first request, so that no generator begins late
DECISION_EXIT = {Decision.ADVANCE: Exit.OK, Decision.HOLD: Exit.HOLD, Decision.ROLL_BACK: Exit.ROLLED_BACK}


class Rehearsal:
    """One run under way. ``run`` always returns a finished ``Run``, however the run ended."""

    def __init__(self, options: RunOptions, clock: Clock, progress: Progress, started_ns: int) -> None:
        self.options = options
        self.scenario = options.scenario
        self.clock = clock
        self.progress = progress
        self.started_ns = started_ns
        self.run_id = run_identity(clock, options.scenario.name, options.seed)
        self.manifests = manifests_of(options)  # a folder that is refused leaves no folder of a run
        self.folder = open_folder(options.reports, self.run_id)
        self.evidence = Collector(
            EvidenceStore(self.folder / "evidence.sqlite", anchor=clock.anchor, run_id=self.run_id), clock
        )
        self.stack: Stack = stack_for(
            options,
            run_id=self.run_id,
            manifests=self.manifests,
            folder=self.folder,
            clock=clock,
            progress=progress,
            gate=any(fault.kind in GATE_FAULTS for fault in options.faults),
            signals_at_once=options.signals_at_once,
        )
        self.load: LoadProcesses | None = None
        self.window: Window | None = None
        self.due: DueList | None = None  # of the whole window, once it has begun
        self.results: tuple[CriterionResult, ...] = ()
        self.checks: tuple[CheckResult, ...] = ()
        self.judged_ns = 0
        self.decision: Decision | None = None
        self.switched: SwitchOver | None = None
        self.lifecycle = Lifecycle(progress)
        self.leaks: tuple[str, ...] = ()
        self.timings: dict[str, float] = {}
        self.planted: list[Fault] = []  # those that the stack has let in, each an event of its own
        self._undo: list[Undo] = []
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> Run:
        """Runs the flow, tears down whatever came of it, and reports."""
        await self.lifecycle.run(self._supervised())
        await self.lifecycle.finally_(self.tear_down)
        await self.lifecycle.finally_(self.leak_check)
        return self.report()

    def interrupt(self) -> None:
        """Ends the flow at its next wait; tear down and report follow. Harmless once they have begun."""
        self.lifecycle.interrupt()

    # -- the flow ------------------------------------------------------------------------------------------------

    async def flow(self) -> None:
        """The steps in order; each may raise, and tear down always follows."""
        for step in (
            self.preflight,
            self.stack_up,
            self.admit,
            self.hold_window,
            self.await_answers,
            self.conclude,
        ):
            await step()

    async def preflight(self) -> None:
        """Says what the window can and cannot prove, and removes what a killed run left."""
        await sweep(lambda line: self.progress(f"left by a killed run: {line}"))
        for line in preflight_sentences(self.scenario):
            self.progress.plain(f"  {line}")
        self._save("scenario.json", self.scenario)
        self._save("manifests.json", self.manifests)
        self._save("machine.json", machine.describe({"started": utc(self.clock.anchor, self.started_ns)}))

    async def stack_up(self) -> None:
        """Brings the stack up and publishes the scenario's flag."""
        self._phase("stack", message("bringing the stack up"))
        await self.stack.up()
        await self._set_flag(on=True)
        self._mark("stack_up")
        self.progress("the stack is up")

    async def admit(self) -> None:
        """Starts the load processes: every account made, signed in, its flag fetched."""
        self._phase(
            "admission", message("signing in {count} simulated users", count=str(self.scenario.population.users))
        )
        self.load = load = LoadProcesses(
            self._load_plan(), run_folder(self.run_id), self.clock, logs=self.folder / "logs"
        )
        await load.start()
        self.evidence.follow(load.spools)
        self._beside(load.watch())
        await load.admitted(ADMISSION_LIMIT_S)
        self._mark("admitted")
        self.progress(
            f"{self.scenario.population.users} simulated users signed in, {self.scenario.population.flag_on} on the API"
        )

    async def hold_window(self) -> None:
        """Load, probes and faults for the window; a rollback limit that fires ends it at once."""
        start_ns = self.clock.now_ns() + int(LEAD_S * NS)
        end_ns = start_ns + int(self.scenario.window_s * NS)
        self.window = Window(start_ns=start_ns, end_ns=end_ns)
        self.due = due_list(self.scenario, self.options.seed, start_ns, end_ns)
        self.evidence.expect(requests_due(self.scenario.population, self.options.seed, start_ns, end_ns))
        self.evidence.expect(self.due.probes)
        measuring = message("measuring for {seconds} s", seconds=f"{self.scenario.window_s:g}")
        bucket = self.stack.endpoints().storage_bucket
        self._phase("window", measuring, start_ns=start_ns, end_ns=end_ns, seed=self.options.seed, bucket=bucket)
        assert self.load is not None
        await self.load.go(start_ns)
        faults = [asyncio.ensure_future(self._inject(fault, start_ns)) for fault in self.options.faults]
        try:
            while self.clock.now_ns() < end_ns:
                await self.clock.sleep(min(1.0, max(0.01, (end_ns - self.clock.now_ns()) / NS)))
                for task in faults:
                    if task.done():
                        task.result()
                if self._judge_now():
                    await self.roll_back()
                    return
        finally:
            await self._end_faults([task for task in faults if not task.done()])

    async def await_answers(self) -> None:
        """Waits for the answers to what was due in the window."""
        if self.decision is None and self.window is not None:
            await self.evidence.last_answers(self.window.end_ns, self.scenario.request_timeout_s + 1)

    async def conclude(self) -> None:
        """The final judgement of a window that ran to its end, and the checkers' word on the run."""
        if self.window is None:
            return
        if self.decision is None and self._judge_now():
            await self.roll_back()
        if self.decision is None:
            self.checks = self.evidence.flag.results(self.scenario, self.judged_ns)
            self._event("phase", "judged", message("the window is judged"), judged_ns=self.judged_ns)
        await self.check_invariants()
        if self.decision is None:
            unproved = [c for c in self.checks if c.holds and c.verdict is not Verdict.PASS]
            self._decide(decide(self.results, self.checks), *unproved)

    async def roll_back(self) -> None:
        """ロールバック手順: the flag off by Remote Config, then every client's first request on Firestore awaited."""
        if self.window is None:
            return
        self.checks = self.evidence.flag.results(self.scenario, self.judged_ns)
        fired = [r for r in self.results if r.kind is CriterionKind.ROLLBACK and r.verdict is Verdict.FAIL]
        self.window = msgspec.structs.replace(self.window, end_ns=min(self.window.end_ns, self.clock.now_ns()))
        self._decide(Decision.ROLL_BACK, *fired)
        published_ns = await self._set_flag(on=False)
        users = tuple(a.user for a in accounts(self.scenario.population, self.options.seed) if a.flag_expected)
        limit_s = self.scenario.switch_over_limit_s
        while True:
            self.switched = switch_over(self.evidence.ledger, published_ns, users, limit_s)
            if self.switched.switched == len(users) or self.clock.now_ns() > published_ns + int(limit_s * NS):
                break
            self.progress.live(f"rolling back: {self.switched.switched}/{len(users)} clients are back on Firestore")
            await self.clock.sleep(1.0)
        last_s = self.switched.last_s
        self.progress(
            f"{self.switched.switched} of {len(users)} clients back on Firestore"
            + (f", the last after {last_s:.1f} s" if last_s is not None else "")
        )
        self._tell_checks(switch_over_result(self.switched))
        self._mark("switched_over")

    async def check_invariants(self) -> None:
        """Ends the load and every fault, and asks the checkers that stand outside what they check."""
        self.progress("ending the load, checking what the stores hold against what was acknowledged")
        for undo in self._undo:
            await undo()
        await self._stop_load()
        self.evidence.gather()
        self._mark("load_ended")
        invariants = Invariants(
            self.stack.endpoints(),
            self.evidence,
            self.clock,
            scenario=self.scenario,
            manifests=self.manifests,
            target=self.options.target,
            seed=self.options.seed,
        )
        self._tell_checks(*await invariants.results())
        self._mark("checked")

    def _tell_checks(self, *found: CheckResult) -> None:
        for check in found:
            self._event("check", check.id, check.reason, **msgspec.to_builtins(check))
            self.progress(f"{check.id}: {check.verdict}; {check.reason}")
        self.checks += found

    async def tear_down(self) -> None:
        """Undoes the faults, stops the load, brings the stack down, reads the last of the spools."""
        begun_ns = self.clock.now_ns()
        self.progress("taking everything down")
        for step in (*self._undo, self._stop_load, self._gather_last, self.stack.down):
            await self.lifecycle.finally_(step)
        self.timings["tear_down"] = (self.clock.now_ns() - begun_ns) / NS

    async def leak_check(self) -> None:
        """Looks for whatever is left of this run."""
        remove_run_folder(self.run_id)
        self.leaks = tuple(self.stack.leaks())
        for leak in self.leaks:
            self.progress(f"LEAK: {leak}")

    def report(self) -> Run:
        """Closes the evidence and writes the reports. Never raises for a full disk: it says so in the exit status."""
        with self._noting():
            self.evidence.event(self.clock.now_ns(), "phase", "end", message("the run ended"))
        with self._noting():
            self.evidence.store.close()
        run = self._document()
        with self._noting():
            write_reports(self.folder, run, claims.REGISTER, language(self.options.lang))
            point_latest(self.options.reports, self.folder)
        return run if run.exit_status == self._exit() else self._document()

    # -- parts of the steps --------------------------------------------------------------------------------------

    async def _supervised(self) -> None:
        """The flow, with the gathering of evidence and the watch over every part beside it."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._beside(self._gather())
                self._beside(self._watch())
                await self.flow()
                for task in self._tasks:
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from failures

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs ``work`` until the flow ends; what it raises ends the flow."""
        assert self._group is not None
        self._tasks.append(self._group.create_task(work))

    def _load_plan(self) -> LoadPlan:
        return LoadPlan(
            run_id=self.run_id,
            seed=self.options.seed,
            population=self.scenario.population,
            probes=self.scenario.probes,
            endpoints=self.stack.endpoints(),
            anchor=self.clock.anchor,
            spool="",
            request_timeout_s=self.scenario.request_timeout_s,
            admission_limit_s=ADMISSION_LIMIT_S,
        )

    async def _stop_load(self) -> None:
        if self.load is not None:
            await self.load.stop()

    async def _gather_last(self) -> None:
        self.evidence.gather_last()

    async def _gather(self) -> None:
        while True:
            self.evidence.gather()
            await self.clock.sleep(GATHER_EVERY_S)

    async def _watch(self) -> None:
        async for row in self.stack.watch():
            self.evidence.add([row])

    async def _inject(self, fault: Fault, start_ns: int) -> None:
        await self.clock.sleep((start_ns - self.clock.now_ns()) / NS + fault.after_s)
        self._undo.append(await self.stack.inject(fault))
        self.planted.append(fault)
        self.progress(f"fault injected: {fault}")

    async def _end_faults(self, waiting: list[asyncio.Future[None]]) -> None:
        """Gives up those whose time has not come; one that fails in this moment is noted."""
        for task in waiting:
            task.cancel()
        for ended in await asyncio.gather(*waiting, return_exceptions=True):
            if isinstance(ended, Exception):
                self.lifecycle.note(ended)

    async def _set_flag(self, *, on: bool) -> int:
        template = rollout_template(self.scenario.population) if on else off_template()
        published_ns = self.clock.now_ns()  # before the publish: no client can have seen it earlier
        version = await self.stack.set_flag(template)
        population = self.scenario.population
        users = message("{on} of {users} users", on=str(population.flag_on), users=str(population.users))
        share = users if on else message("nobody")
        said = message("published version {version}: on for {share}", version=str(version), share=share)
        self._event("flag", "use_go_backend", said, version=version)
        return published_ns

    def _judge_now(self) -> bool:
        """Judges the growing evidence; true when a rollback limit fired."""
        if self.window is None:
            return False
        self.evidence.gather()
        self.judged_ns = now_ns = self.clock.now_ns()
        self.results = judge(
            self.scenario,
            self.evidence.ledger,
            self.window,
            now_ns,
            due=self.due,
            not_exercised=not_exercised(self.scenario, self.stack.capabilities),
        )
        self.progress.live(self._live(now_ns))
        return any(r.kind is CriterionKind.ROLLBACK and r.verdict is Verdict.FAIL for r in self.results)

    def _live(self, now_ns: int) -> str:
        assert self.window is not None
        elapsed_s = (min(now_ns, self.window.end_ns) - self.window.start_ns) / NS
        shown = [
            f"{r.metric} {show(r.value, r.unit)} (n={r.samples})"
            for r in self.results
            if r.value is not None and r.kind is CriterionKind.SUCCESS
        ]
        return f"window {max(0, elapsed_s):.0f}/{self.scenario.window_s:.0f} s | " + " | ".join(shown)

    def _decide(self, decision: Decision, *because: CriterionResult | CheckResult) -> None:
        self.decision = decision
        self._mark("decision")
        # With the moment of the judgement, so that the same rows judged again give the same to the digit.
        told = tuple(part for each in because for part in reasons_told(each))
        self._event("decision", decision, told or decision, judged_ns=self.judged_ns)
        self.progress(f"decision: {decision}" + "".join(f"\n  {each.id}: {each.reason}" for each in because))

    def _phase(self, subject: str, said: Message, **data: int | str) -> None:
        self._event("phase", subject, said, **data)
        self.progress(str(said))

    def _event(self, kind: str, subject: str, said: str | Message | Told, **data: object) -> None:
        self.evidence.event(self.clock.now_ns(), kind, subject, said, **data)

    def _mark(self, name: str) -> None:
        self.timings[name] = (self.clock.now_ns() - self.started_ns) / NS

    def _save(self, name: str, content: object) -> None:
        try:
            (self.folder / name).write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
        except OSError as error:
            raise EvidenceNotWritten(
                f"{name} could not be written: {error.strerror}", where=str(self.folder), remedy="free some space"
            ) from error

    def _exit(self) -> Exit:
        outcomes = [error.exit for error in self.lifecycle.errors]
        if self.decision is not None:
            outcomes.append(DECISION_EXIT[self.decision])
        outcomes += [Exit.LEAK] if self.leaks else []
        outcomes += [] if outcomes else [Exit.HOLD]  # it decided nothing and broke in nothing: it exercised nothing
        return more_severe(*outcomes)

    def _document(self) -> Run:
        if self.lifecycle.errors and self.decision is not Decision.ROLL_BACK:
            self.decision = None  # a run that broke decides nothing, whatever it had seen
        return Run(
            schema_version=SCHEMA_VERSION,
            run_id=self.run_id,
            started_utc=utc(self.clock.anchor, self.started_ns),
            anchor=self.clock.anchor,
            decision=self.decision,
            exit_status=self._exit(),
            criteria=self.results,
            windows=tuple(summarise(self.evidence.ledger, self.window, side) for side in Side) if self.window else (),
            timings={name: round(value, 3) for name, value in self.timings.items()},
            leaks=self.leaks,
            capabilities=tuple(sorted(self.stack.capabilities)),
            switch_over=self.switched,
            checks=self.checks,
            errors=tuple(str(error) for error in self.lifecycle.errors),
            faults=tuple(f"{fault}, {fault.after_s:g} s into the window" for fault in self.planted),
            **plan_facts(self.options, self.manifests, of_week(self.scenario, self.results)),
        )

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except RehearsalError as error:
            self.lifecycle.note(error)
